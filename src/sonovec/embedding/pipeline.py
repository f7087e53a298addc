"""Many sounds at once: decode, resample and front end in worker threads; the network in batches across files.

One lock guards the state of a run. Workers turn a source into rows of features; network threads take the rows in full
batches, whatever file they belong to; a source is finished when its last row has come back. Everything that waits is
bounded: rows that wait for the network, and sources that are begun but not yet handed over.

An error over one source is that source's alone, whatever it is and wherever it comes up. What ends a run is an error of
the caller's own iterator, or one that the network raises on purpose: no other source would fare better.
"""

from __future__ import annotations

import atexit
import reprlib
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from sonovec import forks
from sonovec.audio.memory import NAME, open_samples, open_waveform
from sonovec.audio.stream import MonoStream, open_mono
from sonovec.audio.waveform import Waveform
from sonovec.audio.windows import Windows, WindowSpec, frame
from sonovec.errors import AudioError, SonovecError, UsageError
from sonovec.log import as_failure
from sonovec.paths import display
from sonovec.runtime.network import available_cores

if TYPE_CHECKING:
    from sonovec.models.model import Model, Rows
    from sonovec.runtime import Network

#: Sources that may be begun and not yet handed over; bounds what waits behind one long file.
AHEAD = 64
#: Batches of rows that may wait for the network.
WAITING_BATCHES = 4
#: Seconds that the end of the program waits for an iterator of the caller's that gives nothing.
PATIENCE = 1.0


@dataclass(frozen=True)
class Source:
    """One sound to embed, and the range of it in seconds.

    The sound is a file, samples in memory, or whatever was given in their place: only when it is opened it must be one.
    """

    sound: Any
    start: float = 0.0
    end: float | None = None

    @property
    def path(self) -> Path | None:
        """The file, or None for samples in memory."""
        return self.sound if isinstance(self.sound, Path) else None

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

    def fail(self, error: Exception) -> None:
        """Note why there will be no vectors; the first reason stands."""
        if self.raw.error is None:
            self.raw.error = as_failure(self.raw.source.name, error)


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
    sources: Iterable[Source],
    model: Model,
    spec: WindowSpec,
    network: Network | None,
    cores: int | None = None,
    *,
    isolate: bool = False,
) -> Iterator[Raw]:
    """Embed sources and yield one result for each, in the order of the input.

    A source that cannot be read gives a result with an `error`; the others go on. `sources` is read lazily, from
    worker threads, at most `AHEAD` beyond what was handed over. With `isolate`, files are decoded in child processes.
    """
    state = _Run(iter(sources), model, spec, network, cores or available_cores(), isolate)
    with _ONE_BLAS_THREAD:
        try:
            state.begin()
            yield from state.results()
        finally:
            state.stop()


class _Stopped(BaseException):
    """Raised inside a thread of a run that nobody waits for any more; no `Exception`, for those are of one source."""


class _Run:
    def __init__(
        self,
        sources: Iterator[Source],
        model: Model,
        spec: WindowSpec,
        network: Network | None,
        workers: int,
        isolate: bool,
    ) -> None:
        self._sources = sources
        self._model = model
        self._spec = spec
        self._network = network
        self._isolate = isolate
        self._batch = max(network.batch_sizes) if network else 0
        self._changed = threading.Condition()
        self._waiting: deque[_Rows] = deque()
        self._waiting_rows = 0
        self._finished: dict[int, Raw] = {}
        self._begun = 0
        self._handed_over = 0
        self._busy = 0
        self._pulling: threading.Thread | None = None  # the one that runs the caller's iterator, which may take long
        self._exhausted = False
        self._ended_by: Exception | None = None  # the caller's iterator raised it
        self._stopped = False
        self._crash: BaseException | None = None
        self._streams: set[MonoStream] = set()  # those being decoded
        works = [self.decode] * workers + [self.infer] * (min(network.streams, workers) if network else 0)
        self._threads = [threading.Thread(target=self.guarded, args=(work,), daemon=True) for work in works]

    # -- what the caller's thread does

    def begin(self) -> None:
        """Start the threads."""
        _RUNNING.add(self)
        forks.watch(self)
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[Raw]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._crash or self._handed_over in self._finished or self._all_done())
                if self._crash:
                    raise self._crash
                if self._handed_over not in self._finished:
                    break
                raw = self._finished.pop(self._handed_over)
                self._handed_over += 1
                self._changed.notify_all()
            yield raw
        if self._ended_by:
            raise self._ended_by

    def _all_done(self) -> bool:
        return self._exhausted and self._handed_over == self._begun

    def stop(self, patience: float | None = None) -> None:
        """End the threads and wait for them; for one that waits for the caller's iterator, `patience` seconds.

        A thread of this run may be the one that collects the garbage that the run is; it waits for none.
        """
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if threading.current_thread() in self._threads:
            return
        for thread in filter(threading.Thread.is_alive, self._threads):
            thread.join(patience if thread is self._pulling else None)
        self._threads = []
        _RUNNING.discard(self)

    def after_fork(self) -> None:
        """In a child: the threads stayed with the parent, and the lock may be held for ever."""
        self._changed = threading.Condition()
        self._threads = []
        self._stopped = True
        for stream in self._streams:
            stream.abandon()
        self._crash = UsageError(
            "this process was forked while sounds were embedded; call embed_many again in the child, or start it with "
            "multiprocessing.get_context('spawn')"
        )

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
            except Exception as error:  # noqa: BLE001 - it is this source's alone
                job.fail(error)
            with self._changed:
                self._busy -= 1
                job.decoded = True
                self._settle(job)

    def _next_job(self) -> _Job | None:
        with self._changed:
            self._wait(lambda: self._exhausted or (not self._pulling and self._begun - self._handed_over < AHEAD))
            if self._exhausted:
                return None
            self._pulling = threading.current_thread()
        source = None
        try:
            source = next(self._sources, None)
        except Exception as error:  # noqa: BLE001 - raised again behind the results of what came before
            self._ended_by = error
        with self._changed:
            self._pulling = None
            self._changed.notify_all()
            if source is None:
                self._exhausted = True
                return None
            job = _Job(self._begun, Raw(source))
            self._begun += 1
            self._busy += 1
            return job

    def _decode_one(self, job: _Job) -> None:
        raw, source = job.raw, job.raw.source
        with open_source(source, self._model.card.rate, self._isolate) as stream, self._noted(stream):
            for windows in frame(stream, self._spec):
                if self._stopped:
                    raise _Stopped
                if raw.error is not None:  # of rows that were decoded before
                    return
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

    @contextmanager
    def _noted(self, stream: MonoStream) -> Iterator[None]:
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)

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
            self._embed([piece for piece in pieces if piece.job.raw.error is None])
            with self._changed:
                for piece in pieces:
                    piece.job.rows_out -= len(piece.features)
                    self._settle(piece.job)

    def _embed(self, pieces: Sequence[_Rows]) -> None:
        """Run rows of several sources at once; if that fails, those of each alone, so that only its own fail a source."""
        if not pieces:
            return
        try:
            self._run_network(pieces)
        except SonovecError:
            raise
        except Exception as error:  # noqa: BLE001 - it is one source's, or will be each one's
            alone = [list(own) for _, own in groupby(pieces, key=lambda piece: piece.job)]
            if len(alone) == 1:
                pieces[0].job.fail(error)
            else:
                for own in alone:
                    self._embed(own)

    def _run_network(self, pieces: Sequence[_Rows]) -> None:
        assert self._network is not None
        outputs = self._network.run([row for piece in pieces for row in piece.features])
        vectors = self._model.finish(outputs, np.concatenate([piece.coverage for piece in pieces]))
        row = 0
        for piece in pieces:
            piece.vectors[:] = vectors[row : row + len(piece.features)]
            row += len(piece.features)

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


class _OneBlasThread:
    """BLAS computes with one thread as long as any run goes on.

    The threads here are as many as there are cores; more of them inside a small matrix product only get in the way, and
    the last bits of a product depend on how many there are. So the first run of several at once must not lift the limit
    when it ends.
    """

    def __init__(self) -> None:
        self._runs = 0
        self._limits: Any = None
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        self._lock = threading.RLock()  # a run may end where garbage is collected, in here too

    def __enter__(self) -> None:
        with self._lock:
            if self._runs == 0:
                _let_any_thread_set_limits()
                self._limits = _blas().limit(limits=1)
            self._runs += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._runs -= 1
            if self._runs == 0:
                _let_any_thread_set_limits()
                self._limits.restore_original_limits()
                _let_any_thread_set_limits()


def _blas() -> threadpoolctl.ThreadpoolController:
    """The libraries of BLAS that count their threads for the whole process.

    Those on OpenMP count for each thread, so that a limit of the caller's does nothing in the threads here, and could not
    be lifted by another caller.
    """
    blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
    layers = {library.info().get("threading_layer") for library in blas.lib_controllers}
    return blas.select(threading_layer=list(layers - {"openmp"}))


def _let_any_thread_set_limits() -> None:
    """Since version 3.7 or so only the thread that was first can; the calls of others do nothing, without a word."""
    if clear := getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None):
        clear(force=True)


_ONE_BLAS_THREAD = _OneBlasThread()
#: Runs whose threads are at work.
_RUNNING: weakref.WeakSet[_Run] = weakref.WeakSet()


def _stop_running() -> None:
    """Before the interpreter ends: a thread that comes back from native code afterwards aborts the process."""
    for state in list(_RUNNING):
        state.stop(PATIENCE)


atexit.register(_stop_running)


def open_source(source: Source, rate: int, isolate: bool = False) -> MonoStream:
    """The sound of a source, mono at `rate` in Hz; with `isolate`, a file is decoded in a child process.

    Raises
    ------
    AudioError
        If it cannot be decoded.
    UsageError
        If it is no sound; the message says what to give.
    """
    sound, start, end = source.sound, source.start, source.end
    if isinstance(sound, Path):
        return open_mono(sound, rate, start, end, isolate=isolate)
    if isinstance(sound, Waveform):
        return open_waveform(sound, rate, start, end)
    if isinstance(sound, tuple) and len(sound) == 2:
        samples, own_rate = sound
        if isinstance(samples, Number) and not isinstance(own_rate, Number):
            raise UsageError("this tuple is (rate, samples); give (samples, rate)")
        return open_samples(samples, own_rate, rate, start, end)
    if isinstance(sound, SonovecError):  # of a step before this one
        raise sound
    if hasattr(sound, "__array__") and np.ndim(sound):
        raise UsageError(f"an array of shape {np.shape(sound)} has no rate; give (samples, rate), such as (x, 16000)")
    raise UsageError(f"{_short(sound)} is not a sound; give a path, a Waveform, or a tuple (samples, rate)")


def _short(item: object) -> str:
    return display(" ".join(reprlib.repr(item).split()))
