from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from sonovec.embedding.passport import Passport
from sonovec.errors import PassportError

PASSPORT = Passport(
    "vggish", "1", {"pca": False}, "abc", "mel-1", "soxr-1", "mean-1", 16000, 15600, 15360, "pad", "f32"
)

#: What sonovec 0.1.0 gave it.
FINGERPRINT = "928e4fb7c6466e5c"


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
        ("vad", "silero-6"),
        ("trim", "-40dB"),
        ("denoise", "noisereduce-3"),
    ],
)
def test_every_field_changes_the_fingerprint_and_is_named(field, value):
    other = replace(PASSPORT, **{field: value})
    assert other.fingerprint != PASSPORT.fingerprint
    assert [name for name, _, _ in PASSPORT.differences(other)] == [field]


@dataclass(frozen=True)
class Later(Passport):
    """A passport as a later version may have it."""

    normalised: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)


def test_a_field_that_is_added_later_changes_nothing_of_what_is_there():
    later = Later(**PASSPORT.to_json())
    assert later.to_json() == PASSPORT.to_json() and later.fingerprint == PASSPORT.fingerprint
    assert Later.from_json(PASSPORT.to_json()) == later
    other = replace(later, normalised=True)
    assert other.fingerprint != later.fingerprint and Later.from_json(other.to_json()) == other
    assert later.differences(other) == [("normalised", False, True)]
    with pytest.raises(PassportError, match=r"\(fields that differ: normalised\)"):
        Passport.from_json(other.to_json())


def test_the_fingerprint_is_that_of_former_versions():
    assert PASSPORT.fingerprint == FINGERPRINT


@pytest.mark.parametrize("name", ["precision", "hop", "weights"])
def test_what_differs_in_precision_alone_is_comparable(name):
    other = replace(PASSPORT, **{name: {"precision": "bf16", "hop": 1, "weights": "x"}[name]})
    assert PASSPORT.is_comparable(PASSPORT) and PASSPORT.is_comparable(other) is (name == "precision")


def test_whole_numbers_are_comparable_with_their_like_alone():
    whole = replace(PASSPORT, precision="int8-2f8d48ec")
    assert whole.is_comparable(whole)
    assert not whole.is_comparable(PASSPORT) and not PASSPORT.is_comparable(whole)
    assert not whole.is_comparable(replace(whole, precision="int8-00000000"))


def test_a_passport_of_another_version_is_refused_by_name():
    values = PASSPORT.to_json()
    values["colour"] = values.pop("tail")
    with pytest.raises(PassportError, match=r"colour, tail\); index again"):
        Passport.from_json(values)
