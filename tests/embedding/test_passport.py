from __future__ import annotations

from dataclasses import replace

import pytest

from sonovec.embedding.passport import Passport
from sonovec.errors import PassportError

PASSPORT = Passport(
    "vggish", "1", {"pca": False}, "abc", "mel-1", "soxr-1", "mean-1", 16000, 15600, 15360, "pad", "f32"
)


def test_json_round_trip_is_exact():
    assert Passport.from_json(PASSPORT.to_json()) == PASSPORT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "other"),
        ("revision", "2"),
        ("options", {"pca": True}),
        ("weights", "abd"),
        ("front_end", "mel-2"),
        ("resampler", "soxr-2"),
        ("pooling", "mean-2"),
        ("rate", 8000),
        ("window", 1),
        ("hop", 1),
        ("tail", "drop"),
        ("precision", "bf16"),
    ],
)
def test_every_field_changes_the_fingerprint_and_is_named(field, value):
    other = replace(PASSPORT, **{field: value})
    assert other.fingerprint != PASSPORT.fingerprint
    assert [name for name, _, _ in PASSPORT.differences(other)] == [field]


def test_a_passport_of_another_version_is_refused_by_name():
    values = PASSPORT.to_json()
    values["colour"] = values.pop("tail")
    with pytest.raises(PassportError, match=r"colour, tail\); index again"):
        Passport.from_json(values)
