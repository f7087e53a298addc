"""What an encoder heard in a track, kept as a list with its scores, and a search for words among those tags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

#: The column, best first; `sonovec.library.columns.scores_of` it has the scores.
COLUMN = "sound_tags"
#: Tags that are kept of a track: at most so many, and none below this score.
MOST, LEAST = 20, 0.01
_WRITTEN = re.compile(r"(.+) ([01]\.\d+)", re.DOTALL)

#: Words that say nothing of a sound.
STOP_WORDS = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "into", "is", "like", "of", "off", "on", "or", "over", "sound"}
    | {"sounds", "that", "the", "to", "under", "with"}
)


def kept(top_tags: Iterable[tuple[str, float]]) -> tuple[list[str], list[float]] | tuple[None, None]:
    """The tags that are kept of a track, best first, and their scores; None twice if nothing was heard.

    Examples
    --------
    >>> kept([("Dog", 0.9342), ("Bark", 0.81), ("Cat", 0.002)])
    (['Dog', 'Bark'], [0.934, 0.81])
    """
    heard = [(name, round(float(score), 3)) for name, score in list(top_tags)[:MOST] if score >= LEAST]
    return ([name for name, _ in heard], [score for _, score in heard]) if heard else (None, None)


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


def _by_word(names: Iterable[str]) -> dict[str, list[str]]:
    having: dict[str, list[str]] = {}
    for name in names:
        for word in words_of(name):
            having.setdefault(word, []).append(name)
    return having
