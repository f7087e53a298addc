"""How the network was made by which the begin of bars is told: hear songs at their beats, fit, judge.

    python -m training.downbeats --work work --out src/sonovec/music/downbeats.npz

It needs what `training.tempo` heard of songs in `--work` (give its `--work`), and groove/ and pop909/ below `--data` (or
SONOVEC_DATA), which tell the beats of these songs. Songs whose bars do not have four beats are left out. Cross-validation
over songs and drummers tells how good it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import common, songs
from bench.songs import Score
from sonovec.music.downbeats import FEATURES, FOUR, LEAST_BEATS, at_moments, begins, of
from sonovec.music.onsets import OnsetCurve
from training import tempo

Array = NDArray[np.float64]
#: Units of the hidden layer; networks whose scores are averaged; passes over the lessons; learning rate, decay; dropout of
#: features and of units.
UNITS, NETWORKS, EPOCHS, BATCH = 24, 3, 20, 64
RATE_OF_LEARNING, DECAY, DROPOUTS = 5e-3, 0.5, (0.1, 0.3)
#: Seconds at the end of a curve in which no beat counts, and within which a beat is a downbeat.
END, SAME = 0.05, 1e-3


@dataclass(frozen=True)
class Lesson:
    """What is known of a song for each begin of its bars, (4, `FEATURES`), and which of them is right."""

    name: str
    begins: Array
    right: int


def lessons(data: Path, curves: Path) -> Iterator[Lesson]:
    """All songs that were heard, as they are and changed."""
    rows = songs.groove_rows(data, ["train"])
    for kind, varied, item in tempo.plans(data):
        name = tempo.lesson_name(kind, varied, item)
        paths = [path for mark in "ab" if (path := curves / f"{name}-{mark}.npz").exists()]
        score = tempo.score_of(data, kind, varied, item, rows) if paths else None
        if score is None or score.beats_a_bar != FOUR:
            continue
        for path in paths:
            with np.load(path) as kept:
                curve = OnsetCurve(kept["curves"].astype(np.float32), float(kept["seconds"]), kept["powers"])
            if (lesson := _lesson(path.stem, score, curve)) is not None:
                yield lesson


def _lesson(name: str, score: Score, curve: OnsetCurve) -> Lesson | None:
    """A song by its true beats; None where they do not tell the begin of its bars."""
    times = np.array([beat for beat in score.beats if beat < curve.seconds - END])
    if len(times) < LEAST_BEATS or not score.downbeats:
        return None
    apart = np.abs(times[:FOUR, None] - np.array(score.downbeats)).min(axis=1)
    right = np.flatnonzero(apart < SAME)
    return Lesson(name, begins(at_moments(curve, times)), int(right[0])) if len(right) == 1 else None


@dataclass(frozen=True, eq=False)
class Table:
    """Lessons as arrays: (n, 4, `FEATURES`), (n,), their kinds, weights and folds."""

    begins: Array
    right: NDArray[np.int64]
    kinds: NDArray[np.str_]
    weights: Array
    folds: NDArray[np.int64]

    @classmethod
    def of(cls, heard: list[Lesson]) -> Table:
        """All kinds weigh the same: drums alone, songs, songs with drums."""
        names = np.array([lesson.name for lesson in heard])
        kinds = np.array([name[: name.index("-v") + 3] for name in names])
        _, which, counts = np.unique([kind[:-3] for kind in kinds], return_inverse=True, return_counts=True)
        made = 1 / counts[which]
        right = np.array([lesson.right for lesson in heard])
        return cls(np.stack([each.begins for each in heard]), right, kinds, made / made.sum(), tempo.folds_of(names))


def fit(table: Table, rows: NDArray[np.bool_]) -> dict[str, NDArray[np.float16]]:
    """Weights of `sonovec.music.downbeats.Network`, fitted to some lessons."""
    import torch

    inputs, right = torch.from_numpy(table.begins[rows]).float(), torch.from_numpy(table.right[rows])
    weight = torch.from_numpy(table.weights[rows] / table.weights[rows].mean()).float()
    networks = [_fitted(inputs, right, weight, seed) for seed in range(NETWORKS)]
    hidden = [network[1] for network in networks]
    arrays = {
        "weights": [layer.weight.detach().numpy().T for layer in hidden],
        "offsets": [layer.bias.detach().numpy()[None] for layer in hidden],
        "score": [network[-1].weight.detach().numpy()[0] for network in networks],
    }
    return {name: np.stack(each).astype(np.float16) for name, each in arrays.items()}


def _fitted(inputs: Any, right: Any, weight: Any, seed: int) -> Any:
    """A network that gives a score to each begin; their cross-entropy is what it learns from."""
    import torch
    from torch.nn import Dropout, Linear, Sequential, Tanh
    from torch.nn.functional import cross_entropy

    torch.manual_seed(seed)
    network = Sequential(
        Dropout(DROPOUTS[0]), Linear(FEATURES, UNITS), Tanh(), Dropout(DROPOUTS[1]), Linear(UNITS, 1, bias=False)
    )
    batches = -(-len(right) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE_OF_LEARNING, weight_decay=DECAY)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE_OF_LEARNING, total_steps=EPOCHS * batches)
    rng = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        for some in np.array_split(rng.permutation(len(right)), batches):
            missed = cross_entropy(network(inputs[some]).squeeze(2), right[some], reduction="none")
            loss = (missed * weight[some]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            falling.step()
    return network.eval()


def judge(table: Table) -> None:
    """Print how often the begin of songs that were left out is right, by kind."""
    found = np.zeros(len(table.right), int)
    for fold in np.unique(table.folds):
        out = table.folds == fold
        network = of(fit(table, ~out))
        found[out] = [network.scores(each).argmax() for each in table.begins[out]]
    for kind in np.unique(table.kinds):
        some = table.kinds == kind
        print(f"{kind}: {100 * (found == table.right)[some].mean():.1f} % right of {some.sum()}", flush=True)


def main() -> None:
    """Fit and write."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, help="folder with groove/ and pop909/; default: SONOVEC_DATA")
    made.add_argument("--work", type=Path, required=True, help="the folder of `training.tempo`")
    made.add_argument("--out", type=Path, required=True, help="file for the weights")
    told = made.parse_args()
    table = Table.of(list(lessons(told.data or common.data_folder(), told.work / "curves")))
    judge(table)
    np.savez_compressed(told.out, **fit(table, np.ones(len(table.right), bool)))
    print(f"{told.out}: {told.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
