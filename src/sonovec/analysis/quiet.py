"""One recording that is near silence for the most part, such as a few words between pauses, told by what is loud.

A recording holds in its pauses nothing but weak noise. A poor encoder, or 16 bits at a low level, make this noise anew, so
that half of the bits agree there, as by chance. The levels of codes say where that is, and what is left is compared.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.likeness import (
    APART,
    BEYOND_CHANCE,
    LEAST_CHANCE,
    LEAST_LOUD,
    Codes,
    array_in,
    chance,
    laid_on,
    shares,
)
from sonovec.analysis.recordings import FEW, Tell, candidates, silent
from sonovec.errors import UsageError

#: A code that lies more dB than this below the loudest of its recording is near silence. Of what is left of 423,000 pairs of
#: real sounds none of two sources shares .70 of its bits; poor copies share .94 and more, and .75 is wanted.
QUIET = 50
#: (n,) dB from the loudest code of a recording down to each.
Levels = NDArray[np.uint8]


def text_of(energies: NDArray[np.float64]) -> str:
    """The levels of codes as text.

    Parameters
    ----------
    energies : array, shape (n, bands)
        Of the frames. A code tells of two frames, and has the level of the louder one.

    Examples
    --------
    >>> levels_of(text_of(np.array([[1.0, 1.0], [0.1, 0.1], [0.001, 0.001], [0.0, 0.0]]))).tolist()
    [0, 10, 30]
    """
    sums = energies.sum(axis=1)
    power = np.maximum(sums[1:], sums[:-1])
    below = 10 * np.log10(np.maximum(power / max(power.max(), 1e-300), 1e-25))
    return base64.b64encode(np.rint(-below).astype(np.uint8).tobytes()).decode()


def levels_of(text: str) -> Levels:
    """The levels of the codes of a fingerprint, (n,).

    Raises
    ------
    UsageError
        If the text is not a value of the column `fingerprint_levels`.

    Examples
    --------
    >>> levels_of("AAUy").tolist()
    [0, 5, 50]
    """
    levels = array_in(text, "u1")
    if not len(levels):
        raise UsageError(
            f"{text[:40]!r} are not levels of a fingerprint; give values of the column 'fingerprint_levels'"
        )
    return levels


def loud_part(codes: Codes, levels: Levels) -> Codes | None:
    """The codes of a recording, with 0 where it is near silence; None where it never is, or is nearly all along.

    Raises
    ------
    UsageError
        If there are not as many levels as codes.

    Examples
    --------
    >>> loud_part(np.arange(1, 41, dtype=np.uint32), np.repeat([0, 60], 20).astype(np.uint8))[18:22].tolist()
    [19, 20, 0, 0]
    """
    if len(levels) != len(codes):
        raise UsageError(f"there are {len(levels)} levels for {len(codes)} codes; give both columns of one track")
    loud = levels <= QUIET
    if loud.all() or loud.sum() < LEAST_LOUD:
        return None
    return np.where(loud, codes, np.uint32(0))


def pairs(parts: Sequence[Codes], tell: Tell = silent) -> Iterator[tuple[int, int]]:
    """Pairs of loud parts that may be of one recording: all of them if they are few, else by a look-up."""
    return combinations(range(len(parts)), 2) if len(parts) <= FEW else candidates(parts, tell)


def begins_at(one: Codes, other: Codes) -> int | None:
    """The code of one recording at which another begins, if they are one where both are loud; None where they are two.

    Parameters
    ----------
    one, other : Codes
        See `loud_part`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> words, pauses = rng.integers(1, 2**32, 30, np.uint32), rng.integers(1, 2**32, (2, 100), np.uint32)
    >>> one, other = (np.concatenate([words, pause]) for pause in pauses)
    >>> levels = np.repeat([0, 60], [30, 100]).astype(np.uint8)
    >>> begins_at(loud_part(one, levels), loud_part(other, levels))
    0
    >>> from sonovec.analysis.likeness import same_recording
    >>> same_recording(one, other)
    False
    """
    one, laid, valid = laid_on(one, [other])
    both = valid & (one != 0) & (laid != 0)
    found = shares(one, laid, both, LEAST_LOUD)[0]
    place = int(found.argmax())
    if found[place] < LEAST_CHANCE + BEYOND_CHANCE:
        return None
    there = both[0, place]
    by_chance = chance(one[there], laid[0, place][there], LEAST_LOUD)
    return APART - place if found[place] >= by_chance + BEYOND_CHANCE else None
