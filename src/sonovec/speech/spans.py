"""Spans: which frames a token was written in, and the words that spans make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from sonovec.speech.transcript import Word
from sonovec.speech.vocabulary import Vocabulary

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Span:
    """A token in the frames `start` to `end`, of which the last does not count any more.

    Attributes
    ----------
    confidence : float
        The mean probability of the token in its frames.
    """

    token: int
    start: int
    end: int
    confidence: float


def of_path(path: NDArray[np.intp], log_posteriors: Floats, blank: int) -> list[Span]:
    """The spans of a path: the token of each frame, shape (frames,).

    Examples
    --------
    >>> path = np.array([0, 2, 2, 0, 2, 1])
    >>> [(span.token, span.start, span.end) for span in of_path(path, np.zeros((6, 3), np.float32), blank=0)]
    [(2, 1, 3), (2, 4, 5), (1, 5, 6)]
    """
    if not len(path):
        return []
    starts = np.flatnonzero(np.r_[True, path[1:] != path[:-1]])
    ends = np.r_[starts[1:], len(path)]
    heard = np.exp(log_posteriors[np.arange(len(path)), path])
    return [
        Span(int(path[start]), int(start), int(end), float(heard[start:end].mean()))
        for start, end in zip(starts, ends, strict=True)
        if path[start] != blank
    ]


def words_of(spans: Sequence[Span], vocabulary: Vocabulary, seconds: float, duration: float) -> list[Word]:
    """The words that spans write, with their times.

    Parameters
    ----------
    spans : sequence of Span
    vocabulary : Vocabulary
    seconds : float
        From one frame to the next.
    duration : float
        Of the sound, in seconds; no word ends later.
    """
    words = []
    for parted, group in groupby(spans, key=lambda span: vocabulary.parts_words(span.token)):
        if not parted:
            written = list(group)
            words.append(word_of(written, vocabulary.text([span.token for span in written]), seconds, duration))
    return words


def word_of(spans: Sequence[Span], text: str, seconds: float, duration: float) -> Word:
    """The word of its spans; its confidence is the mean over the frames in which a token of it is written."""
    frames = [span.end - span.start for span in spans]
    confidence = float(np.average([span.confidence for span in spans], weights=frames))
    start, end = spans[0].start * seconds, min(spans[-1].end * seconds, duration)
    return Word(min(start, end), end, text, min(1.0, confidence))
