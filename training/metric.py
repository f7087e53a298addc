"""The metric of an encoder: the directions in which its vectors differ between recordings of one sound.

    python -m training.metric --data DATA --out src/sonovec/models/sonovec-1.metric.npz

Sounds are told by the names of files: takes and variants of one name are one sound (`training.corpus.group`). Sets of speech,
whose names tell nothing of the kind, are left out.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sonovec
from sonovec.embedding.embedding import Embedding
from sonovec.learn.metric import ENDING
from sonovec.learn.shipped import write
from sonovec.vectors import unit
from training.corpus import group

#: Sets whose names do not tell kinds of sound.
SPEECH = frozenset({"kathleen", "picovoice_intent", "picovoice_keywords", "precise", "donateacry"})
#: Directions that are kept; how much of the whitening is done (1 is all); what is added to all variances, of their mean.
SIZE, POWER, SHRINKAGE = 128, 0.75, 1.0


def within(vectors: NDArray[np.floating], sounds: NDArray[np.str_]) -> NDArray[np.float64]:
    """The covariance (dim, dim) within sounds that have several recordings; each of these sounds counts the same."""
    names, codes, counts = np.unique(sounds, return_inverse=True, return_counts=True)
    means = np.zeros((len(names), vectors.shape[1]))
    np.add.at(means, codes, vectors)
    several = counts[codes] > 1
    apart = (vectors - (means / counts[:, None])[codes])[several]
    weights = 1 / (counts[codes][several] - 1) / (counts > 1).sum()
    return np.asarray((apart * weights[:, None]).T @ apart)


def directions(covariance: NDArray[np.float64], size: int = SIZE) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The directions (size, dim) with the most variance, and by what they count, where the next one counts 1."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    counts = (values + SHRINKAGE * values.mean()) ** (-POWER / 2)
    return vectors[:, :size].T, counts[:size] / counts[size]


def main() -> None:
    """Embed the recordings, and write the metric."""
    parser = argparse.ArgumentParser(prog="python -m training.metric", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SONOVEC_DATA", "../shared/data")))
    parser.add_argument("--model", default="default")
    parser.add_argument("--out", type=Path, required=True, help=f"a file that ends in {ENDING}")
    arguments = parser.parse_args()
    with (arguments.data / "train" / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] not in SPEECH]
    encoder = sonovec.load(arguments.model)
    heard = encoder.embed_many([arguments.data / "train" / row["path"] for row in rows])
    found = [(each.vector, group(row)) for each, row in zip(heard, rows, strict=True) if isinstance(each, Embedding)]
    vectors = np.array([vector for vector, _ in found])
    along, factors = directions(within(unit(vectors), np.array([name for _, name in found])))
    write(arguments.out, encoder.passport, directions=along, factors=factors)
    print(f"{arguments.out}: {len(vectors)} recordings, {arguments.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
