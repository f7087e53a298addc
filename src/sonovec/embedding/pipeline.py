"""Many sounds at once: decode, resample and front end in worker threads; the network in batches across files.

One lock guards the state of a run. Workers turn a source into rows of features; network threads take the rows in full
batches, whatever file they belong to; a source is finished when its last row has come back. Everything that waits is
bounded: rows that wait for the network, and sources that are begun but not yet handed over.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sonovec.audio.memory import NAME, open_waveform
from sonovec.audio.stream import MonoStream, open_mono
from sonovec.audio.waveform import Waveform
from sonovec.audio.windows import Windows, WindowSpec, frame
from sonovec.errors import AudioError, SonovecError
from sonovec.paths import display
from sonovec.runtime.network import available_cores

if TYPE_CHECKING:
    from sonovec.models.model import Model, Rows
    from sonovec.runtime import Network

#: Sources that may be begun and not yet handed over; bounds what waits behind one long file.
AHEAD = 64
#: Batches of rows that may wait for the network.
WAITING_BATCHES = 4


@dataclass(frozen=True)
class Source:
    """One sound to embed: a file or samples in memory, and the range of it in seconds."""

    sound: Path | Waveform
    start: float = 0.0
    end: float | None = None

    @property
    def path(self) -> Path | None:
        """The file, or None for samples in memory."""
        return None if isinstance(self.sound, Waveform) else self.sound

    @property
    def name(self) -> str:
        """What an error calls it."""
        return display(self.path) if self.path else NAME


@dataclass(eq=False)
class Raw:
    """What a run gives for one source: window vectors (and scores) with their places, before pooling."""

    source: Source
    starts: list[NDArray[np.int64]] = field(default_factory=list)
    ends: list[NDArray[np.int64]] = field(default_factory=list)
    coverage: list[NDArray[np.float32]] = field(default_factory=list)
    silent: list[NDArray[np.bool_]] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    rate: int = 0
    channels: int = 0
    codec: str = ""
    duration: float = 0.0
    notes: tuple[str, ...] = ()
    error: SonovecError | None = None

    def add(self, windows: Windows, dim: int) -> NDArray[np.float32]:
        """Note the places of more windows and return the array that takes their vectors."""
        vectors = np.empty((len(windows.samples), dim), np.float32)
        self.starts.append(windows.starts)
        self.ends.append(windows.ends)
        self.coverage.append(windows.coverage)
        self.silent.append(windows.silent)
        self.vectors.append(vectors)
        return vectors


@dataclass(eq=False)
class _Job:
    """One source on its way: its place in the order, its result, and how many rows are still out."""

    index: int
    raw: Raw
    rows_out: int = 0
    decoded: bool = False


@dataclass(eq=False)
class _Rows:
    """Features that wait for the network, and where their vectors go."""

    job: _Job
    features: Rows
    coverage: NDArray[np.float32]
    vectors: NDArray[np.float32]

    def cut(self, part: slice) -> _Rows:
        """Some of the rows."""
        return _Rows(self.job, self.features[part], self.coverage[part], self.vectors[part])


def run(
    sources: Iterable[Source], model: Model, spec: WindowSpec, network: Network | None, cores: int | None = None
) -> Iterator[Raw]:
    """Embed sources and yield one result for each, in the order of the input.

    A source that cannot be read gives a result with an `error`; the others go on. `sources` is read lazily, from
    worker threads, at most `AHEAD` beyond what was handed over.
    """
    state = _Run(iter(sources), model, spec, network)
    workers = cores or available_cores()
    threads = [threading.Thread(target=state.guarded, args=(state.decode,), daemon=True) for _ in range(workers)]
    if network is not None:
        streams = min(network.streams, workers)
        threads += [threading.Thread(target=state.guarded, args=(state.infer,), daemon=True) for _ in range(streams)]
    # The threads here are as many as there are cores; more of them inside a small matrix product only get in the way.
    with threadpool_limits(1, user_api="blas"):
        for thread in threads:
            thread.start()
        try:
            yield from state.results()
        finally:
            state.stop()
            for thread in threads:
                thread.join()


class _Stopped(Exception):
    """Raised inside a thread of a run that nobody waits for any more."""


class _Run:
    def __init__(self, sources: Iterator[Source], model: Model, spec: WindowSpec, network: Network | None) -> None:
        self._sources = sources
        self._model = model
        self._spec = spec
        self._network = network
        self._batch = max(network.batch_sizes) if network else 0
        self._pull = threading.Lock()  # held while the caller's iterator runs, which may take long
        self._changed = threading.Condition()
        self._waiting: deque[_Rows] = deque()
        self._waiting_rows = 0
        self._finished: dict[int, Raw] = {}
        self._begun = 0
        self._handed_over = 0
        self._busy = 0
        self._exhausted = False
        self._stopped = False
        self._crash: BaseException | None = None

    # -- what the caller's thread does

    def results(self) -> Iterator[Raw]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._crash or self._handed_over in self._finished or self._all_done())
                if self._crash:
                    raise self._crash
                if self._handed_over not in self._finished:
                    return
                raw = self._finished.pop(self._handed_over)
                self._handed_over += 1
                self._changed.notify_all()
            yield raw

    def _all_done(self) -> bool:
        return self._exhausted and self._handed_over == self._begun

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    # -- what the threads do

    def guarded(self, work: Callable[[], None]) -> None:
        """Run a thread's work; an error that is not a source's own ends the run in the caller's thread."""
        try:
            work()
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again where the caller waits
            with self._changed:
                self._crash = self._crash or error
                self._changed.notify_all()

    def _wait(self, ready: Callable[[], bool]) -> None:
        """Wait, with the lock held, until `ready()` holds."""
        self._changed.wait_for(lambda: self._stopped or ready())
        if self._stopped:
            raise _Stopped

    def decode(self) -> None:
        while (job := self._next_job()) is not None:
            try:
                self._decode_one(job)
            except SonovecError as error:
                job.raw.error = error
            with self._changed:
                self._busy -= 1
                job.decoded = True
                self._settle(job)

    def _next_job(self) -> _Job | None:
        with self._pull:
            with self._changed:
                self._wait(lambda: self._exhausted or self._begun - self._handed_over < AHEAD)
                if self._exhausted:
                    return None
            source = next(self._sources, None)
            with self._changed:
                if source is None:
                    self._exhausted = True
                    self._changed.notify_all()
                    return None
                job = _Job(self._begun, Raw(source))
                self._begun += 1
                self._busy += 1
                return job

    def _decode_one(self, job: _Job) -> None:
        raw, source = job.raw, job.raw.source
        with open_source(source, self._model.card.rate) as stream:
            for windows in frame(stream, self._spec):
                features = self._model.features(windows.samples, windows.coverage)
                vectors = raw.add(windows, self._model.dim + len(self._model.tags))
                if self._network is None:
                    vectors[:] = self._model.finish(features, windows.coverage)
                else:
                    self._enqueue(_Rows(job, features, windows.coverage, vectors))
            raw.rate, raw.channels, raw.codec = stream.info.rate, stream.info.channels, stream.info.codec
            raw.duration = stream.source_frames / stream.info.rate
            raw.notes = tuple(stream.notes)
        if not raw.vectors:
            raise AudioError(f"{source.name}: no sound in the range asked for; give start and end within the file")

    def _enqueue(self, rows: _Rows) -> None:
        with self._changed:
            self._wait(lambda: self._waiting_rows < WAITING_BATCHES * self._batch)
            self._waiting.append(rows)
            self._waiting_rows += len(rows.features)
            rows.job.rows_out += len(rows.features)
            self._changed.notify_all()

    def infer(self) -> None:
        while True:
            with self._changed:
                self._wait(self._batch_ready)
                pieces = self._take_batch()
                self._changed.notify_all()
            outputs = self._network.run([row for piece in pieces for row in piece.features])  # type: ignore[union-attr]
            vectors = self._model.finish(outputs, np.concatenate([piece.coverage for piece in pieces]))
            row = 0
            for piece in pieces:
                piece.vectors[:] = vectors[row : row + len(piece.features)]
                row += len(piece.features)
            with self._changed:
                for piece in pieces:
                    piece.job.rows_out -= len(piece.features)
                    self._settle(piece.job)

    def _batch_ready(self) -> bool:
        # An incomplete batch runs only when no worker is about to fill it: one clip is answered at once.
        return self._waiting_rows >= self._batch or (self._waiting_rows > 0 and self._busy == 0)

    def _take_batch(self) -> list[_Rows]:
        pieces, room = [], self._batch
        while self._waiting and room:
            rows = self._waiting.popleft()
            if len(rows.features) > room:
                self._waiting.appendleft(rows.cut(slice(room, None)))
                rows = rows.cut(slice(room))
            pieces.append(rows)
            room -= len(rows.features)
            self._waiting_rows -= len(rows.features)
        return pieces

    def _settle(self, job: _Job) -> None:
        """With the lock held: a job whose last row is back is finished."""
        if job.decoded and job.rows_out == 0:
            self._finished[job.index] = job.raw
        self._changed.notify_all()


def open_source(source: Source, rate: int) -> MonoStream:
    """The sound of a source, mono at `rate` in Hz."""
    if isinstance(source.sound, Waveform):
        return open_waveform(source.sound, rate, source.start, source.end)
    return open_mono(source.sound, rate, source.start, source.end)
