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
    states = np.full(2 * len(tokens) + 1, blank)
    states[1::2] = tokens
    return of_path(states[_viterbi(log_posteriors, states)], log_posteriors, blank)


def frames_needed(tokens: Sequence[int]) -> int:
    """How many frames tokens need at least: one each, and a blank between two that are the same.

    Examples
    --------
    >>> frames_needed([5, 5, 7])
    4
    """
    return len(tokens) + sum(one == other for one, other in pairwise(tokens))


def _viterbi(log_posteriors: Floats, states: NDArray[np.intp]) -> NDArray[np.intp]:
    """The most probable path: the state of each frame, shape (frames,)."""
    n_frames = len(log_posteriors)
    block = max(1, math.isqrt(n_frames))
    skips = np.zeros(len(states), bool)  # from the token before, past the blank between
    skips[3::2] = states[3::2] != states[1:-2:2]
    column = np.full(len(states), -np.inf)
    column[:2] = log_posteriors[0, states[:2]]
    kept = [column]
    for first in range(1, n_frames, block):
        for frame in log_posteriors[first : first + block]:
            column = _next(column, frame[states], skips)[0]
        kept.append(column)
    path = np.empty(n_frames, np.intp)
    state = len(states) - 1 - int(column[-2] >= column[-1])
    for place in range(len(kept) - 2, -1, -1):
        first, column, steps = 1 + place * block, kept[place], []
        for frame in log_posteriors[first : first + block]:
            column, step = _next(column, frame[states], skips)
            steps.append(step)
        for offset in range(len(steps) - 1, -1, -1):
            path[first + offset] = state
            state -= int(steps[offset][state])
    path[0] = state
    return path


def _next(
    column: NDArray[np.float64], frame: Floats, skips: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """The next column of the trellis, and how many states each of its cells comes from before it: 0, 1 or 2."""
    best, step = column.copy(), np.zeros(len(column), np.int8)
    for back, allowed in ((1, None), (2, skips[2:])):
        before = column[:-back]
        better = before > best[back:]
        if allowed is not None:
            better &= allowed
        best[back:][better] = before[better]
        step[back:][better] = back
    return best + frame, step
