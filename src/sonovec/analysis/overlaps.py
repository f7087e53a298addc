"""Which of many fingerprints have a stretch of one recording in common, and which seconds of each it is.

Parts of codes that are equal are looked up, as in `sonovec.analysis.recordings`, wherever they lie in the two minutes that a
fingerprint tells; so the time it takes grows with the number of fingerprints, and not with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.likeness import HOP, LEAST, RATE, Codes, chance, shares
from sonovec.analysis.recordings import Tell, alike, laid_out, silent

#: A stretch has this share of bits in common all along, in means of three seconds, and so many more than other places do.
SAME, BEYOND_CHANCE = 0.7, 0.18
#: So many codes are looked at to find where a stretch begins and ends.
EDGE = 4
#: A place is found at this place, and as well at its neighbours.
NEIGHBOURS = (0, -1, 1)


@dataclass(frozen=True)
class Overlap:
    """A stretch that two fingerprints have in common, in codes; see `seconds`.

    Attributes
    ----------
    one, other : int
        Indices of the fingerprints.
    begin, other_begin : int
        The first code of the stretch in each.
    length : int
        Codes.
    """

    one: int
    other: int
    begin: int
    other_begin: int
    length: int


def seconds(codes: int) -> float:
    """How long so many codes are.

    Examples
    --------
    >>> seconds(125)
    16.0
    """
    return codes * HOP / RATE


def overlaps(fingerprints: Sequence[Codes], tell: Tell = silent) -> list[Overlap]:
    """The longest stretch that each two fingerprints have in common, for those that have one of three seconds or more.

    Parameters
    ----------
    fingerprints : sequence of Codes
        See `sonovec.analysis.likeness.codes_of`.
    tell : callable, optional
        As of `sonovec.analysis.recordings.groups`.

    Examples
    --------
    >>> codes = np.random.default_rng(0).integers(1, 2**32, (2, 200), np.uint32)
    >>> overlaps([codes[0], codes[0][100:160], codes[1]])
    [Overlap(one=0, other=1, begin=100, other_begin=0, length=60)]
    """
    if not fingerprints:
        return []
    laid = laid_out(fingerprints)
    seen: set[tuple[int, int, int]] = set()
    found: dict[tuple[int, int], Overlap] = {}
    for places, others in alike(laid, tell):
        one, other = laid.owners[places], laid.owners[others]
        lags = (places - laid.begins[one]) - (others - laid.begins[other])
        swap = one > other
        rows = np.stack([np.where(swap, other, one), np.where(swap, one, other), np.where(swap, -lags, lags)], axis=1)
        for a, b, lag in map(tuple, np.unique(rows, axis=0).tolist()):
            if (a, b, lag) in seen:
                continue
            seen |= {(a, b, lag + near) for near in NEIGHBOURS}
            stretch = max((_stretch(fingerprints[a], fingerprints[b], lag + near) for near in NEIGHBOURS), key=_length)
            if stretch is None:
                continue
            before, overlap = found.get((a, b)), Overlap(a, b, *stretch)
            if before is None or overlap.length > before.length:
                found[a, b] = overlap
    return [found[pair] for pair in sorted(found)]


def _length(stretch: tuple[int, int, int] | None) -> int:
    return 0 if stretch is None else stretch[2]


def _stretch(a: Codes, b: Codes, lag: int) -> tuple[int, int, int] | None:
    """The longest stretch in which two fingerprints agree, where the second begins at a code of the first."""
    begin, other = max(lag, 0), max(-lag, 0)
    length = min(len(a) - begin, len(b) - other)
    if length < LEAST:
        return None
    a, b = a[begin : begin + length], b[other : other + length]
    first, behind = _trimmed(a, b, *_longest(_agree(a, b) >= SAME))
    if behind - first < LEAST:
        return None
    one, two = a[first:behind], b[first:behind]
    share = float(shares(one, two, np.ones(len(one), bool)))
    if share < max(SAME, chance(one, two) + BEYOND_CHANCE):
        return None
    return begin + first, other + first, behind - first


def _trimmed(a: Codes, b: Codes, first: int, behind: int) -> tuple[int, int]:
    """The same stretch without the codes at its ends that lie in a window with it, and do not agree."""
    unequal = np.bitwise_count(a ^ b).astype(np.int32)
    most = round((1 - SAME) * 32 * EDGE)
    while behind - first >= LEAST and unequal[first : first + EDGE].sum() > most:
        first += 1
    while behind - first >= LEAST and unequal[behind - EDGE : behind].sum() > most:
        behind -= 1
    return first, behind


def _agree(a: Codes, b: Codes) -> NDArray[np.float64]:
    """The highest share of equal bits of the three seconds that each code is part of; 0 where nothing is known."""
    known = (a | b) != 0
    equal = np.where(known, 32 - np.bitwise_count(a ^ b).astype(np.int32), 0)
    counts = _sums(known.astype(np.int32))
    means = np.where(counts >= LEAST // 2, _sums(equal) / np.maximum(32 * counts, 1), 0.0)
    padded = np.pad(means, LEAST - 1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, LEAST).max(axis=1))


def _sums(values: NDArray[np.int32]) -> NDArray[np.int64]:
    summed = np.concatenate([[0], np.cumsum(values)])
    return np.asarray(summed[LEAST:] - summed[:-LEAST], np.int64)


def _longest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The first place of the longest run, and the one behind it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    if not len(begins):
        return 0, 0
    longest = int((ends - begins).argmax())
    return int(begins[longest]), int(ends[longest])
