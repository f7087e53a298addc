"""The best path of a CTC model that writes known tokens.

It is found by the Viterbi algorithm over the trellis of frames and of the tokens with blanks between them (Graves et al.
2006, section 4.1; Kürzinger et al. 2020, "CTC-segmentation"). It is exact however long the sound is: only some columns of the
trellis are kept, and the path between two of them is found by computing them again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.speech.spans import Span, of_path
from sonovec.words import counted

Floats = NDArray[np.float32]
#: Scores of the tokens, and of the blanks, in one frame.
Column = tuple[NDArray[np.float64], NDArray[np.float64]]


def aligned(log_posteriors: Floats, tokens: Sequence[int], blank: int) -> list[Span]:
    """The spans of known tokens, by the most probable path that writes them.

    Parameters
    ----------
    log_posteriors : array, shape (frames, vocabulary), float32
    tokens : sequence of int
        At least one, without blanks.
    blank : int

    Returns
    -------
    list of Span
        One for each token.

    Raises
    ------
    UsageError
        If there are fewer frames than the tokens need.

    Examples
    --------
    >>> heard = np.log(np.array([[0.8, 0.2], [0.1, 0.9], [0.9, 0.1]], np.float32))
    >>> [(span.start, span.end, round(span.confidence, 2)) for span in aligned(heard, [1], blank=0)]
    [(1, 2, 0.9)]
    """
    needed = frames_needed(tokens)
    if len(log_posteriors) < needed:
        raise UsageError(
            f"the text has {counted(len(tokens), 'token')}, which need {needed} frames, and the sound has "
            f"{len(log_posteriors)}; give the text of this sound alone, or a longer sound"
        )
    return of_path(_Trellis(np.asarray(tokens, np.intp), blank).best_path(log_posteriors), log_posteriors, blank)


def frames_needed(tokens: Sequence[int]) -> int:
    """How many frames tokens need at least: one each, and a blank between two that are the same.

    Examples
    --------
    >>> frames_needed([5, 5, 7])
    4
    """
    return len(tokens) + sum(one == other for one, other in pairwise(tokens))


class _Trellis:
    """Columns of scores: of the tokens (n,), and of the blanks before, between and behind them (n + 1,).

    States are counted as they follow each other: blank 0, token 0, blank 1, and so on.
    """

    def __init__(self, tokens: NDArray[np.intp], blank: int) -> None:
        self._tokens, self._blank = tokens, blank
        # What a step from one token to the next costs: between equal ones there must be a blank.
        self._skip = np.where(tokens[1:] == tokens[:-1], -np.inf, 0.0)

    def best_path(self, log_posteriors: Floats) -> NDArray[np.intp]:
        """The most probable path: the token or blank of each frame, shape (frames,)."""
        n_frames = len(log_posteriors)
        block = max(1, math.isqrt(n_frames))
        column = self._first(log_posteriors[0])
        kept = [column]
        for first in range(1, n_frames, block):
            for frame in log_posteriors[first : first + block]:
                column = self._next(column, frame)
            kept.append(column)
        path = np.empty(n_frames, np.intp)
        tokens, blanks = column
        state = 2 * len(tokens) - int(tokens[-1] >= blanks[-1])
        for place in range(len(kept) - 2, -1, -1):
            first, column, steps = 1 + place * block, kept[place], []
            for frame in log_posteriors[first : first + block]:
                steps.append(self._steps(column))
                column = self._next(column, frame)
            for offset in range(len(steps) - 1, -1, -1):
                path[first + offset] = self._written(state)
                state -= int(steps[offset][state % 2][state // 2])
        path[0] = self._written(state)
        return path

    def _written(self, state: int) -> int:
        return int(self._tokens[state // 2]) if state % 2 else self._blank

    def _first(self, frame: Floats) -> Column:
        tokens, blanks = np.full(len(self._tokens), -np.inf), np.full(len(self._tokens) + 1, -np.inf)
        tokens[0], blanks[0] = frame[self._tokens[0]], frame[self._blank]
        return tokens, blanks

    def _next(self, column: Column, frame: Floats) -> Column:
        tokens, blanks = column
        new_tokens = np.maximum(tokens, blanks[:-1])
        np.maximum(new_tokens[1:], tokens[:-1] + self._skip, out=new_tokens[1:])
        new_tokens += frame[self._tokens]
        new_blanks = blanks.copy()
        np.maximum(new_blanks[1:], tokens, out=new_blanks[1:])
        new_blanks += frame[self._blank]
        return new_tokens, new_blanks

    def _steps(self, column: Column) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """How many states before it each cell of the next column comes from: of blanks (0 or 1), of tokens (0, 1 or 2)."""
        tokens, blanks = column
        of_tokens = (blanks[:-1] > tokens).view(np.int8)
        of_tokens[1:][tokens[:-1] + self._skip > np.maximum(tokens, blanks[:-1])[1:]] = 2
        of_blanks = np.zeros(len(blanks), np.int8)
        of_blanks[1:] = tokens > blanks[1:]
        return of_blanks, of_tokens
