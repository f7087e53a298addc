"""What every runtime takes and gives."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sonovec.cgroups import cores_of_quota
from sonovec.errors import UsageError

#: One input of a network.
Row = NDArray[Any]

PRECISIONS = ("auto", "f32", "bf16", "int8")
DEVICES = ("auto", "cpu", "cuda")
#: Why a precision is refused that the card of a model does not allow.
FORBIDDEN = (
    "precision='bf16': the model's card does not allow it: vectors could differ from those of float32 by more than "
    "sonovec promises (cosine 0.9999); give precision='f32'"
)
#: The environment variable that says how many threads work at once.
JOBS = "SONOVEC_JOBS"


def available_cores() -> int:
    """Cores that this process may use: fewer than the machine has, where it is bound to some, or in a container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(min(cores_of_quota(), cores))))


def settle_jobs(jobs: int | None = None) -> int:
    """How many threads work at once: `jobs`, or the environment variable SONOVEC_JOBS, or one for each core.

    Raises
    ------
    UsageError
        If it is not a positive whole number.

    Examples
    --------
    >>> settle_jobs(3)
    3
    >>> settle_jobs(0)
    Traceback (most recent call last):
    sonovec.errors.UsageError: jobs=0 is not a number of threads; give a whole number from 1 on
    """
    if jobs is None:
        text = os.environ.get(JOBS, "").strip()
        if not text:
            return available_cores()
        if not text.isdecimal() or not int(text):
            raise UsageError(f"{JOBS}={text!r} is not a number of threads; give a whole number from 1 on, or unset it")
        return int(text)
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise UsageError(f"jobs={jobs!r} is not a number of threads; give a whole number from 1 on")
    return jobs


class Network(Protocol):
    """A graph that is ready to run.

    Attributes
    ----------
    rows : int
        Of a full batch.
    quick_rows : int
        How many rows a call should have where few wait and somebody waits for them: those of the smallest shape.
    streams : int
        How many calls run at once.
    """

    precision: str
    device: str
    streams: int

    @property
    def rows(self) -> int: ...  # noqa: D102
    @property
    def quick_rows(self) -> int: ...  # noqa: D102

    def run(self, rows: Sequence[Row], quick: bool = False) -> list[NDArray[np.float32]]:
        """Run rows, each of the graph's input shape, and give one result for each; `streams` threads may call at once.

        With `quick`, few rows may run in a small shape. A row's result does not depend on the other rows: it is
        bit-identical for the same compiled shape.
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
