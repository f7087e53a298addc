"""The best path of a CTC model that writes known tokens.

It is found by the Viterbi algorithm over the trellis of frames and of the tokens with blanks between them (Graves et al.
2006, section 4.1; Kürzinger et al. 2020, "CTC-segmentation"). It is exact however long the sound is, for two reasons:

- A state is left out only if the best path cannot go through it. A quick search in a narrow band finds some path, and the
  best path has at least the score of that one. No path can gain more in a frame than its most probable token. A state that
  would stay below the score of that path, even if it gained this in all frames that follow, is left out. If the text is not
  what is said, few states are, and the search takes longer.
- Only some columns of the trellis are kept. The path between two of them is found by computing what lies between them again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.speech.spans import Span, of_path
from sonovec.words import counted

Floats = NDArray[np.float32]
Scores = NDArray[np.float64]
#: Frames that are computed before states are left out.
STRETCH = 64
#: Texts of up to so many tokens are computed with every state: to find out which to leave out would take longer.
SHORT = 1000
#: How far below the best state of a frame the others of a narrow band may be, in natural logarithms; tried in this order.
MARGINS = (1e3, 1e4)
#: What a token and its blank take in memory: in a column, and as steps of one frame.
COLUMN_BITS, STEP_BITS = 128, 3


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
    trellis = _Trellis(log_posteriors, np.asarray(tokens, np.intp), blank)
    return of_path(trellis.best_path(), log_posteriors, blank)


def frames_needed(tokens: Sequence[int]) -> int:
    """How many frames tokens need at least: one each, and a blank between two that are the same.

    Examples
    --------
    >>> frames_needed([5, 5, 7])
    4
    """
    return len(tokens) + sum(one == other for one, other in pairwise(tokens))


@dataclass
class _Column:
    """Scores in one frame: of some tokens that follow each other (n,), and of the blanks before, between and behind (n + 1,).

    Attributes
    ----------
    first : int
        The place of the first of these tokens in the text; all others are left out.
    """

    first: int
    tokens: Scores
    blanks: Scores

    @property
    def end(self) -> int:
        """The place in the text of the first token behind these."""
        return self.first + len(self.tokens)

    @property
    def best(self) -> float:
        """The score of the best state."""
        return float(max(self.tokens.max(), self.blanks.max()))

    def longer(self, end: int) -> _Column:
        """A copy with more tokens, which no path has reached."""
        more = np.full(end - self.end, -np.inf)
        return _Column(self.first, np.concatenate([self.tokens, more]), np.concatenate([self.blanks, more]))

    def above(self, floor: float) -> _Column:
        """A copy without the tokens at both ends that, with the blanks about them, are below a score."""
        alive = np.maximum(self.tokens, np.maximum(self.blanks[:-1], self.blanks[1:])) >= floor
        first, end = int(alive.argmax()), len(alive) - int(alive[::-1].argmax())
        return _Column(self.first + first, self.tokens[first:end].copy(), self.blanks[first : end + 1].copy())


#: The score below which states are left out, by the number of a frame and its column.
Floor = Callable[[int, _Column], float]


def _near_best(margin: float) -> Floor:
    """Keeps the states that are not much less probable than the best one of their frame."""
    return lambda frame, column: column.best - margin


@dataclass(frozen=True)
class _Steps:
    """Where the best paths to the states of a stretch come from.

    Attributes
    ----------
    frame : int
        The first of the stretch.
    first : int
        The first token, by its place in the text.
    bits : array, shape (3, frames, bytes), uint8
        A bit for each token: whether the blank behind it comes from it, whether it comes from the blank before it, and
        whether it comes from the token before it.
    """

    frame: int
    first: int
    bits: NDArray[np.uint8]

    def back(self, number: int, state: int) -> int:
        """How many states before `state` its path was before frame `number` of the stretch: 0, 1, or of a token 2."""
        place = state // 2 - self.first
        if state % 2 == 0:
            return self._bit(0, number, place - 1) if place else 0
        return 2 if self._bit(2, number, place) else self._bit(1, number, place)

    def _bit(self, kind: int, number: int, place: int) -> int:
        return int(self.bits[kind, number, place >> 3]) >> (7 - (place & 7)) & 1


class _Trellis:
    """The states of a text in the frames of a sound; they are counted in their order: blank 0, token 0, blank 1..."""

    def __init__(self, log_posteriors: Floats, tokens: NDArray[np.intp], blank: int) -> None:
        self._frames, self._tokens, self._blank = log_posteriors, tokens, blank
        # What a step to a token from the one before costs: between equal ones there must be a blank.
        self._skip = np.concatenate([[-np.inf], np.where(tokens[1:] == tokens[:-1], -np.inf, 0.0)])

    def best_path(self) -> NDArray[np.intp]:
        """The most probable path: the token or blank of each frame, shape (frames,)."""
        n_frames, floor = len(self._frames), self._floor()
        # As much memory for the columns that are kept as for the steps between two of them.
        block = STRETCH * max(1, round(math.sqrt(n_frames * COLUMN_BITS / STEP_BITS) / STRETCH))
        kept, column = [], self._first()
        for first in range(1, n_frames, STRETCH):
            if (first - 1) % block == 0:
                kept.append((first, column))
            column = self._after(column, first, floor)
        path = np.empty(n_frames, np.intp)
        state = 2 * len(self._tokens) - int(column.tokens[-1] >= column.blanks[-1])
        for start, column in reversed(kept):
            state = self._trace(path, state, self._steps(column, start, min(start + block, n_frames), floor))
        path[0] = self._written(state)
        return path

    def _steps(self, column: _Column, start: int, end: int, floor: Floor) -> list[_Steps]:
        """The steps of some frames, from the column before them."""
        steps: list[_Steps] = []
        for first in range(start, end, STRETCH):
            column = self._after(column, first, floor, steps)
        return steps

    def _trace(self, path: NDArray[np.intp], state: int, steps: list[_Steps]) -> int:
        """Write a path backwards along steps, from its last state; the state in the frame before them."""
        for each in reversed(steps):
            for number in range(each.bits.shape[1] - 1, -1, -1):
                path[each.frame + number] = self._written(state)
                state -= each.back(number, state)
        return state

    def _written(self, state: int) -> int:
        return int(self._tokens[state // 2]) if state % 2 else self._blank

    def _floor(self) -> Floor:
        """Keeps every state that the best path could go through."""
        if len(self._tokens) <= SHORT:
            return lambda frame, column: -np.inf
        most = self._frames.max(axis=1).cumsum(dtype=np.float64)
        lost = most[-1] - self._least()
        # Sums in another order differ by their rounding.
        lost += len(most) * np.finfo(np.float64).eps * (abs(most[-1]) + abs(lost))
        return lambda frame, column: float(most[frame] - lost)

    def _least(self) -> float:
        """A score that the best path has at least: that of the best one in a narrow band, or minus infinity."""
        for margin in MARGINS:
            column = self._first()
            for first in range(1, len(self._frames), STRETCH):
                column = self._after(column, first, _near_best(margin))
            if column.end == len(self._tokens):
                return float(max(column.tokens[-1], column.blanks[-1]))
        return -np.inf

    def _first(self) -> _Column:
        frame = self._frames[0].astype(np.float64)
        return _Column(0, frame[self._tokens[:1]], np.array([frame[self._blank], -np.inf]))

    def _after(self, column: _Column, first: int, floor: Floor, steps: list[_Steps] | None = None) -> _Column:
        """The column after a stretch of frames that begins with frame `first`; with `steps`, those are added to it."""
        frames = self._frames[first : first + STRETCH]
        column = column.longer(min(column.end + len(frames), len(self._tokens)))
        written, skip = self._tokens[column.first : column.end], self._skip[column.first + 1 : column.end]
        tokens, blanks = column.tokens, column.blanks
        came = None if steps is None else np.zeros((3, len(frames), len(tokens)), np.bool_)
        for number, frame in enumerate(frames):
            best = np.maximum(tokens, blanks[:-1])
            skipping = tokens[:-1] + skip
            if came is not None:
                np.greater(tokens, blanks[1:], out=came[0, number])
                np.greater(blanks[:-1], tokens, out=came[1, number])
                np.greater(skipping, best[1:], out=came[2, number, 1:])
            np.maximum(best[1:], skipping, out=best[1:])
            best += frame[written]
            np.maximum(blanks[1:], tokens, out=blanks[1:])
            blanks += frame[self._blank]
            tokens = best
        if steps is not None and came is not None:
            steps.append(_Steps(first, column.first, np.packbits(came, axis=-1)))
        column = _Column(column.first, tokens, blanks)
        return column.above(floor(first + len(frames) - 1, column))
