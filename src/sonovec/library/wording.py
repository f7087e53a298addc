"""How well a text says what is asked for: its words, in any of their forms, in its order; phrases in quotation marks."""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache

from sonovec.errors import UsageError
from sonovec.library.sound_tags import stem
from sonovec.library.words import tokens

#: Another form of a word, such as "opened" for "open", counts for so much of it; words out of order lose so much of a score.
OTHER_FORM, ORDER = 0.9, 0.25
#: A text that says less than this of what is asked for is no answer.
LEAST = 0.5
#: Decimals of a score.
DECIMALS = 6
#: What English words end with, behind what their forms have in common; before the first of these a last letter may be double.
_ENDINGS = ("ed", "er", "ers", "ing", "ings", "", "s", "es", "e", "ly", "y", "ies", "ied")
_DOUBLING = 5


def folded(text: str) -> list[str]:
    """The words of a text in small letters without accents, as indices of words have them.

    Examples
    --------
    >>> folded("Schöne Grüße, Café!")
    ['schone', 'grusse', 'cafe']
    """
    parted = unicodedata.normalize("NFKD", text.casefold())
    return tokens("".join(character for character in parted if not unicodedata.combining(character)))


@lru_cache(maxsize=10_000)
def forms(word: str) -> frozenset[str]:
    """The forms of an English word that it can be said in, by their common stem; of any other word itself and hardly more.

    Examples
    --------
    >>> sorted(forms("opened") & {"open", "opens", "opening", "operate"})
    ['open', 'opening', 'opens']
    >>> "running" in forms("run"), "babies" in forms("baby"), "making" in forms("made")
    (True, True, False)
    """
    common = stem(word)
    root = common.removesuffix("i")
    possible = {root + ending for ending in _ENDINGS} | {root + root[-1:] + ending for ending in _ENDINGS[:_DOUBLING]}
    return frozenset({word, *(form for form in possible if stem(form) == common)})


@dataclass(frozen=True)
class Wording:
    """What is asked for: words in their order, and the phrases among them that must be said word for word.

    `words` and `phrases` are without accents; `written` has the words as they were given.
    """

    words: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    written: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Wording:
        """Read words, of which some may stand between double quotation marks.

        Raises
        ------
        UsageError
            There is no word in it.

        Examples
        --------
        >>> asked = Wording.of('please "open the door"')
        >>> asked.words, asked.phrases
        (('please', 'open', 'the', 'door'), (('open', 'the', 'door'),))
        """
        words = tuple(folded(text))
        if not words:
            raise UsageError(f"said={text!r} has no word; give some, such as 'open the door'")
        quoted = (tuple(folded(phrase)) for phrase in re.findall(r"[\"“„”]([^\"“„”]*)[\"“”]", text))
        return cls(words, tuple(filter(None, quoted)), tuple(tokens(text)))

    @cached_property
    def groups(self) -> list[str]:
        """For each word a text of its forms, by which an index finds it; of one in a phrase, itself.

        With each is how it was written, since not every index knows letters without their accents.
        """
        literal = {word for phrase in self.phrases for word in phrase}
        found = []
        for written in dict.fromkeys(self.written):
            possible = (frozenset({word}) if word in literal else forms(word) for word in folded(written))
            found.append(" ".join(sorted({written}.union(*possible))))
        return found

    def score(self, text: str) -> float:
        """How well a text says it, in [0, 1]; 0 where a phrase is missing, or less than half is said.

        The share of its words that the text has, long words counting for more; less where they are not said one behind
        the other in this order. 1 means word for word.

        Examples
        --------
        >>> asked = Wording.of("open the door")
        >>> [round(asked.score(text), 2) for text in ("Open the door, please", "The door is open", "He opened a door")]
        [1.0, 0.88, 0.52]
        >>> asked.score("the end"), Wording.of('"the door"').score("the old door")
        (0.0, 0.0)
        """
        said = folded(text)
        if not all(_holds(said, phrase) for phrase in self.phrases):
            return 0.0
        there, stems = set(said), [stem(word) for word in said]
        known = set(stems)
        worth = {word: 1.0 if word in there else OTHER_FORM * (stem(word) in known) for word in self.words}
        letters = sum(map(len, worth))
        share = sum(len(word) * value for word, value in worth.items()) / letters
        if share < LEAST:
            return 0.0
        wanted = [stem(word) for word in self.words]
        pairs = list(itertools.pairwise(wanted))
        following = set(itertools.pairwise(stems))
        ordered = sum(pair in following for pair in pairs) / len(pairs) if pairs else 1.0
        return round(share * (1 - ORDER * (1 - ordered)), DECIMALS)

    def is_all_in(self, text: str) -> bool:
        """Whether a text has all of the words, in any form and order, and the phrases word for word.

        Examples
        --------
        >>> asked = Wording.of("open the door")
        >>> asked.is_all_in("The door was opened"), asked.is_all_in("Open a door")
        (True, False)
        """
        stems = set(map(stem, said := folded(text)))
        return stems.issuperset(map(stem, self.words)) and all(_holds(said, phrase) for phrase in self.phrases)


def _holds(words: list[str], phrase: tuple[str, ...]) -> bool:
    return any(tuple(words[place : place + len(phrase)]) == phrase for place in range(len(words) - len(phrase) + 1))
