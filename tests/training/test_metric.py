"""The metric: what differs between recordings of one sound counts less, and what tells sounds apart does not."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec.demo import write as write_demo
from sonovec.learn import shipped
from sonovec.learn.metric import ENDING
from sonovec.learn.metric import metric as metric_of
from training import metric


def test_the_directions_of_recordings_are_found() -> None:
    rng = np.random.default_rng(0)
    sounds = np.repeat([f"sound {n}" for n in range(40)], 5)
    apart = np.zeros((200, 12))
    apart[:, 3] = rng.normal(0, 1, 200)
    vectors = np.repeat(rng.standard_normal((40, 12)), 5, axis=0) + apart + rng.normal(0, 0.1, (200, 12))
    along, factors = metric.directions(metric.within(vectors, sounds), 4)
    assert along.shape == (4, 12) and abs(along[0, 3]) > 0.99
    assert factors[0] < 0.5 < 0.9 < factors[1] <= factors[-1] <= 1


def test_sounds_that_were_recorded_once_say_nothing() -> None:
    vectors = np.random.default_rng(0).standard_normal((12, 5))
    names = np.array([*"aabbc", *"defghij"])
    several = metric.within(vectors, names)
    np.testing.assert_allclose(several, metric.within(vectors[:4], names[:4]))


@pytest.mark.slow
def test_the_command_writes_what_training_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_demo(tmp_path / "train", per_kind=3)
    paths = [path.relative_to(tmp_path / "train") for path in sorted((tmp_path / "train").rglob("*.flac"))]
    with (tmp_path / "train" / "index.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "set", "source_name"])
        table.writerows((str(path), "demo", path.name) for path in paths)
        table.writerow(("missing.flac", "kathleen", "speech.flac"))  # a set of speech is not read
    monkeypatch.setattr(
        sys,
        "argv",
        ["metric", "--data", str(tmp_path), "--model", "logmel", "--out", str(tmp_path / f"logmel{ENDING}")],
    )
    metric.main()
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    found = metric_of(sonovec.load("logmel").passport)
    assert found.directions.shape == (metric.SIZE, 192) and found.id and found.factors[0] < 0.5
