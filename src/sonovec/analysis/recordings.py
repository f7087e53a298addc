"""Which of many fingerprints are of one recording, without comparing each with each.

Two of one recording have parts of codes in common, at places that lie no more than `APART` codes from each other. So
places with the same part of a code are looked up together, and what they belong to is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.likeness import APART, Codes, first_same, same_recording

#: So few are compared each with each.
FEW = 64
#: Parts of codes that are looked up: the lowest bit of each, and how many bits it has.
PARTS, BITS = (0, 7, 14), 18
#: Of each fingerprint so many codes are looked up, half a minute, in blocks that are about as long as two may be apart.
FIRST, BLOCK = 234, 2 * APART
#: Each place is paired with so many others that have the same part: copies of one recording are linked through each other.
NEXT = 16
#: Around such a pair these codes are compared first, then those, and this share of their bits must agree.
FIRST_LOOK, SECOND_LOOK, ROUGHLY = (-8, -4, 4, 8), (-11, -6, -2, 2, 6, 11), 0.62

Places = NDArray[np.int64]
#: Is called with the rounds of comparison that are done and with all of them; what it raises ends the call.
Tell = Callable[[int, int], object]


def silent(done: int, rounds: int) -> None:
    """Tell nobody."""


def groups(fingerprints: Sequence[Codes], tell: Tell = silent) -> list[list[int]]:
    """Groups of fingerprints that are of one recording.

    Parameters
    ----------
    fingerprints : sequence of Codes
        See `sonovec.analysis.likeness.codes_of`, in order: each group begins with the first of its fingerprints, which
        all others of it were compared with.
    tell : callable, optional
        Called with the rounds that are done and with all of them, before each; what it raises ends the call.

    Returns
    -------
    list of list of int
        Indices; a fingerprint that is like no other is a group of its own.

    Examples
    --------
    >>> codes = np.random.default_rng(0).integers(1, 2**32, (3, 100), np.uint32)
    >>> groups([codes[0], codes[1], codes[0][4:], codes[2]])
    [[0, 2], [1], [3]]
    """
    found: list[list[int]] = []
    for linked in _linked(fingerprints, tell):
        own: list[list[int]] = []
        for index in linked:
            place = first_same(fingerprints[index], [fingerprints[group[0]] for group in own])
            if place is None:
                own.append([index])
            else:
                own[place].append(index)
        found += own
    return sorted(found)


def _linked(fingerprints: Sequence[Codes], tell: Tell) -> list[list[int]]:
    """Sets of fingerprints of which no two from different ones need to be compared; each in order."""
    if len(fingerprints) <= FEW:
        return [list(range(len(fingerprints)))] if fingerprints else []
    parents = list(range(len(fingerprints)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for one, other in candidates(fingerprints, tell):
        first, second = sorted((root(one), root(other)))
        if first != second and same_recording(fingerprints[one], fingerprints[other]):
            parents[second] = first
    sets: dict[int, list[int]] = {}
    for index in range(len(fingerprints)):
        sets.setdefault(root(index), []).append(index)
    return list(sets.values())


def candidates(fingerprints: Sequence[Codes], tell: Tell) -> Iterator[tuple[int, int]]:
    """Pairs of fingerprints that may be of one recording."""
    laid = laid_out(fingerprints, FIRST, BLOCK)
    for one, other in alike(laid, tell):
        pairs = np.unique(np.stack([laid.owners[one], laid.owners[other]], axis=1), axis=0)
        yield from map(tuple, pairs.tolist())


@dataclass(frozen=True)
class Laid:
    """The codes of many fingerprints with zeros between them; whose each is, in which block of it, and where those begin."""

    codes: Codes
    owners: NDArray[np.int32]
    blocks: NDArray[np.uint32]
    begins: Places


def laid_out(fingerprints: Sequence[Codes], first: int | None = None, block: int | None = None) -> Laid:
    """Lay the first codes of each, or all, behind each other, in blocks of so many, or in one."""
    gap = max(map(abs, (*FIRST_LOOK, *SECOND_LOOK)))
    lengths = np.array([len(codes[:first]) for codes in fingerprints])
    begins = gap + np.cumsum(lengths + gap) - lengths - gap
    codes = np.zeros(gap + int((lengths + gap).sum()), np.uint32)
    owners, blocks = np.zeros(len(codes), np.int32), np.zeros(len(codes), np.uint32)
    for n, (begin, length) in enumerate(zip(begins.tolist(), lengths.tolist(), strict=True)):
        codes[begin : begin + length] = fingerprints[n][:length]
        owners[begin : begin + length] = n
        blocks[begin : begin + length] = 0 if block is None else np.arange(length, dtype=np.uint32) // block
    return Laid(codes, owners, blocks, begins)


def alike(laid: Laid, tell: Tell = silent) -> Iterator[tuple[Places, Places]]:
    """Pairs of places in one block of two fingerprints around which most bits agree, round by round."""
    told = np.flatnonzero(laid.codes)
    for part, low in enumerate(PARTS):
        keys = ((laid.codes[told] >> np.uint32(low)) & np.uint32(2**BITS - 1)) | (laid.blocks[told] << np.uint32(BITS))
        order = np.argsort(keys, kind="stable")
        places, keys = told[order], keys[order]
        for step in range(1, min(NEXT, len(keys) - 1) + 1):
            tell(part * NEXT + step - 1, len(PARTS) * NEXT)
            equal = np.flatnonzero(keys[:-step] == keys[step:])
            one, other = places[equal], places[equal + step]
            apart = laid.owners[one] != laid.owners[other]
            yield _rough(laid.codes, one[apart], other[apart])


def _rough(codes: Codes, one: Places, other: Places) -> tuple[Places, Places]:
    """Those pairs of places around which most bits agree."""
    unequal, compared = np.zeros(len(one), np.int32), np.zeros(len(one), np.int32)
    for look in (FIRST_LOOK, SECOND_LOOK):
        for offset in look:
            a, b = codes[one + offset], codes[other + offset]
            there = (a != 0) & (b != 0)
            unequal += np.bitwise_count(a ^ b) * there
            compared += there
        good = unequal <= (1 - ROUGHLY) * 32 * compared
        one, other, unequal, compared = one[good], other[good], unequal[good], compared[good]
    return one, other
