"""What an encoder heard in a track, kept as a list with its scores, and a search for words among those tags."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

from sonovec.embedding.events import THRESHOLD
from sonovec.errors import UsageError

if TYPE_CHECKING:
    from sonovec.embedding.pooled import Pooled
    from sonovec.embedding.tally import Tag
    from sonovec.library.records import Value

#: The column of the tags of a track, best first, and the columns with a number for each of them: its score, which is the
#: highest of the track's windows, the mean of all, and the share of time in which it is heard. Tracks that were indexed
#: before there were means and shares have the mean as the score.
COLUMN = "sound_tags"
SCORES, MEANS, SHARES = f"{COLUMN}_scores", f"{COLUMN}_means", f"{COLUMN}_shares"
COLUMNS = (COLUMN, SCORES, MEANS, SHARES)
#: Tags that are kept of a track: as many of those that are heard at any time, and as many of those whose mean is highest and
#: not below this.
MOST_HEARD, MOST_BY_MEAN, LEAST_MEAN = 200, 20, 0.01
#: Decimals of scores, and of means and shares: a second of an hour is a small share.
DECIMALS, FINE_DECIMALS = 3, 6
_WRITTEN = re.compile(r"(.+) ([01]\.\d+)", re.DOTALL)

#: Words that say nothing of a sound.
STOP_WORDS = frozenset(
    {
        "a",
        "an",
        "and",
        "at",
        "by",
        "for",
        "from",
        "in",
        "into",
        "is",
        "like",
        "of",
        "off",
        "on",
        "or",
        "over",
        "s",
        "sound",
    }
    | {"sounds", "that", "the", "to", "under", "with"}
)


def kept(tags: Sequence[Tag]) -> list[Tag]:
    """The tags that are kept of a track, best first, of all of its classes in that order.

    Examples
    --------
    >>> from sonovec.embedding.tally import Tag
    >>> bark, hum, cat = Tag("Bark", 0.9, 0.0004, 0.001, 7), Tag("Hum", 0.1, 0.05, 0.0, 0), Tag("Cat", 0.1, 0.002, 0.0, 3)
    >>> [tag.name for tag in kept([bark, hum, cat])]
    ['Bark', 'Hum']
    """
    heard = {tag.name for tag in tags[:MOST_HEARD] if tag.score >= THRESHOLD}
    steady = {tag.name for tag in sorted(tags, key=lambda tag: -tag.mean)[:MOST_BY_MEAN] if tag.mean >= LEAST_MEAN}
    return [tag for tag in tags if tag.name in heard | steady]


def fields_of(tags: Sequence[Tag]) -> dict[str, Value]:
    """The columns of a track's tags. Where nothing was heard, means and shares are empty: a null is of a former version.

    Examples
    --------
    >>> from sonovec.embedding.tally import Tag
    >>> fields_of([Tag("Dog", 0.9342, 0.25, 0.5, 0)]) == {
    ...     "sound_tags": ["Dog"], "sound_tags_scores": [0.934], "sound_tags_means": [0.25], "sound_tags_shares": [0.5]
    ... }
    True
    """
    some = kept(tags)
    if not some:
        return {COLUMN: None, SCORES: None, MEANS: [], SHARES: []}
    return {
        COLUMN: [tag.name for tag in some],
        SCORES: [round(tag.score, DECIMALS) for tag in some],
        MEANS: [round(tag.mean, FINE_DECIMALS) for tag in some],
        SHARES: [round(tag.share, FINE_DECIMALS) for tag in some],
    }


def of_parts(pooled: Pooled) -> list[dict[str, float]]:
    """The tags that each part of a sound keeps: its best, and those that the track keeps and that score highest there."""
    found = [dict(part.tags) for part in pooled.parts]
    for tag in kept(pooled.tags):
        found[tag.part][tag.name] = tag.score
    return [{name: round(score, DECIMALS) for name, score in tags.items()} for tags in found]


def to_text(tags: Mapping[str, float]) -> str:
    """The tags of a segment as the text that stores keep; every store keeps texts.

    Examples
    --------
    >>> to_text({"Dog": 0.934}), from_text(to_text({"Dog": 0.934})), from_text(to_text({}))
    ('{"Dog":0.934}', {'Dog': 0.934}, {})
    """
    return json.dumps(tags, ensure_ascii=False, separators=(",", ":")) if tags else ""


def from_text(text: str | None) -> dict[str, float]:
    """The inverse of `to_text`; none where the segment was stored without."""
    return dict(json.loads(text)) if text else {}


def together(names: object, scores: object) -> dict[str, float]:
    """The tags of a track with their scores, best first; none where the two columns are no lists.

    Examples
    --------
    >>> together(["Dog", "Bark"], [0.934, 0.81]), together(None, None), together("a column of the user's own", None)
    ({'Dog': 0.934, 'Bark': 0.81}, {}, {})
    """
    return dict(zip(names, scores, strict=False)) if isinstance(names, list) and isinstance(scores, list) else {}


def lists(text: str | None) -> tuple[list[str], list[float]] | tuple[None, None]:
    """The same of text such as ``Dog 0.934; Bark 0.810``, as format 1 kept them.

    Examples
    --------
    >>> lists("Dog 0.93; Rain on surface 0.81")
    (['Dog', 'Rain on surface'], [0.93, 0.81])
    >>> lists(None)
    (None, None)
    """
    found = (_WRITTEN.fullmatch(tag) for tag in (text or "").split("; "))
    pairs = [(match[1], float(match[2])) for match in found if match]
    return ([name for name, _ in pairs], [score for _, score in pairs]) if pairs else (None, None)


def reads_whole(text: str) -> bool:
    """Whether a text is of that form.

    Examples
    --------
    >>> reads_whole("Dog 0.934; Bark 0.810"), reads_whole("dog barking")
    (True, False)
    """
    return all(_WRITTEN.fullmatch(tag) for tag in text.split("; "))


@lru_cache(maxsize=10_000)
def stem(word: str) -> str:
    """What English words of one meaning have in common, by the Snowball stemmer (Porter 2); no word itself.

    A last double letter counts as one, and a last e not at all: the stemmer keeps them in some forms, as of purr and bus.

    Examples
    --------
    >>> stem("Barks"), stem("sneezing"), stem("babies"), stem("buses"), stem("purring") == stem("purr")
    ('bark', 'sneez', 'babi', 'bus', True)
    """
    import snowballstemmer

    # A new one each time: it keeps the word that it is at, and threads search at once.
    found = str(snowballstemmer.stemmer("english").stemWord(word.lower()))
    return re.sub(r"([^s])\1$|(?<=..)e$", r"\1", found)


def words_of(text: str) -> dict[str, str]:
    """The words of a text that say something, by their stems.

    Examples
    --------
    >>> words_of("A dog barks")
    {'dog': 'dog', 'bark': 'barks'}
    """
    words = [word for word in re.findall(r"\w+", text.lower()) if word not in STOP_WORDS]
    return {stem(word): word for word in words}


def stems_of(tags: Iterable[str]) -> set[str]:
    """What the words of some tags are found by.

    Examples
    --------
    >>> sorted(stems_of(["Dog", "Baby cry, infant cry"]))
    ['babi', 'cri', 'dog', 'infant']
    """
    return {stem for tag in tags for stem in words_of(tag)}


def named(text: str, tags: Iterable[str]) -> dict[str, list[str]]:
    """Tags that the words of a text name: for each word those that have it, or all of the text if it is one tag's name.

    Examples
    --------
    >>> named("a dog barks at the moon", ["Dog", "Bark", "Rain"])
    {'dog': ['Dog'], 'bark': ['Bark']}
    """
    names = sorted(set(tags))
    whole = [name for name in names if name.lower() == text.strip().lower()]
    if whole:
        return {text.strip().lower(): whole}
    having = _by_word(names)
    return {word: having[word] for word in words_of(text) if word in having}


def nearest(text: str, tags: Iterable[str]) -> list[str]:
    """Tags with words that are spelt like those of a text.

    Examples
    --------
    >>> nearest("glas", ["Glass", "Dog"])
    ['Glass']
    """
    having = _by_word(sorted(set(tags)))
    near = (word for stem in words_of(text) for word in get_close_matches(stem, having, n=2))
    return list(dict.fromkeys(name for word in near for name in having[word]))


def alike(text: str, tags: Iterable[str], most: int = 6) -> list[str]:
    """Tags that somebody may have meant: those that its words name, or else those that are spelt like it or like its words.

    Examples
    --------
    >>> alike("barking dogs", ["Dog", "Bark", "Cat"]), alike("dgo", ["Dog", "Cat"]), alike("qqq", ["Dog"])
    (['Bark', 'Dog'], ['Dog'], [])
    """
    names = {name.lower(): name for name in tags}
    found = [name for having in named(text, names.values()).values() for name in having]
    if not found:
        found = [*(names[near] for near in get_close_matches(text.lower(), names)), *nearest(text, names.values())]
    return list(dict.fromkeys(found))[:most]


def chosen(asked: Iterable[str], known: Sequence[str], whose: str) -> frozenset[str]:
    """The classes that were asked for, in any case, as they are called.

    Raises
    ------
    UsageError
        There is none of a name; the message names those that may be meant.

    Examples
    --------
    >>> chosen(["dog"], ["Dog", "Rain"], "'yamnet'")
    frozenset({'Dog'})
    >>> chosen(["dogs"], ["Dog", "Rain"], "'yamnet'")
    Traceback (most recent call last):
    sonovec.errors.UsageError: class 'dogs': none of the 2 classes of 'yamnet'; the nearest are: 'Dog'
    """
    names = {name.lower(): name for name in known}
    for name in asked:
        if name.lower() not in names:
            near = alike(name, known)
            told = "the nearest are" if near else "give one such as"
            meant = ", ".join(map(repr, near or known[:3]))
            raise UsageError(f"class {name!r}: none of the {len(known)} classes of {whose}; {told}: {meant}")
    return frozenset(names[name.lower()] for name in asked)


def _by_word(names: Iterable[str]) -> dict[str, list[str]]:
    having: dict[str, list[str]] = {}
    for name in names:
        for word in words_of(name):
            having.setdefault(word, []).append(name)
    return having
