"""Keys: every key is what its name and its code say, and the wheel is a wheel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.music import keys
from sonovec.music.keys import Key

KEYS = st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor"]))


@given(KEYS)
def test_names_and_codes_lead_back(key):
    assert keys.parse(str(key)) == key == keys.parse(key.camelot)


def test_the_wheel_as_published():
    hours = {4: "Ab", 5: "Eb", 6: "Bb", 7: "F", 8: "C", 9: "G", 10: "D", 11: "A", 12: "E", 1: "B", 2: "F#", 3: "Db"}
    assert {hour: str(keys.parse(f"{hour}B")).split()[0] for hour in hours} == hours
    assert str(keys.parse("1A")) == "G# minor"


@given(KEYS, KEYS, KEYS)
def test_distance_is_one(a, b, c):
    assert keys.distance(a, b) == keys.distance(b, a) and (keys.distance(a, b) == 0) == (a == b)
    assert keys.distance(a, c) <= keys.distance(a, b) + keys.distance(b, c)


@given(KEYS, KEYS, st.integers(0, 11))
def test_mirex_does_not_hear_transposition(a, b, steps):
    moved = [Key((key.tonic + steps) % 12, key.mode) for key in (a, b)]
    assert keys.mirex_score(a, b) == keys.mirex_score(*moved)


@pytest.mark.parametrize("text", ["", "H", "13A", "0B", "C dorian", "major", "8C"])
def test_what_is_no_key(text):
    with pytest.raises(UsageError, match="is not a key"):
        keys.parse(text)
