from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import sonovec
from sonovec.learn.shipped import DIGITS
from sonovec.learn.stored import stored


def test_the_built_in_encoder_has_one_whatever_its_hop() -> None:
    encoder = sonovec.load("default")
    found = stored(encoder.passport, encoder.dim)
    assert found.vectors.shape == (256, encoder.dim) and len(found.id) == DIGITS
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-3)
    again = stored(sonovec.load("default", hop=0.5).passport, encoder.dim)
    assert again.id == found.id and np.array_equal(again.vectors, found.vectors)


@pytest.mark.parametrize("change", [{"model": "logmel"}, {"weights": "of a child"}, {"revision": "2"}])
def test_other_vectors_have_none(change: dict[str, str]) -> None:
    passport = replace(sonovec.load("default").passport, **change)  # type: ignore[arg-type]
    found = stored(passport, 512)
    assert (found.vectors.shape, found.id) == ((0, 512), "")
