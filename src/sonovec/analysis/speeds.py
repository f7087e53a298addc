"""One recording at two speeds: fingerprints of finer pitch, which are laid on each other at many speeds.

A recording that runs faster by 5 % lies higher by almost a band of `sonovec.analysis.fingerprint`, and its codes come sooner.
So the beginning of each recording has its bits at every quarter of a band too; the codes of another one are compared with
those that are shifted as its speed would shift them.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.likeness import (
    APART,
    BANDS,
    HIGHEST,
    HOP,
    LEAST,
    LEAST_LOUD,
    LOWEST,
    RATE,
    Codes,
    array_in,
    chance,
    shares,
)
from sonovec.errors import UsageError

#: Only the first twenty seconds are kept so finely.
MOST = round(20 * RATE / HOP)
#: Bits lie at each quarter of a band; so many quarters lower and higher are compared, which is 5.9 %.
QUARTERS = 4
#: Bits of a code, and of a fine code: those of the middle, and a band of them on either side.
BITS = BANDS - 1
FINE_BITS = QUARTERS * (BITS - 1) + 1 + 2 * QUARTERS
BYTES = -(-FINE_BITS // 8)
#: The fastest and slowest that is looked for, and how many speeds, evenly apart in logarithm: 0.55 % from each other.
FASTEST, SPEEDS = 1.0565, 21
#: From so many quarters of a band on a tempo that keeps its pitch is told from a speed.
TELLING = 2
#: One recording has this share of bits in common at its speed, and so many more than at other places. Of 600 pairs of real
#: sounds .73 and .18 is the least, and of 4,000 pairs of different ones .62 and .09 the most.
SAME, BEYOND_CHANCE = 0.69, 0.14

#: (n, 133) bits of a recording, the lowest pitch first.
Fine = NDArray[np.bool_]


@dataclass(frozen=True)
class Sped:
    """How one recording lies on another.

    Attributes
    ----------
    speed : float
        How much faster the other is: 1.03 for 3 %.
    keeps_pitch : bool
        Whether only its tempo differs, as of time-stretching.
    share : float
        Of equal bits.
    offset : float
        Seconds of the other at which the first begins; negative where it begins before.
    """

    speed: float
    keeps_pitch: bool
    share: float
    offset: float


def energies(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energies (n, 137) of bands that begin at each quarter of one, from a band below the lowest on.

    Parameters
    ----------
    powers : array, shape (n, bins)
        Of the frames' spectra.
    """
    ratio = (HIGHEST / LOWEST) ** (1 / BANDS)
    begins = LOWEST * ratio ** (np.arange(-QUARTERS, FINE_BITS) / QUARTERS)
    sums = np.concatenate([np.zeros((len(powers), 1)), np.cumsum(powers, axis=1)], axis=1)
    return _below(sums, begins * ratio) - _below(sums, begins)


def _below(sums: NDArray[np.float64], hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The energy below frequencies, between bins in proportion."""
    places = hertz * 2 * (sums.shape[1] - 2) / RATE
    whole = places.astype(int)
    return np.asarray(sums[:, whole] + (places - whole) * (sums[:, whole + 1] - sums[:, whole]))


def text_of(found: NDArray[np.float64]) -> str:
    """The fine fingerprint of `energies` as text.

    Examples
    --------
    >>> len(text_of(np.random.default_rng(0).random((100, 137))))
    2244
    """
    bits = np.diff(found[:, QUARTERS:] - found[:, :-QUARTERS], axis=0) > 0
    return base64.b64encode(np.packbits(bits, axis=1, bitorder="little").tobytes()).decode()


def fine_of(text: str) -> Fine:
    """The bits of a fine fingerprint, (n, 133).

    Raises
    ------
    UsageError
        If the text is not one.

    Examples
    --------
    >>> fine_of(text_of(np.random.default_rng(0).random((100, 137)))).shape
    (99, 133)
    """
    packed = array_in(text, "u1")
    if not len(packed) or len(packed) % BYTES:
        raise UsageError(f"{text[:40]!r} is not a fine fingerprint; give values of the column 'fingerprint_fine'")
    return np.unpackbits(packed.reshape(-1, BYTES), axis=1, count=FINE_BITS, bitorder="little").astype(bool)


def at_another_speed(one: Codes, other: Fine, *, loud: bool = False) -> Sped | None:
    """How a recording at another speed lies on one; None where they are two recordings.

    Parameters
    ----------
    one : Codes
        See `sonovec.analysis.likeness.codes_of`; the first twenty seconds are looked at.
    other : Fine
        See `fine_of`.
    loud : bool
        Whether one is a loud part (see `sonovec.analysis.quiet.loud_part`), of which the codes that are 0 are left out.

    Returns
    -------
    Sped or None
        The speed with the most equal bits, from 5.5 % slower to 5.5 % faster, at its own pitch or, with the tempo alone
        changed, at that of the first; to about a quarter of a per cent.
    """
    one = one[:MOST]
    places = _places(len(one))
    laid, valid = np.clip(places, 0, len(other) - 1), (places >= 0) & (places < len(other))
    if loud:
        valid = valid & (one != 0)
    least = LEAST_LOUD if loud else LEAST
    by_shift = _by_shift(other)
    best: tuple[float, int, int, int] | None = None
    for row in _nearest_first():
        shift = _shifts()[row]
        for down in (shift, 0) if abs(shift) >= TELLING else (shift,):
            found = shares(one, by_shift[down + QUARTERS][laid[row]], valid[row], least)
            place = int(found.argmax())
            if best is None or found[place] > best[0]:
                best = float(found[place]), row, place, down
    assert best is not None
    share, row, place, down = best
    others = by_shift[down + QUARTERS][laid[row, place]]
    there = valid[row, place]
    if share < SAME or share < chance(one[there], others[there], least) + BEYOND_CHANCE:
        return None
    keeps_pitch = down != _shifts()[row]
    return Sped(float(_speeds()[row]), keeps_pitch, share, (place - APART) * HOP / RATE)


@cache
def _speeds() -> NDArray[np.float64]:
    most = math.log(FASTEST)
    return np.exp(np.linspace(-most, most, SPEEDS))


def _nearest_first() -> list[int]:
    """The rows of speeds, from 1 outwards: of equal ones the least change is believed."""
    return sorted(range(SPEEDS), key=lambda row: abs(row - SPEEDS // 2))


@cache
def _shifts() -> tuple[int, ...]:
    """By how many quarters of a band each speed moves a pitch; a band is 5.92 % wide."""
    band = math.log(HIGHEST / LOWEST) / BANDS
    return tuple(round(QUARTERS * math.log(speed) / band) for speed in _speeds())


@lru_cache(maxsize=16)
def _places(ours: int) -> NDArray[np.int16]:
    """Which code of another falls on each of ours, (speeds, 33 places, n)."""
    middles = (np.arange(ours) + 0.5) / _speeds()[:, None, None] - 0.5
    return np.rint(middles + np.arange(-APART, APART + 1)[:, None]).astype(np.int16)


def _by_shift(fine: Fine) -> NDArray[np.uint32]:
    """The codes (9, n) that lie so many quarters of a band lower to higher."""
    bits = np.stack([fine[:, begin : begin + QUARTERS * BITS : QUARTERS] for begin in range(2 * QUARTERS + 1)])
    return np.asarray(bits @ (np.uint32(1) << np.arange(BITS, dtype=np.uint32)), np.uint32)
