"""What an encoder heard in a track, kept as text with it, and a search for words among those tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

#: The column: ``Dog 0.934; Bark 0.810``, best first, so that people can read it and filters can search it.
COLUMN = "sound_tags"
#: Tags that are kept of a track: at most so many, and none below this score.
MOST, LEAST = 20, 0.01
_WRITTEN = re.compile(r"(.+) ([01]\.\d+)", re.DOTALL)

#: Words that say nothing of a sound.
STOP_WORDS = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "into", "is", "like", "of", "off", "on", "or", "over", "sound"}
    | {"sounds", "that", "the", "to", "under", "with"}
)
#: Endings that words of one meaning differ in, longest first, and what stands in their place.
ENDINGS = {"ss": "ss", "ies": "y", "ied": "y", "ing": "", "es": "", "ed": "", "s": ""}


def plain(name: str) -> str:
    """A name as it is written: a semicolon parts tags, so that none may be within one.

    Examples
    --------
    >>> plain("Music; other")
    'Music, other'
    """
    return name.replace(";", ",")


def write(top_tags: Iterable[tuple[str, float]]) -> str | None:
    """Tags as text; None if nothing was heard.

    Examples
    --------
    >>> write([("Dog", 0.934), ("Bark", 0.81), ("Cat", 0.002)])
    'Dog 0.934; Bark 0.810'
    """
    kept = [f"{plain(name)} {score:.3f}" for name, score in list(top_tags)[:MOST] if score >= LEAST]
    return "; ".join(kept) or None


def read(text: str | None) -> dict[str, float]:
    """The inverse of `write`; what it never writes, as in a column of the user's own, is left out.

    Examples
    --------
    >>> read("Dog 0.93; Rain on surface 0.81")
    {'Dog': 0.93, 'Rain on surface': 0.81}
    >>> read("dog barking")
    {}
    """
    found = (_WRITTEN.fullmatch(tag) for tag in (text or "").split("; "))
    return {match[1]: float(match[2]) for match in found if match}


def stem(word: str) -> str:
    """A word without its ending, in lower case.

    Examples
    --------
    >>> stem("Barks"), stem("breaking"), stem("cries"), stem("bus")
    ('bark', 'break', 'cry', 'bus')
    """
    word = word.lower()
    for ending, instead in ENDINGS.items():
        if word.endswith(ending) and len(word) - len(ending) + len(instead) >= 3:
            return word[: -len(ending)] + instead
    return word


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


def score(tags: Mapping[str, float], words: Mapping[str, list[str]]) -> float:
    """How well tags fit words: for each word its best tag, and their mean.

    Examples
    --------
    >>> score({"Dog": 0.9, "Rain": 0.2}, {"dog": ["Dog"], "bark": ["Bark"]})
    0.45
    """
    return sum(max(tags.get(name, 0.0) for name in names) for names in words.values()) / len(words)
