"""8 bits: calibrated on sounds, measured on others, kept, and never mixed with other vectors."""

from __future__ import annotations

import json
import time

import numpy as np
import psutil
import pytest

import sonovec
from sonovec import demo
from sonovec.cli.main import run
from sonovec.embedding.quantization import quantize
from sonovec.errors import PassportError, UsageError
from sonovec.runtime import int8
from tests.models import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.waveform("hubert", tmp_path_factory.mktemp("hubert-int8"))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    return demo.write(tmp_path_factory.mktemp("sounds"), per_kind=2)


@pytest.fixture(scope="module")
def loss(folder, sounds):
    with pytest.raises(UsageError, match=r"not quantised yet; run: sonovec models quantize"):
        _ = sonovec.load(str(folder), precision="int8").passport
    return quantize(sonovec.load(str(folder), window=2), sounds)


def test_the_loss_is_measured_and_kept(folder, loss):
    assert 0.5 < loss.lowest_cosine <= loss.mean_cosine < 1 and loss.mean_cosine > 0.95 and 0 < loss.same_neighbour <= 1
    kept = int8.loss(sonovec.load(str(folder)).model.graph)
    assert kept["precision"] == loss.precision and kept["lowest_cosine"] == loss.lowest_cosine


def test_vectors_are_those_that_were_measured(folder, loss, sounds):
    exact, eight = (sonovec.load(str(folder), window=2, precision=name) for name in ("f32", "int8"))
    assert eight.passport.precision == loss.precision
    vectors = [[encoder.embed(sound).vector for sound in sounds[:6]] for encoder in (exact, eight)]
    a, b = (np.stack(some) / np.linalg.norm(some, axis=1, keepdims=True) for some in vectors)
    assert not np.array_equal(a, b) and (a * b).sum(axis=1).mean() > 0.95
    again = sonovec.load(str(folder), window=2, precision=loss.precision).embed(sounds[0]).vector
    np.testing.assert_array_equal(again, vectors[1][0])


def test_another_calibration_is_another_passport(folder, loss, sounds, tmp_path):
    library = sonovec.Library(tmp_path / "library", model=str(folder), precision="int8")
    library.add(sounds[:3])
    other = quantize(sonovec.load(str(folder), window=2), sounds[::-1][:12])
    assert other.precision != loss.precision
    with pytest.raises((UsageError, PassportError), match="calibrated on other sounds"):
        sonovec.Library(tmp_path / "library").add(sounds[3:6])


@pytest.mark.parametrize("stage", ["reading windows", "calibrating"])
def test_it_is_watched_and_a_cancel_leaves_what_was_there(folder, sounds, loss, stage):
    def tell(progress):
        if progress.stage == stage:
            asked.append(time.monotonic())
            job.cancel()

    asked, job, before = [], sonovec.Job(tell), psutil.Process().children()
    encoder = sonovec.load(str(folder), window=2)
    kept = int8.loss(encoder.model.graph)
    with pytest.raises(sonovec.Cancelled, match=f"cancelled while {stage}: "):
        quantize(encoder, sounds[::-1], progress=job)
    assert time.monotonic() - asked[0] < 2 and psutil.Process().children() == before
    assert int8.loss(encoder.model.graph) == kept is not None


def test_what_nncf_cannot_do_is_an_error(folder, sounds, monkeypatch):
    monkeypatch.setattr(int8, "ROWS", "elsewhere.npz")
    with pytest.raises(sonovec.SonovecError, match="NNCF could not quantise it .*No such file"):
        quantize(sonovec.load(str(folder), window=2), sounds)


def test_what_cannot_be_quantised_is_told(folder, sounds):
    with pytest.raises(UsageError, match="'logmel' has no network, so it cannot be quantised"):
        quantize(sonovec.load("logmel"), sounds)
    with pytest.raises(UsageError, match="1 windows of sound are too few"):
        quantize(sonovec.load(str(folder)), sounds[:1])


def test_the_command(folder, sounds, capsys):
    assert run(["models", "quantize", str(folder), str(sounds[0].parents[1]), "--option", "window=2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["precision"].startswith("int8-")
