"""Arrays beside the weights of an encoder."""

from __future__ import annotations

import numpy as np
import pytest

import sonovec
from sonovec.learn import shipped


def test_what_is_written_is_found_by_the_name_of_the_encoder(tmp_path, monkeypatch: pytest.MonkeyPatch):
    passport = sonovec.load("logmel").passport
    numbers = np.random.default_rng(0).standard_normal((7, 5))
    shipped.write(tmp_path / "logmel.some.npz", passport, numbers=numbers)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    found = shipped.read(passport, ".some.npz")
    assert found is not None and found.arrays.keys() == {"numbers"} and len(found.id) == shipped.DIGITS
    np.testing.assert_allclose(found.arrays["numbers"], numbers, atol=1e-2)
    shipped.write(tmp_path / "logmel.some.npz", passport, numbers=-numbers)
    assert shipped.read(passport, ".some.npz").id != found.id
    assert shipped.read(passport, ".other.npz") is None
