"""How good heads are with few examples: python bench/few_shot.py [--sets esc10,donateacry] [--draws N] [--shots 1,5,10].

Every clip is one vector of the built-in encoder. In each draw a head is fitted, as `sonovec train` fits it, to so many clips
of each class from other folds than the one that is tested. Beside it are logistic regressions on the same vectors at length 1
(scikit-learn's, of all classes at once, with C = 1 and with C = 100). ESC-10 has its own folds; those of other sets
are dealt by group. What is printed is the share of its clips that are named rightly, as the mean over classes, with its
standard error over draws. The last row of a set is of all clips of the other folds. It has the calibration error of the head:
over all answers, and of the class named.

ESC-10 is for testing only; docs/few-shot.md says what its figures had to do with the choice of the head. philharmonia and
keywords are sets that settings were chosen by, and donateacry was only looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np

import sonovec
from sonovec.embedding.embedding import Failure
from sonovec.learn import calibration, folds
from sonovec.learn.fit import fit
from sonovec.learn.metric import Metric, metric
from sonovec.learn.stored import stored
from sonovec.vectors import unit

#: Sets of the training audio: how a path names its class, and its group.
NAMED = {
    "donateacry": (r"donateacry/.*-([a-z]{2})\.opus$", r".*_([0-9a-fA-F]{8}-[0-9a-fA-F-]{27})-"),
    "philharmonia": (r"philharmonia/[a-z]+_([a-z-]+)_", r"(.*)"),
    "keywords": (r"picovoice_keywords/audio_([a-z_]+)_", r"(.*)"),
}
SMALLEST_CLASS = 8


@dataclass(frozen=True)
class Set:
    """Sounds of a set: their paths, classes and folds; the groups are what folds are made of."""

    paths: tuple[Path, ...]
    labels: np.ndarray
    groups: tuple[str, ...]
    folds: np.ndarray


def read(name: str, seed: int) -> Set:
    """Give a set by its name."""
    root = common.data_folder()
    if name == "esc10":
        paths = sorted(root.glob("esc10/*/*.ogg"))
        labels = [path.parent.name[6:] for path in paths]
        groups = ["-".join(path.name.split("-")[:2]) for path in paths]
        return Set(tuple(paths), np.array(labels), tuple(groups), np.array([int(path.name[0]) for path in paths]))
    with (root / "train" / "index.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    label, group = NAMED[name]
    named = [(row["path"], found[1]) for row in rows if (found := re.match(label, row["path"]))]
    counts = {each: sum(other == each for _, other in named) for each in {each for _, each in named}}
    named = [(path, each) for path, each in named if counts[each] >= SMALLEST_CLASS]
    labels = np.array([each for _, each in named])
    groups = tuple(found[1] if (found := re.match(group, path)) else path for path, _ in named)
    targets = labels[:, None] == np.unique(labels)
    return Set(tuple(root / "train" / path for path, _ in named), labels, groups, folds.deal(groups, targets, seed))


def drawn(sounds: Set, shots: int, draws: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to train on and rows to test on: of each fold, so many draws of so many clips of each class from the others."""
    for fold in np.unique(sounds.folds):
        test = np.flatnonzero(sounds.folds == fold)
        others = [
            np.flatnonzero((sounds.labels == label) & (sounds.folds != fold)) for label in np.unique(sounds.labels)
        ]
        for draw in range(draws):
            rng = np.random.default_rng([seed, int(fold), draw, shots])
            yield np.concatenate([rng.choice(rows, min(shots, len(rows)), replace=False) for rows in others]), test


def baseline(vectors: np.ndarray, labels: np.ndarray, asked: np.ndarray, strength: float) -> np.ndarray:
    """What a plain logistic regression says."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return np.asarray(LogisticRegression(C=strength, max_iter=5000).fit(vectors, labels).predict(asked))


def measure(
    sounds: Set,
    vectors: np.ndarray,
    background: np.ndarray,
    sees: Metric,
    shots: Sequence[int],
    draws: int,
    seed: int,
) -> list[dict]:
    """A row for each number of shots, and one for all."""
    classes = np.unique(sounds.labels)
    targets = (sounds.labels[:, None] == classes).astype(np.int8)
    told = []
    for shot in [*shots, 0]:
        right: dict[str, list[float]] = {"sonovec": [], "C=1": [], "C=100": []}
        said = np.full(targets.shape, np.nan)
        kinds: dict[str, int] = {}
        for train, test in drawn(sounds, shot or len(vectors), draws if shot else 1, seed):
            fitted = fit(
                vectors[train],
                targets[train],
                [sounds.groups[i] for i in train],
                background=background,
                metric=sees,
                seed=seed,
            )
            said[test] = fitted.head.probabilities(vectors[test])
            kinds[fitted.kind] = kinds.get(fitted.kind, 0) + 1
            answers = {"sonovec": classes[said[test].argmax(axis=1)]}
            for strength in (1, 100):
                answers[f"C={strength}"] = baseline(
                    unit(vectors[train]), sounds.labels[train], unit(vectors[test]), strength
                )
            for name, answer in answers.items():
                shares = [(answer == label)[sounds.labels[test] == label] for label in np.unique(sounds.labels[test])]
                right[name].append(float(np.mean([share.mean() for share in shares])))
        row = {"shots": shot or "all", "draws": len(right["sonovec"]), "kinds": kinds}
        row |= {name: float(np.mean(values)) for name, values in right.items()}
        row |= {f"{name} error": float(np.std(values) / np.sqrt(len(values))) for name, values in right.items()}
        if not shot:
            named = said.argmax(axis=1)
            row["calibration"] = calibration.error(said, targets)
            row["calibration of the class named"] = calibration.error(
                said.max(axis=1), targets[np.arange(len(named)), named]
            )
        told.append(row)
        print(json.dumps(row), flush=True)
    return told


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="esc10,donateacry,philharmonia,keywords")
    parser.add_argument("--shots", default="1,5,10")
    parser.add_argument("--draws", type=common.positive, default=20, help="of each fold")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    encoder = sonovec.load("default")
    background = stored(encoder.passport, encoder.dim).vectors
    for name in asked.sets.split(","):
        sounds = read(name, asked.seed)
        results = list(encoder.embed_many(sounds.paths))
        if failed := [result.reason for result in results if isinstance(result, Failure)]:
            raise SystemExit("\n".join(failed))
        vectors = np.stack([result.vector for result in results])
        shots = [int(shot) for shot in asked.shots.split(",")]
        print(f"\n{name}: {len(vectors)} clips, {len(set(sounds.labels))} classes, {len(set(sounds.groups))} groups")
        table = measure(sounds, vectors, background, metric(encoder.passport), shots, asked.draws, asked.seed)
        print(f"{'shots':>5}  {'sonovec':>13}  {'C=1':>13}  {'C=100':>13}")
        for row in table:
            cells = [f"{row[each]:.4f} ±{row[each + ' error']:.4f}" for each in ("sonovec", "C=1", "C=100")]
            print(f"{row['shots']:>5}  {'  '.join(cells)}")


if __name__ == "__main__":
    main()
