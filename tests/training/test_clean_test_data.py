"""No clip of the test set is in the training set: by fingerprint, over every recording of both."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soxr

from sonovec.audio.stream import load
from training.fingerprint import RATE, Index


def samples(path: Path) -> np.ndarray:
    return load(path, RATE).samples


@pytest.fixture(scope="module")
def test_clips(shared_data: Path) -> Index:
    clips = sorted((shared_data / "esc10").rglob("*.ogg"))
    assert len(clips) == 400
    with ThreadPoolExecutor() as pool:
        return Index(dict(zip(map(str, clips), pool.map(samples, clips), strict=True)))


@pytest.mark.slow
def test_a_cut_of_a_clip_in_another_format_is_found(test_clips: Index) -> None:
    """Part of a clip, quieter, resampled, with noise at 25 dB: what the check below would have to find."""
    rng = np.random.default_rng(0)
    found = 0
    names = test_clips.names[::20]
    for name in names:
        cut = load(name, 22050, 0.7, 4.2).samples * 0.3
        noisy = cut + rng.standard_normal(len(cut)).astype(np.float32) * np.float32(0.056 * cut.std())
        found += name in {match.known for match in test_clips.find(soxr.resample(noisy, 22050, RATE))}
    # A clip may be silent but for a moment that was cut off.
    assert found >= 0.75 * len(names), f"{found} of {len(names)}"


@pytest.mark.slow
def test_no_test_clip_is_in_the_training_set(test_clips: Index, shared_data: Path) -> None:
    folder = shared_data / "train"
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        paths = [folder / row["path"] for row in csv.DictReader(file)]
    with ThreadPoolExecutor() as pool:
        matches = pool.map(lambda path: (path, test_clips.find(samples(path))), paths)
        found = [f"{match.known} in {path}: {match}" for path, heard in matches for match in heard]
    assert not found, "\n".join(found)
