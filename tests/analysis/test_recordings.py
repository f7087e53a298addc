"""Which of many fingerprints are of one recording: few are compared each with each, many are looked up."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.analysis import recordings
from sonovec.analysis.likeness import LEAST, same_recording
from sonovec.analysis.recordings import FEW, groups

BITS = np.uint32(1) << np.arange(32, dtype=np.uint32)


def packed(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) @ BITS).astype(np.uint32)


def fingerprint(rng, length):
    """Bits that change from code to code about as often as those of sounds do."""
    return packed((np.cumsum(rng.random((length, 32)) < 0.28, axis=0) + rng.integers(0, 2, 32)) % 2)


def encoded(rng, codes, share=0.13, cut=0):
    """The same recording in another encoding, and with its first codes cut off."""
    return codes[cut:] ^ packed(rng.random((len(codes) - cut, 32)) < share)


def library(rng, n, copies, lengths=(40, 300)):
    """n recordings, of which each of the first few is there so many times more; and which are of one recording."""
    recordings = [fingerprint(rng, rng.integers(*lengths)) for _ in range(n)]
    codes, owners = list(recordings), list(range(n))
    for recording, count in enumerate(copies):
        for _ in range(count):
            codes.append(encoded(rng, recordings[recording], cut=int(rng.integers(0, 12))))
            owners.append(recording)
    order = rng.permutation(len(codes))
    return [codes[n] for n in order], [owners[n] for n in order]


def expected(owners):
    found = {}
    for n, owner in enumerate(owners):
        found.setdefault(owner, []).append(n)
    return sorted(found.values())


@pytest.mark.parametrize("n", [FEW // 2, 500])
def test_copies_are_found_among_few_and_among_many(n):
    codes, owners = library(np.random.default_rng(n), n, [1, 1, 2, 5, 1])
    assert groups(codes) == expected(owners)


def test_of_many_copies_of_one_recording_none_is_lost():
    codes, owners = library(np.random.default_rng(1), 20, [300, 0, 40])
    assert groups(codes) == expected(owners)


def test_each_round_is_told_and_may_be_the_last():
    codes, _ = library(np.random.default_rng(2), 100, [1])
    told = []
    groups(codes, lambda *rounds: told.append(rounds))
    assert told == [(done, len(told)) for done in range(len(told))] and len(told) > 10

    def stop(done, rounds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        groups(codes, stop)


@pytest.mark.slow
def test_humming_is_no_recording_of_its_own():
    """Codes that stay the same fill one place of the look-up, and say nothing."""
    hums = [np.full(100, code, np.uint32) for code in np.random.default_rng(0).integers(0, 2**32, 150)] * 2
    assert groups(hums) == [[n] for n in range(300)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(LEAST, 80), st.integers(0, 3)), max_size=100), st.integers(0, 2**32 - 1))
def test_each_fingerprint_is_in_one_group(lengths, seed):
    rng = np.random.default_rng(seed)
    codes = [
        fingerprint(np.random.default_rng(kind), length) if kind else fingerprint(rng, length)
        for length, kind in lengths
    ]
    found = groups(codes)
    assert sorted(n for group in found for n in group) == list(range(len(codes)))
    assert all(group == sorted(group) for group in found)


@pytest.mark.slow
def test_what_is_compared_whole_does_not_grow_as_the_square(monkeypatch):
    compared = Counter()
    for n in (1500, 6000):
        codes, owners = library(np.random.default_rng(n), n, [1] * 50)

        def counted(one, other, n=n):
            compared[n] += 1
            return same_recording(one, other)

        monkeypatch.setattr(recordings, "same_recording", counted)
        found = groups(codes)
        assert [group for group in found if len(group) > 1] == [group for group in expected(owners) if len(group) > 1]
    assert compared[1500] >= 50 and compared[6000] < 8 * compared[1500], compared
