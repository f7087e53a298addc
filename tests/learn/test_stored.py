from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec.learn import stored as module
from sonovec.learn.stored import stored, write
from sonovec.vectors import unit32


def test_the_built_in_encoder_has_one_whatever_its_hop() -> None:
    encoder = sonovec.load("default")
    found = stored(encoder.passport, encoder.dim)
    assert found.vectors.shape == (256, encoder.dim) and len(found.id) == module.DIGITS
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-3)
    again = stored(sonovec.load("default", hop=0.5).passport, encoder.dim)
    assert again.id == found.id and np.array_equal(again.vectors, found.vectors)


@pytest.mark.parametrize("change", [{"model": "logmel"}, {"weights": "of a child"}, {"revision": "2"}])
def test_other_vectors_have_none(change: dict[str, str]) -> None:
    passport = replace(sonovec.load("default").passport, **change)  # type: ignore[arg-type]
    found = stored(passport, 512)
    assert (found.vectors.shape, found.id) == ((0, 512), "")


def test_what_is_written_is_found_by_the_name_of_the_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passport = sonovec.load("logmel").passport
    vectors = unit32(np.random.default_rng(0).standard_normal((7, 5)))
    write(tmp_path / f"logmel{module.ENDING}", vectors, passport)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    found = stored(passport, 5)
    np.testing.assert_allclose(found.vectors, vectors, atol=1e-3)
    write(tmp_path / f"logmel{module.ENDING}", -vectors, passport)
    assert stored(passport, 5).id != found.id
