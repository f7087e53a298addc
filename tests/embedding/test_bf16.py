"""bf16 is used with the weights that it suits: it is measured once, and remembered."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import sonovec
from sonovec.embedding import bf16
from sonovec.errors import UsageError
from sonovec.runtime import openvino_runtime
from sonovec.runtime.openvino_core import cpu_has_bf16

has_bf16 = pytest.mark.skipif(not cpu_has_bf16(), reason="this processor has no bf16")
SOUND = (np.random.default_rng(0).standard_normal(32_000).astype(np.float32) / 10, 32_000)


@pytest.fixture
def encoder(monkeypatch, tmp_path):
    """The built-in network, whose real weights lose more in bf16 than a card may promise, by a card that promises it."""
    monkeypatch.setenv("SONOVEC_CACHE", str(tmp_path))

    def made(promised: float | None, **settings: object) -> sonovec.Encoder:
        found = sonovec.load("default", **settings)
        model = found.model
        card, graph = replace(model.card, bf16_cosine=promised), replace(model.graph, bf16=promised is not None)
        return type(found)(replace(model, card=card, graph=graph), found.settings)

    return made


@has_bf16
def test_weights_that_bf16_does_not_suit_are_run_in_float32(encoder, tmp_path):
    vectors = encoder(None).embed(SOUND).windows
    strict = encoder(0.9999)
    assert strict.passport.precision == "f32" and np.array_equal(strict.embed(SOUND).windows, vectors)
    (kept,) = (tmp_path / "bf16").iterdir()
    assert 0.9 < json.loads(kept.read_text())["lowest_cosine"] < 0.9999
    lax = encoder(0.9)
    assert lax.passport.precision == "bf16" and not np.array_equal(lax.embed(SOUND).windows, vectors)


@has_bf16
def test_bf16_that_is_asked_for_is_refused_with_what_was_measured(encoder, monkeypatch):
    asked = encoder(0.9999)
    asked = type(asked)(asked.model, replace(asked.settings, precision="bf16"))
    with pytest.raises(
        UsageError, match=r"precision='bf16': .* keep a cosine of 0\.9.*, and 0.9999 is promised; .*'f32'"
    ):
        _ = asked.passport


@has_bf16
def test_it_is_measured_once(encoder, monkeypatch, tmp_path):
    calls = []
    measured = bf16._measured
    monkeypatch.setattr(bf16, "_measured", lambda *given: calls.append(given) or measured(*given))
    for _ in range(2):
        _ = encoder(0.9999).passport
    assert len(calls) == 1
    (kept,) = (tmp_path / "bf16").iterdir()
    kept.write_text("{")
    _ = encoder(0.9999).passport
    assert len(calls) == 2 and json.loads(kept.read_text()), "a damaged file is made anew"


def test_without_bf16_nothing_is_measured(encoder, monkeypatch):
    monkeypatch.setattr(openvino_runtime, "cpu_has_bf16", lambda: False)
    monkeypatch.setattr(bf16, "_measured", lambda *given: pytest.fail("measured"))
    assert encoder(0.9999).passport.precision == "f32"
