"""The stored background of an encoder: windows of all kinds of sounds, to train detectors against.

    python -m training.background --data DATA --out src/sonovec/models/sonovec-1.background.npz

Only half of the recordings are taken. On the other half, the figures of detectors mean something that were trained against
the background.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sonovec
from sonovec.embedding.embedding import Embedding
from sonovec.embedding.encoder import Encoder
from sonovec.learn.shipped import write
from sonovec.vectors import unit32
from training.corpus import group

#: Windows that are kept, and those of each set of recordings that they are chosen from.
SIZE, MOST_OF_A_SET = 256, 400
#: Rounds of k-means, by which they are few at the end.
ROUNDS = 8


def taken(name: str) -> bool:
    """Whether a group of recordings is in the half that backgrounds are made of; decided by its name alone."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 1


def spread(vectors: NDArray[np.float32], size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """So many of the vectors of length 1, spread as they are: the nearest to each center of spherical k-means.

    Dhillon and Modha, "Concept decompositions for large sparse text data using clustering", 2001.
    """
    centers = vectors[rng.choice(len(vectors), size, replace=False)]
    for _ in range(ROUNDS):
        nearest = (vectors @ centers.T).argmax(axis=1)
        sums = np.zeros_like(centers)
        np.add.at(sums, nearest, vectors)
        centers = np.where(sums.any(axis=1, keepdims=True), unit32(sums), centers)
    return vectors[np.unique((vectors @ centers.T).argmax(axis=0))]


def windows(data: Path, encoder: Encoder, rng: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Windows of each set, at length 1; silence has none."""
    with (data / "train" / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if taken(group(row))]
    for name in sorted({row["set"] for row in rows}):
        paths = [data / "train" / row["path"] for row in rows if row["set"] == name]
        heard = [each for each in encoder.embed_many(paths) if isinstance(each, Embedding)]
        vectors = np.concatenate([each.windows for each in heard])
        yield unit32(rng.permutation(vectors[vectors.any(axis=1)])[:MOST_OF_A_SET])


def main() -> None:
    """Embed half of the recordings, choose windows, and write them."""
    parser = argparse.ArgumentParser(prog="python -m training.background", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SONOVEC_DATA", "../shared/data")))
    parser.add_argument("--model", default="default")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    encoder, rng = sonovec.load(arguments.model), np.random.default_rng(0)
    vectors = spread(np.concatenate(list(windows(arguments.data, encoder, rng))), SIZE, rng)
    write(arguments.out, encoder.passport, vectors=vectors)
    print(f"{arguments.out}: {len(vectors)} windows, {arguments.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
