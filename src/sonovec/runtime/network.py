"""What every runtime takes and gives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

#: One input of a network.
Row = NDArray[Any]

PRECISIONS = ("auto", "f32", "bf16", "int8")
DEVICES = ("auto", "cpu", "cuda")


def available_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Network(Protocol):
    """A graph that is ready to run."""

    precision: str
    device: str
    batch_sizes: tuple[int, ...]
    streams: int

    def run(self, rows: Sequence[Row]) -> list[NDArray[np.float32]]:
        """Run rows, each of the graph's input shape, and give one result for each; `streams` threads may call at once.

        A row's result does not depend on the other rows: it is bit-identical for the same compiled shape.
        """


def padded(rows: Sequence[Row], sizes: tuple[int, ...]) -> list[tuple[Row, int]]:
    """Stack rows to pieces of the given sizes, the last filled up with zeros; each with how many of its rows count.

    Examples
    --------
    >>> [(piece.shape, n) for piece, n in padded(np.ones((37, 2), np.float32), (8, 32))]
    [((32, 2), 32), ((8, 2), 5)]
    """
    pieces = []
    for first in range(0, len(rows), sizes[-1]):
        some = rows[first : first + sizes[-1]]
        size = next(size for size in sizes if size >= len(some))
        piece = np.zeros((size, *some[0].shape), some[0].dtype)
        for place, row in zip(piece, some, strict=False):
            place[...] = row
        pieces.append((piece, len(some)))
    return pieces
