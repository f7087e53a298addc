"""What was said: words and segments with their seconds, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sonovec.brief import Brief


@dataclass(frozen=True)
class Word:
    """One word; `start` and `end` in seconds, `confidence` in [0, 1]."""

    start: float
    end: float
    text: str
    confidence: float

    def moved(self, seconds: float) -> Word:
        """The same word, later by some seconds."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True)
class Segment:
    """A stretch of speech without a long pause, such as a sentence.

    Attributes
    ----------
    start, end : float
        In seconds.
    text : str
        As the model writes it: with punctuation where it knows some.
    words : tuple of Word
        Times grow, and no word begins before the one before it ends.
    confidence : float
        In [0, 1]: the mean of the words, weighted by their length in characters.
    language : str
        A code such as "en"; empty where the model has no language.
    """

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    confidence: float = 1.0
    language: str = ""

    @classmethod
    def of(cls, words: Sequence[Word], text: str | None = None, language: str = "") -> Segment:
        """The segment of some words, at least one; without `text`, they stand one behind the other with spaces.

        Examples
        --------
        >>> Segment.of([Word(0.2, 0.5, "open", 0.9), Word(0.5, 1.0, "sesame", 0.8)]).confidence
        0.84
        """
        letters = sum(len(word.text) for word in words)
        confidence = sum(word.confidence * len(word.text) for word in words) / letters
        text = " ".join(word.text for word in words) if text is None else text
        return cls(words[0].start, words[-1].end, text, tuple(words), confidence, language)

    def moved(self, seconds: float) -> Segment:
        """The same segment, later by some seconds."""
        words = tuple(word.moved(seconds) for word in self.words)
        return replace(self, start=self.start + seconds, end=self.end + seconds, words=words)


@dataclass(frozen=True, eq=False, repr=False)
class Transcript(Brief):
    """What was said in one sound.

    Attributes
    ----------
    segments : sequence of Segment
        In the order of time.
    duration : float
        Of the sound, in seconds.
    language : str
        Of the most speech; empty where the model has none, or nobody speaks.
    model : str
        The recogniser and its version, as ``name@version``.
    notes : tuple of str
        What is worth knowing of the sound or of how it was heard.

    Examples
    --------
    >>> words = (Word(0.2, 0.5, "open", 0.9), Word(0.5, 1.0, "sesame", 0.8))
    >>> Transcript([Segment(0.2, 1.0, "Open sesame.", words)], duration=2.0).text
    'Open sesame.'
    """

    segments: Sequence[Segment]
    duration: float
    language: str = ""
    model: str = ""
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The texts of all segments, one behind the other."""
        return " ".join(segment.text for segment in self.segments)

    @property
    def words(self) -> list[Word]:
        """The words of all segments."""
        return [word for segment in self.segments for word in segment.words]
