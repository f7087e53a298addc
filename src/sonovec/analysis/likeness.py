"""How alike two fingerprints are, and whether they are of one recording; see `sonovec.analysis.fingerprint`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError

#: The codes of a fingerprint, (n,): 32 bits each, 7.8 a second.
Codes = NDArray[np.uint32]

#: Samples a second that are heard, and samples from one code to the next.
RATE, HOP = 8000, 1024
#: Bands of equal width on a logarithmic scale, in Hz; one more than a code has bits.
BANDS, LOWEST, HIGHEST = 33, 300.0, 2000.0
#: A recording that is shorter than three seconds has no fingerprint, and nor is less compared.
LEAST = round(3 * RATE / HOP)
#: Where near silence is left out a second and a half is enough: see `sonovec.analysis.quiet`.
LEAST_LOUD = round(1.5 * RATE / HOP)
#: Two recordings may begin so many codes apart: two seconds.
APART = 16
#: From this share of equal bits on two fingerprints are of one recording; unlike ones share about half.
SAME = 0.7
#: `same_recording` wants so many more equal bits than there are by chance, which it finds by so many turns.
LEAST_CHANCE, BEYOND_CHANCE, TURNS = 0.5, 0.25, 15
#: Half a minute of codes is looked at first, of which this share of the bits must agree.
BEGINNING, ROUGHLY = 234, 0.65


def likeness(one: str, other: str) -> float:
    """How alike two fingerprints are: the share of equal bits, where they agree best.

    Parameters
    ----------
    one, other : str
        Values of the column `fingerprint`.

    Returns
    -------
    float
        1 for the same samples, about 0.5 for recordings that have nothing in common; from `SAME` (0.7) on most are one
        recording, which `same_recording` tells from tones that are alike. Beginnings that lie up to two seconds apart are
        found. 0 where less than three seconds can be compared, which stretches of silence, or of one tone, cannot be.

    Raises
    ------
    UsageError
        If a text is not a fingerprint.

    Examples
    --------
    >>> from sonovec.analysis.fingerprint import Fingerprint
    >>> def heard(samples):
    ...     analyser = Fingerprint()
    ...     analyser.begin(8000, 1)
    ...     analyser.push(samples.astype(np.float32))
    ...     return analyser.finish().columns["fingerprint"]
    >>> noise = np.random.default_rng(0).standard_normal((2, 80_000))
    >>> likeness(heard(noise[0]), heard(0.1 * noise[0]))
    1.0
    >>> likeness(heard(noise[0]), heard(noise[1])) < SAME
    True
    """
    return float(_agreements(codes_of(one), [codes_of(other)]).max())


def same_recording(one: Codes, other: Codes) -> bool:
    """Whether two fingerprints are of one recording, more strictly than by `likeness` alone.

    Of sustained tones many bits agree wherever they are laid on each other: those of two notes of one piano, say. What
    agrees by such chance is measured by turning one fingerprint round, and a quarter of all bits more must agree.

    Parameters
    ----------
    one, other : Codes
        See `codes_of`.

    Examples
    --------
    >>> codes = np.random.default_rng(0).integers(1, 2**32, (2, 100), np.uint32)
    >>> same_recording(codes[0], codes[0][5:]), same_recording(codes[0], codes[1])
    (True, False)
    >>> hum = np.full(100, 0x0FF0, np.uint32)
    >>> same_recording(hum, hum)
    False
    """
    return first_same(one, [other]) is not None


def first_same(one: Codes, others: Sequence[Codes]) -> int | None:
    """The place of the first of some fingerprints that is of one recording with another; None if none is."""
    likely = _likely(one, others)
    if not likely:
        return None
    best = _agreements(one, [others[place] for place in likely]).max(axis=1).tolist()
    for place, share in zip(likely, best, strict=True):
        if share >= LEAST_CHANCE + BEYOND_CHANCE and share >= chance(one, others[place]) + BEYOND_CHANCE:
            return place
    return None


def _likely(one: Codes, others: Sequence[Codes]) -> list[int]:
    """The places of those that may be alike by their beginnings, which are compared faster; silence may be alike."""
    if not others:
        return []
    best = _agreements(one[:BEGINNING], [codes[:BEGINNING] for codes in others]).max(axis=1)
    return [int(place) for place in np.flatnonzero((best == 0) | (best >= ROUGHLY))]


def array_in(text: str, dtype: str) -> NDArray[Any]:
    """The numbers that a text in base64 holds, (n,); none where it is no such text.

    Examples
    --------
    >>> array_in("AAUy", "u1").tolist(), array_in("AAUy", "<u4").tolist(), array_in("no text", "u1").tolist()
    ([0, 5, 50], [], [])
    """
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype)
    except (binascii.Error, ValueError):
        return np.empty(0, dtype)


def codes_of(text: str) -> Codes:
    """The codes of a fingerprint, (n,).

    Raises
    ------
    UsageError
        If the text is not a fingerprint.
    """
    codes = array_in(text, "<u4")
    if not len(codes):
        raise UsageError(f"{text[:40]!r} is not a fingerprint; give values of the column 'fingerprint'")
    return codes


def _agreements(one: Codes, others: Sequence[Codes]) -> NDArray[np.float64]:
    """The share of equal bits for each way to lay each of k others on one, (k, 33); 0 where too little is compared."""
    return shares(*laid_on(one, others))


def laid_on(one: Codes, others: Sequence[Codes]) -> tuple[Codes, NDArray[np.uint32], NDArray[np.bool_]]:
    """Each of k others on one at each place: the codes of one, (n,), those on them and which are there, (k, 33, n) both.

    Codes of one that none of the others reaches are left out. At place 0 the others begin `APART` codes after one.

    Examples
    --------
    >>> codes = np.arange(1, 31, dtype=np.uint32)
    >>> one, laid, valid = laid_on(codes, [codes[2:]])
    >>> int(shares(one, laid, valid).argmax()) - APART
    -2
    """
    one = one[: max(map(len, others)) + APART]
    wide = np.zeros((len(others), len(one) + 2 * APART), np.uint32)
    there = np.zeros(wide.shape, bool)
    for row, codes in enumerate(others):
        count = min(len(codes), len(one) + APART)
        wide[row, APART : APART + count], there[row, APART : APART + count] = codes[:count], True
    laid, valid = (np.lib.stride_tricks.sliding_window_view(each, len(one), axis=1) for each in (wide, there))
    return one, laid, valid


def chance(a: Codes, b: Codes, least: int = LEAST) -> float:
    """The share of bits that are equal wherever one fingerprint begins: half of them, and more of sustained tones.

    Half where fewer codes than `least` can be compared.

    Examples
    --------
    >>> chance(np.full(100, 7, np.uint32), np.full(100, 7, np.uint32))
    1.0
    """
    count = min(len(a), len(b))
    turns = np.linspace(0, count, TURNS + 2).astype(int)[1:-1]
    turned = b[(np.arange(count) + turns[:, None]) % count]
    return max(LEAST_CHANCE, float(np.median(shares(a[:count], turned, np.ones(turned.shape, bool), least))))


def shares(
    codes: Codes, others: NDArray[np.uint32], valid: NDArray[np.bool_], least: int = LEAST
) -> NDArray[np.float64]:
    """The share of equal bits of codes (n,) with each row of others (..., n), where those are valid.

    A code without a bit is silence, or a tone that never changes; where both have none nothing is known. 0 where fewer
    codes than `least` can be compared: less than three seconds.

    Examples
    --------
    >>> codes = np.arange(1, 101, dtype=np.uint32)
    >>> shares(codes, np.stack([codes, ~codes]), np.ones((2, 100), bool)).tolist()
    [1.0, 0.0]
    """
    telling = valid & ((codes | others) != 0)
    counts = telling.sum(axis=-1, dtype=np.int32)
    unequal = (np.bitwise_count(codes ^ others) * telling).sum(axis=-1, dtype=np.int32)
    return np.where(counts < least, 0.0, 1 - unequal / (32 * np.maximum(counts, 1)))
