"""The stored background: which recordings it is made of, and that its windows are spread as all are."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec.demo import write as write_demo
from sonovec.learn import shipped
from sonovec.learn.stored import ENDING, stored
from sonovec.vectors import unit32
from training import background


def test_about_half_of_the_groups_are_taken() -> None:
    assert 0.45 < np.mean([background.taken(f"set/sound{n}") for n in range(2000)]) < 0.55


def test_windows_that_are_kept_are_spread_as_all_are() -> None:
    rng = np.random.default_rng(0)
    kinds = unit32(rng.standard_normal((4, 16)))
    vectors = unit32(kinds[rng.choice(4, 600, p=[0.7, 0.1, 0.1, 0.1])] + 0.1 * rng.standard_normal((600, 16)))
    kept = background.spread(vectors, 40, rng)
    assert 30 <= len(kept) <= 40
    assert (kept[:, None] == vectors).all(axis=2).any(axis=1).all(), "each is one of them"
    assert set((kept @ kinds.T).argmax(axis=1)) == {0, 1, 2, 3}


@pytest.mark.slow
def test_the_command_writes_what_training_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_demo(tmp_path / "train", per_kind=3)
    sounds = sorted((tmp_path / "train").rglob("*.flac")) or sorted((tmp_path / "train").rglob("*.wav"))
    paths = [str(path.relative_to(tmp_path / "train")) for path in sounds]
    names = [f"{'abcdefghijklmnopqrstuvwxyz'[place % 26]}{'x' * (place // 26)}" for place in range(len(paths))]
    with (tmp_path / "train" / "index.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "set", "source_name"])
        table.writerows((path, "demo", name) for path, name in zip(paths, names, strict=True))
    out = tmp_path / f"logmel{ENDING}"
    monkeypatch.setattr(background, "SIZE", 12)
    monkeypatch.setattr(sys, "argv", ["background", "--data", str(tmp_path), "--model", "logmel", "--out", str(out)])
    background.main()
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    encoder = sonovec.load("logmel")
    taken = [name for name in names if background.taken(f"demo/{name}")]
    assert 0 < len(taken) < len(names)
    assert 8 <= len(stored(encoder.passport, encoder.dim).vectors) <= 12
