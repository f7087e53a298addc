"""The music head of the built-in encoder: taught by MusiCNN and EfficientAT mn04, and measured on what was held out.

    python -m training.music_head --data DATA --musicnn musicnn-0.1.0-py3-none-any.whl --work work/music \\
        --out src/sonovec/music/sonovec-1.music.npz

It can be stopped at any time; the same command goes on where it was. See training/README.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sonovec
from sonovec.models.musicnn import MSD, MTT
from sonovec.music.head import MusicHead, Scale, logit, write
from sonovec.music.moods import evidence
from sonovec.paths import atomic
from sonovec.vectors import unit32
from training.music_lessons import AUDIOSET, Lessons, Teachers, heard
from training.music_report import report
from training.pieces import Pieces

TAGS = (*(f"mtt:{tag}" for tag in MTT), *(f"msd:{tag}" for tag in MSD), *(f"audioset:{name}" for name in AUDIOSET))
MUSICNN = len(MTT) + len(MSD)
#: Strengths of the ridge that are tried, and the folds, none of which splits a group, by which one is chosen for all tags.
RIDGES, FOLDS = np.geomspace(0.03, 30, 7), 5
#: Pieces of each kind that the shipped head was made of.
PIECES = {"songs": 176, "beats": 64, "instruments": 176, "others": 176}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lines:
    """Ridge regression: weights (dim, n) and offsets (n,)."""

    weights: Floats
    offsets: Floats

    def __call__(self, vectors: NDArray[np.floating]) -> Floats:
        """What they say of vectors (n, dim)."""
        return np.asarray(vectors @ self.weights + self.offsets, np.float64)


def fit(vectors: NDArray[np.float32], targets: Floats, strength: float) -> Lines:
    """The ridge of some strength, on vectors (n, dim) of length 1 and targets (n, m)."""
    mean, offsets = vectors.mean(axis=0, dtype=np.float64), targets.mean(axis=0)
    centred = vectors - mean
    weights = np.linalg.solve(centred.T @ centred + strength * np.eye(len(mean)), centred.T @ (targets - offsets))
    return Lines(weights, offsets - mean @ weights)


def folds(groups: NDArray[np.str_]) -> Iterator[NDArray[np.bool_]]:
    """Masks of what each fold leaves out."""
    _, numbers = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(0).permutation(numbers.max() + 1)
    for fold in range(FOLDS):
        yield order[numbers] % FOLDS == fold


def left_out(vectors: NDArray[np.float32], targets: Floats, groups: NDArray[np.str_], strength: float) -> Floats:
    """What is said of each piece by the ridge of the folds without it."""
    found = np.empty_like(targets)
    for out in folds(groups):
        found[out] = fit(vectors[~out], targets[~out], strength)(vectors[out])
    return found


def chosen(vectors: NDArray[np.float32], targets: Floats, groups: NDArray[np.str_]) -> tuple[float, Floats]:
    """The strength with the least squared error over the folds, each tag by its variance; and what is said with it."""
    variances = targets.var(axis=0)
    tried = {strength: left_out(vectors, targets, groups, strength) for strength in RIDGES}
    errors = {each: float((((said - targets) ** 2).mean(axis=0) / variances).mean()) for each, said in tried.items()}
    best = min(errors, key=errors.__getitem__)
    return best, tried[best]


def made(lessons: Lessons) -> MusicHead:
    """The head that is fitted on what is not held out: MusiCNN's tags on music, AudioSet's classes on everything."""
    taught = ~lessons.held_out
    music = taught & np.isfinite(lessons.tags[:, 0])
    vectors = unit32(lessons.vectors)
    parts, said = [], []
    for rows, numbers in ((music, lessons.tags), (taught, lessons.audioset)):
        targets = logit(numbers[rows])
        strength, guessed = chosen(vectors[rows], targets, lessons.groups[rows])
        print(f"{int(rows.sum())} pieces, {targets.shape[1]} tags: ridge of {strength:.2g}", flush=True)
        parts.append(fit(vectors[rows], targets, strength))
        said.append(guessed)
    of_music = music[taught]
    by_head = np.concatenate([said[0], said[1][of_music]], axis=1)
    by_musicnn = np.concatenate([logit(lessons.tags[music]), said[1][of_music]], axis=1)
    scales = {}
    for who, logits in (("head", by_head), ("musicnn", by_musicnn)):
        scales[who] = Scale.over(logits)
        scales[f"{who}_moods"] = Scale.over(evidence(scales[who].of(logits), TAGS))
    return MusicHead(
        tags=TAGS,
        weights=np.concatenate([part.weights for part in parts], axis=1).astype(np.float32),
        offsets=np.concatenate([part.offsets for part in parts]).astype(np.float32),
        scales=scales,
        passport=sonovec.load("default").passport,
        id="",
    )


def main() -> None:
    """Let the teachers hear, fit, measure, and write the head and its report."""
    parser = argparse.ArgumentParser(prog="python -m training.music_head", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SONOVEC_DATA", "../shared/data")))
    parser.add_argument("--musicnn", type=Path, help="the wheel with MusiCNN's weights; without it, the cache is asked")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    kinds = {kind: pieces[: PIECES[kind]] for kind, pieces in Pieces(arguments.data).kinds().items()}
    lessons = heard(kinds, lambda: Teachers(arguments.data, arguments.musicnn), arguments.work)
    head = made(lessons)
    with atomic(arguments.out) as temporary:
        write(head, temporary)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1024:.0f} KiB")
    print(report(head, lessons))


if __name__ == "__main__":
    main()
