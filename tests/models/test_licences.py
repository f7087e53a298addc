"""Cards name licences as SPDX does, and say whether they allow commercial use."""

from __future__ import annotations

import pytest
from packaging.licenses import canonicalize_license_expression

from sonovec.models import licences, registry
from sonovec.models.licences import UNKNOWN, commercial_use, named


@pytest.mark.parametrize("card", registry.cards(), ids=lambda card: card.name)
def test_each_listed_encoder_has_a_licence_that_spdx_knows(card):
    assert canonicalize_license_expression(card.licence) == card.licence
    assert card.commercial_use is (card.family != "byola")
    assert card.to_json()["commercial_use"] is card.commercial_use


def test_names_are_those_of_spdx():
    for name in licences._COMMERCIAL_USE:
        assert canonicalize_license_expression(name) == name


@pytest.mark.parametrize(
    ("said", "expected", "commercial"),
    [
        ("apache-2.0", "Apache-2.0", True),
        ("mit", "MIT", True),
        ("cc-by-nc-4.0", "CC-BY-NC-4.0", False),
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0", False),
        ("openrail", "LicenseRef-openrail", None),
        ("other", UNKNOWN, None),
        ("", UNKNOWN, None),
    ],
)
def test_what_a_page_says_is_named(said, expected, commercial):
    assert named(said) == expected and commercial_use(expected) is commercial
