"""Tempos: distances and ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.music import tempi

TEMPOS = st.floats(tempi.SLOWEST, tempi.FASTEST)


@given(TEMPOS, TEMPOS)
def test_distance(a, b):
    assert tempi.distance(a, b) == pytest.approx(tempi.distance(b, a))
    assert 0 <= tempi.distance(a, b, octaves=True) <= min(0.5, tempi.distance(a, b)) + 1e-12
    assert tempi.distance(a, 2 * a, octaves=True) == pytest.approx(0, abs=1e-12)


def test_ranges():
    assert 120 in tempi.parse_range("118 - 126.5") and 117.9 not in tempi.parse_range("118..126")


@pytest.mark.parametrize("text", ["", "120", "1..120", "120..119", "1.2.3..5", "100..500", "fast"])
def test_what_is_no_range(text):
    with pytest.raises(UsageError, match="give two tempos"):
        tempi.parse_range(text)
