"""What is made of the vectors of a sound while they come: a sink takes them window by window, and gives a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.decode import AudioInfo
from sonovec.embedding.embedding import Embedding
from sonovec.embedding.passport import Passport
from sonovec.embedding.source import Source
from sonovec.errors import AudioError

Result = TypeVar("Result", covariant=True)


@dataclass(frozen=True, eq=False)
class Vectors:
    """What a model gave for consecutive windows.

    Attributes
    ----------
    starts, ends : array, shape (n,), int64
        Samples at the model's rate, counted from where the source starts.
    coverage : array, shape (n,), float32
    silent : array, shape (n,), bool
    levels : array, shape (n,), float32
    rows : array, shape (n, dim + n_classes), float32
        Vectors, and behind them the scores of the classes.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    coverage: NDArray[np.float32]
    silent: NDArray[np.bool_]
    levels: NDArray[np.float32]
    rows: NDArray[np.float32]


@dataclass(frozen=True)
class Facts:
    """What is known of a source when it was read to its end; see `Embedding`."""

    rate: int
    channels: int
    codec: str
    duration: float
    notes: tuple[str, ...]


#: Takes the decoded blocks of a source, (n, channels) float32 at its own rate.
Tap = Callable[[NDArray[np.float32]], None]


class Sink(Protocol[Result]):
    """Takes the vectors of one source, in order; one thread at a time calls `push` and `finish`."""

    def begin(self, info: AudioInfo) -> Tap | None:
        """Take what is known of a source that was opened; what it gives, if anything, hears the decoded blocks too."""

    def push(self, vectors: Vectors) -> None:
        """Take the next windows."""

    def end(self) -> None:
        """Note that the last block was decoded, in the thread that decodes, which may wait here for those who heard it."""

    def finish(self, facts: Facts) -> Result:
        """Give the result, behind the last windows."""


@dataclass(frozen=True)
class Heard:
    """What a sink has to know of the model: the passport of its vectors, their length, and the names of its classes."""

    passport: Passport
    dim: int
    classes: tuple[str, ...]


class Whole:
    """A sink that keeps the vectors of all windows: an `Embedding`."""

    def __init__(self, source: Source, heard: Heard) -> None:
        self._source, self._heard = source, heard
        self._parts: list[Vectors] = []

    def begin(self, info: AudioInfo) -> None:
        """Nothing hears the blocks but the encoder."""

    def end(self) -> None:
        """Nobody has to be waited for."""

    def push(self, vectors: Vectors) -> None:
        """Take the next windows."""
        check_finite(vectors.rows, self._source)
        self._parts.append(vectors)

    def finish(self, facts: Facts) -> Embedding:
        """All windows together."""
        parts, dim = self._parts, self._heard.dim
        rows = np.concatenate([part.rows for part in parts])
        places = np.concatenate([np.stack([part.starts, part.ends], axis=1) for part in parts])
        return Embedding(
            path=self._source.path,
            windows=rows[:, :dim],
            times=times_of(places, self._source, self._heard.passport),
            coverage=np.concatenate([part.coverage for part in parts]),
            silent=np.concatenate([part.silent for part in parts]),
            levels=np.concatenate([part.levels for part in parts]),
            rate=facts.rate,
            channels=facts.channels,
            codec=facts.codec,
            duration=facts.duration,
            notes=facts.notes,
            passport=self._heard.passport,
            scores=rows[:, dim:],
            classes=self._heard.classes,
        )


def check_finite(rows: NDArray[np.float32], source: Source) -> None:
    """Refuse vectors that are no numbers.

    Raises
    ------
    AudioError
        The samples were too large.
    """
    if not np.isfinite(rows).all():
        raise AudioError(f"{source.name}: samples are too large for a vector; scale them to -1..1")


def times_of(places: NDArray[np.int64], source: Source, passport: Passport) -> NDArray[np.float64]:
    """Samples at the model's rate, counted from where the source starts, in seconds of the whole sound."""
    return np.asarray(source.start + places / passport.rate, np.float64)
