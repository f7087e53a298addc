"""A recording heard once: of its windows the examples are kept as they come, so that memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.decode import AudioInfo
from sonovec.brief import Brief
from sonovec.embedding.embedding import Failure
from sonovec.embedding.gather import Facts, Heard, Vectors, check_finite, times_of
from sonovec.embedding.silence import QUIET
from sonovec.embedding.source import Source
from sonovec.embedding.tally import Mean
from sonovec.jobs import Job, Progress
from sonovec.learn.overlap import overlap
from sonovec.learn.sample import Sample
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder

#: Windows that are kept of one stretch, and of what no label covers in one recording.
MOST_OF_STRETCH, MOST_OF_REST = 60, 2000


@dataclass(frozen=True, eq=False)
class Marks:
    """The stretches of one recording.

    Attributes
    ----------
    starts, ends : array, shape (m,), float64
        Seconds; an end may be infinite.
    verdicts : array, shape (m, n_classes), int8
        What is known of each class in each stretch.
    rest : bool
        Whether what no stretch covers is background.
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    verdicts: NDArray[np.int8]
    rest: bool

    def targets(self, heard: NDArray[np.bool_], touched: NDArray[np.bool_]) -> NDArray[np.int8]:
        """What each window says of each class: shape (n, n_classes)."""
        sure = heard @ (self.verdicts == HEARD)
        doubtful = touched @ (self.verdicts != NOT_HEARD)
        return np.where(sure, HEARD, np.where(doubtful, UNKNOWN, NOT_HEARD)).astype(np.int8)

    @classmethod
    def none(cls, n_classes: int) -> Marks:
        """Those of a recording that is background from its start to its end."""
        return cls(np.empty(0), np.empty(0), np.empty((0, n_classes), np.int8), rest=True)

    @property
    def telling(self) -> NDArray[np.bool_]:
        """Of which stretches anything is known: shape (m,)."""
        return np.asarray((self.verdicts != UNKNOWN).any(axis=1))


@dataclass(frozen=True, eq=False, repr=False)
class Rows(Brief):
    """Windows as examples.

    Attributes
    ----------
    vectors : array, shape (n, dim), float32
    targets : array, shape (n, n_classes), int8
    times : array, shape (n, 2), float64
    coverage : array, shape (n,), float32
    """

    vectors: NDArray[np.float32]
    targets: NDArray[np.int8]
    times: NDArray[np.float64]
    coverage: NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Gathered(Brief):
    """What a recording gives.

    Attributes
    ----------
    stretches : dict of int to Rows
        The windows of each stretch that is heard, by its index; of a long one some of them.
    pooled : dict of int to array, shape (dim,)
        The mean of all windows of each, weighted by coverage, as a clip vector is.
    rest : Rows or None
        Background between the stretches.
    duration : float
    notes : tuple of str
        Of the recording.
    quiet : frozenset of int
        Stretches that are nearly silent.
    """

    stretches: dict[int, Rows]
    pooled: dict[int, NDArray[np.float32]]
    rest: Rows | None
    duration: float
    notes: tuple[str, ...]
    quiet: frozenset[int]


class Gathering:
    """A sink that keeps examples; `number` is that of the recording, and decides what is drawn."""

    def __init__(self, source: Source, heard: Heard, marks: Marks, number: int) -> None:
        self._source, self._heard, self._marks = source, heard, marks
        self._windows = {row: Sample(MOST_OF_STRETCH, [number, row]) for row in np.flatnonzero(marks.telling).tolist()}
        self._means = {row: Mean() for row in self._windows}
        self._rest = Sample(MOST_OF_REST, [number])
        self._loudest = np.full(len(marks.starts), -np.inf)

    def begin(self, info: AudioInfo) -> None:
        """Nothing hears the blocks but the encoder."""

    def end(self) -> None:
        """Nobody has to be waited for."""

    def push(self, vectors: Vectors) -> None:
        """Take the next windows; those of digital silence are no examples of anything."""
        check_finite(vectors.rows, self._source)
        times = times_of(np.stack([vectors.starts, vectors.ends], axis=1), self._source, self._heard.passport)
        marks = self._marks
        heard, touched = overlap(times, marks.starts, marks.ends)
        columns = (vectors.rows[:, : self._heard.dim], marks.targets(heard, touched), times, vectors.coverage)
        sounds = ~vectors.silent
        for row in np.flatnonzero((heard & sounds[:, None]).any(axis=0) & marks.telling).tolist():
            chosen = heard[:, row] & sounds
            self._loudest[row] = max(self._loudest[row], float(vectors.levels[chosen].max()))
            self._windows[row].add(*(column[chosen] for column in columns))
            self._means[row].add(columns[0][chosen], vectors.coverage[chosen])
        if marks.rest:
            chosen = sounds & ~touched.any(axis=1)
            self._rest.add(*(column[chosen] for column in columns))

    def finish(self, facts: Facts) -> Gathered:
        """The examples."""
        found = {row: Rows(*columns) for row, each in self._windows.items() if (columns := each.columns())}  # type: ignore[arg-type]
        rest = self._rest.columns()
        return Gathered(
            stretches=found,
            pooled={row: self._means[row].value for row in found},
            rest=Rows(*rest) if rest else None,  # type: ignore[arg-type]
            duration=facts.duration,
            notes=facts.notes,
            quiet=frozenset(row for row in found if self._loudest[row] < QUIET),
        )


def gather(
    encoder: Encoder, recordings: Mapping[Path, Marks], numbers: Mapping[Path, int], job: Job, stage: str
) -> Iterator[tuple[Path, Gathered | Failure]]:
    """Hear recordings, each once, and give what each gives, in their order; their numbers decide what is drawn."""
    engine = encoder.engine

    def sink_of(source: Source) -> Gathering:
        assert source.path is not None
        return Gathering(source, engine.heard, recordings[source.path], numbers[source.path])

    def watch(done: int, heard: float) -> None:
        job.report(Progress(stage, done, len(recordings), "recordings", heard))

    results = engine.run_many(map(Source, recordings), sink_of, watch)
    return zip(recordings, results, strict=True)
