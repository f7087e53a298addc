"""Parts of recordings within others are found, with their places; nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.analysis.likeness import LEAST
from sonovec.analysis.overlaps import overlaps
from tests.analysis.test_recordings import encoded, fingerprint


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200), st.integers(30, 90), st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_a_part_is_found_where_it_lies(begin, length, other_begin, seed):
    rng = np.random.default_rng(seed)
    whole = fingerprint(rng, 300)
    part = encoded(rng, whole[begin : begin + length])
    other = np.concatenate([fingerprint(rng, other_begin), part, fingerprint(rng, 40)]) if other_begin else part
    (found,) = overlaps([whole, fingerprint(rng, 200), other])
    assert (found.one, found.other) == (0, 2)
    assert found.begin - found.other_begin == pytest.approx(begin - other_begin, abs=1)
    assert found.length == pytest.approx(length, abs=LEAST)


def test_hums_silence_and_what_is_short_have_nothing_in_common():
    hum, silence = np.full(100, 0x0FF0, np.uint32), np.zeros(100, np.uint32)
    short = fingerprint(np.random.default_rng(0), LEAST - 1)
    assert overlaps([hum, hum, silence, silence, short, short]) == [] == overlaps([])


def test_each_round_is_told_and_may_be_the_last():
    codes = [fingerprint(np.random.default_rng(n), 60) for n in range(5)]
    told = []
    overlaps(codes, lambda *rounds: told.append(rounds))
    assert told and told == [(done, len(told)) for done in range(len(told))]
