"""Prefix beam search over what a CTC model hears, with an n-gram language model and hot words.

The text w is searched for that maximises

    ln P(w | sound) + alpha * ln P(w) + beta * |words of w| + hot_weight * |hot words of w|

where P(w | sound) is the sum over all paths of frames that write w (Hannun et al. 2014, "First-pass large vocabulary
continuous speech recognition using bi-directional recurrent DNNs"). With a beam that is wide enough the search is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.speech.arpa import LanguageModel, State
from sonovec.speech.vocabulary import Vocabulary
from sonovec.words import listed

Floats = NDArray[np.float32]
LN10 = math.log(10.0)
NEVER = -math.inf


@dataclass(slots=True)
class _Mass:
    """Log probability of the paths that write a prefix: of those that end in a blank, and of the others."""

    blank: float = NEVER
    other: float = NEVER

    @property
    def total(self) -> float:
        return _add(self.blank, self.other)


@dataclass(eq=False, slots=True)
class _Prefix:
    """The beginning of a text.

    Attributes
    ----------
    token : int
        The last; -1 of nothing.
    word : str
        What is written of the word that has not ended.
    state : State
        Of the language model, behind the words that have ended.
    ended : float
        What these words add to the score.
    bonus : float
        The same, and the share of a hot word that has begun.
    """

    token: int
    before: _Prefix | None
    word: str
    state: State
    ended: float
    bonus: float
    longer: dict[int, _Prefix] = field(default_factory=dict)

    def tokens(self) -> list[int]:
        found: list[int] = []
        prefix: _Prefix | None = self
        while prefix is not None and prefix.before is not None:
            found.append(prefix.token)
            prefix = prefix.before
        return found[::-1]


Beams = dict[_Prefix, _Mass]


@dataclass(frozen=True)
class Search:
    """How a text is searched for.

    Attributes
    ----------
    beam : int
        How many beginnings of the text are kept after each frame.
    language_model : LanguageModel or None
    alpha : float
        Weight of the language model.
    beta : float
        What each word adds; it makes up for what the language model takes from long texts.
    hot_words : tuple of str
        Words that are expected; of a phrase, each of its words.
    hot_weight : float
        What each hot word adds.
    least : float
        Log probability below which a token is not looked at in a frame, unless it is the best there.
    """

    beam: int = 100
    language_model: LanguageModel | None = None
    alpha: float = 0.5
    beta: float = 1.0
    hot_words: tuple[str, ...] = ()
    hot_weight: float = 3.0
    least: float = -7.0

    def best(self, log_posteriors: Floats, vocabulary: Vocabulary) -> list[int]:
        """The tokens of the best text, delimiters among them; empty if nothing is said.

        Parameters
        ----------
        log_posteriors : array, shape (frames, tokens), float32
        vocabulary : Vocabulary
        """
        words = _Words(self, vocabulary)
        beams: Beams = {words.nothing: _Mass(blank=0.0)}
        for frame in log_posteriors:
            heard = np.flatnonzero(frame >= min(self.least, float(frame.max())))
            beams = self._pruned(words.extended(beams, [(int(token), float(frame[token])) for token in heard]))
        texts: dict[str, list[tuple[float, _Prefix]]] = {}
        for prefix, mass in beams.items():
            texts.setdefault(words.text(prefix), []).append((mass.total, prefix))
        scores = {text: _sum(mass for mass, _ in found) + words.whole(found[0][1]) for text, found in texts.items()}
        return max(texts[max(scores, key=scores.__getitem__)], key=lambda pair: pair[0])[1].tokens()

    def hot(self, vocabulary: Vocabulary) -> frozenset[str]:
        """The hot words as the model writes them.

        Raises
        ------
        UsageError
            If one has a character that the model does not write.
        """
        words = set()
        for word in (word for phrase in self.hot_words for word in phrase.split()):
            tokens, foreign = vocabulary.spell(word)
            if not tokens or any(sign.isalnum() for sign in foreign):
                raise UsageError(
                    f"hot word {word!r}: the model does not write {listed(foreign)}; spell it with its letters"
                )
            words.add(vocabulary.text(tokens))
        return frozenset(words)

    def _pruned(self, beams: Beams) -> Beams:
        if len(beams) <= self.beam:
            return beams
        ranked = sorted(beams.items(), key=lambda pair: -(pair[1].total + pair[0].bonus))
        return dict(ranked[: self.beam])


class _Words:
    """What prefixes write, and what the words of these add to the score."""

    def __init__(self, search: Search, vocabulary: Vocabulary) -> None:
        self._search, self._vocabulary = search, vocabulary
        self._parts = [vocabulary.parts_words(number) for number in range(len(vocabulary.tokens))]
        self._hot = search.hot(vocabulary)
        self._begun: dict[str, float] = {}
        for word in self._hot:
            for n in range(1, len(word)):
                share = search.hot_weight * n / len(word)
                self._begun[word[:n]] = max(share, self._begun.get(word[:n], NEVER))
        model = search.language_model
        self.nothing = _Prefix(-1, None, "", model.begin() if model else (), 0.0, 0.0)

    def extended(self, beams: Beams, heard: Sequence[tuple[int, float]]) -> Beams:
        """The prefixes and their extensions after one more frame, in which these tokens are heard."""
        new: Beams = {}
        for prefix, mass in beams.items():
            total = mass.total
            for token, probability in heard:
                if token == self._vocabulary.blank:
                    to = new.setdefault(prefix, _Mass())
                    to.blank = _add(to.blank, total + probability)
                    continue
                if self._parts[token] and not prefix.word:  # between words, one delimiter is as good as several
                    to = new.setdefault(prefix, _Mass())
                    to.other = _add(to.other, total + probability)
                    continue
                begun = total
                if token == prefix.token:
                    to = new.setdefault(prefix, _Mass())
                    to.other = _add(to.other, mass.other + probability)
                    begun = mass.blank
                if begun > NEVER:
                    to = new.setdefault(self._longer(prefix, token), _Mass())
                    to.other = _add(to.other, begun + probability)
        return new

    def _longer(self, prefix: _Prefix, token: int) -> _Prefix:
        if token not in prefix.longer:
            prefix.longer[token] = self._made(prefix, token)
        return prefix.longer[token]

    def _made(self, prefix: _Prefix, token: int) -> _Prefix:
        if self._parts[token]:
            score, state = self._scored(prefix)
            return _Prefix(token, prefix, "", state, score, score)
        word = prefix.word + self._vocabulary.text([token])
        return _Prefix(token, prefix, word, prefix.state, prefix.ended, prefix.ended + self._begun.get(word, 0.0))

    def _scored(self, prefix: _Prefix) -> tuple[float, State]:
        """What all words of a prefix add if its last one ends here, and the state behind it."""
        if not prefix.word:
            return prefix.ended, prefix.state
        search, state = self._search, prefix.state
        score = prefix.ended + search.beta + (search.hot_weight if prefix.word in self._hot else 0.0)
        if search.language_model is not None:
            log10, state = search.language_model.score(state, prefix.word)
            score += search.alpha * LN10 * log10
        return score, state

    def whole(self, prefix: _Prefix) -> float:
        """What the words add if the text ends here."""
        score, state = self._scored(prefix)
        model = self._search.language_model
        return score if model is None else score + self._search.alpha * LN10 * model.end(state)

    def text(self, prefix: _Prefix) -> str:
        return " ".join(self._vocabulary.text(prefix.tokens()).split())


def _add(one: float, other: float) -> float:
    """The logarithm of the sum of two numbers, of their logarithms."""
    if one < other:
        one, other = other, one
    return one if other == NEVER else one + math.log1p(math.exp(other - one))


def _sum(values: Iterable[float]) -> float:
    total = NEVER
    for value in values:
        total = _add(total, value)
    return total
