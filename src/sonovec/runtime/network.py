"""What every runtime takes and gives."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PRECISIONS = ("auto", "f32", "bf16")
DEVICES = ("auto", "cpu", "cuda")


def available_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Graph(Protocol):
    """What to execute; `sonovec.models.graph.Graph` is one."""

    @property
    def key(self) -> str:
        """Names everything that shapes the result."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one float32 row."""

    @property
    def torch_module(self) -> Callable[[], Any]:
        """Builds the network as a ``torch.nn.Module`` in evaluation mode."""

    @property
    def bf16(self) -> bool:
        """Whether bf16 is allowed."""


class Network(Protocol):
    """A graph that is ready to run."""

    precision: str
    device: str
    batch_sizes: tuple[int, ...]
    streams: int

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run rows (n, *input_shape) and give one result for each; `streams` threads may call at once.

        A row's result does not depend on the other rows: it is bit-identical for the same compiled shape.
        """


def padded(batch: NDArray[np.float32], sizes: tuple[int, ...]) -> list[tuple[NDArray[np.float32], int]]:
    """Cut rows into pieces of the given sizes, the last filled up with zeros; each with how many of its rows count.

    Examples
    --------
    >>> [(piece.shape, n) for piece, n in padded(np.ones((37, 2), np.float32), (8, 32))]
    [((32, 2), 32), ((8, 2), 5)]
    """
    pieces = []
    for first in range(0, len(batch), sizes[-1]):
        rows = batch[first : first + sizes[-1]]
        size = next(size for size in sizes if size >= len(rows))
        if len(rows) < size:
            rows = np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), np.float32)])
        pieces.append((np.ascontiguousarray(rows, np.float32), min(size, len(batch) - first)))
    return pieces
