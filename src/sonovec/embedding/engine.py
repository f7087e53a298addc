"""One engine embeds for many callers at once: its threads decode, and the network runs in batches filled across callers.

A source becomes a job. Workers decode jobs, step by step, into rows of features; network threads take the rows, whatever
job they belong to; what comes back goes to the job's sink in order, and the job's future gets the result. All that waits is
bounded, but for the jobs themselves: rows for the network, and the sources of an iterator that are begun and not yet
handed over.

Jobs are quick or one of many. A quick one has a caller who waits for it alone: it is decoded before what is one of many, and
its last rows run in the network's small shape. One of many runs in full batches, so that libraries are reproducible.

An error over one source is that source's alone, whatever it is and wherever it comes up. What ends the caller's loop over
many is an error of the caller's own iterator, or one that the network raises on purpose: no other source would fare better.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from sonovec import forks
from sonovec.audio.stream import MonoStream
from sonovec.audio.windows import Windows, frame
from sonovec.embedding.blas import ONE_BLAS_THREAD
from sonovec.embedding.embedding import Embedding, Failure
from sonovec.embedding.gather import Facts, Heard, Sink, Vectors, Whole
from sonovec.embedding.source import Source, check_many, check_range, open_source, source_of
from sonovec.errors import AudioError, SonovecError, UsageError
from sonovec.log import as_failure
from sonovec.runtime.network import settle_jobs

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.embedding.source import Sound
    from sonovec.models.model import Rows

#: Sources of one iterator that may be begun and not yet handed over; bounds what waits behind one long file.
AHEAD = 64
#: Batches of rows that may wait for the network.
WAITING_BATCHES = 4
#: Seconds that rows of quick jobs, and those of others, wait at most for company that is being decoded.
QUICK_WAIT, WAIT = 0.05, 1.0
#: Seconds that the end of the program waits for an iterator of the caller's that gives nothing.
PATIENCE = 1.0

T = TypeVar("T")
#: What makes the sink of a source.
SinkOf = Callable[[Source], Sink[T]]

FORKED = (
    "this process was forked while sounds were embedded; call embed or embed_many again in the child, or start it with "
    "multiprocessing.get_context('spawn')"
)


class _Stopped(BaseException):
    """Raised in a thread over a job that nobody waits for any more; no `Exception`, for those are of one source."""


class _Future(Future[T]):
    """A future that can be settled in a forked child, where a thread that stayed with the parent may hold its lock."""

    def after_fork(self) -> None:
        self._condition = threading.Condition()
        if not self.done():
            self.set_exception(UsageError(FORKED))


@dataclass(eq=False)
class _Group:
    """Consecutive windows on their way: their places, the array that takes their vectors, and how many are still out."""

    vectors: Vectors
    rows_out: int = 0


@dataclass(eq=False)
class _Job(Generic[T]):
    """One source on its way."""

    source: Source
    quick: bool
    sink: Sink[T]
    future: _Future[T] = field(default_factory=_Future)
    steps: Generator[None] | None = None  # of decoding; made when it begins
    groups: deque[_Group] = field(default_factory=deque)
    facts: Facts | None = None  # once it is decoded
    error: BaseException | None = None
    #: The error is no source's own: it ends the loop over many.
    fatal: bool = False
    given_up: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(self, error: BaseException, *, fatal: bool = False) -> None:
        """Note why there will be no result; the first reason stands."""
        if self.error is None:
            ordinary = isinstance(error, Exception) and not fatal
            self.fatal = not ordinary
            self.error = as_failure(self.source.name, error) if ordinary else error  # type: ignore[arg-type]


@dataclass(eq=False)
class _Rows:
    """Features that wait for the network, and where their vectors go."""

    job: _Job[Any]
    group: _Group
    features: Rows
    coverage: NDArray[np.float32]
    vectors: NDArray[np.float32]
    due: float  # when they run without more company

    def cut(self, part: slice) -> _Rows:
        """Some of the rows."""
        return _Rows(self.job, self.group, self.features[part], self.coverage[part], self.vectors[part], self.due)


class _Core:
    """The state that the threads of an engine share; it outlives the engine until what was submitted is done."""

    def __init__(self, encoder: Encoder, jobs: int) -> None:
        self.heard = Heard(encoder.passport, encoder.dim, encoder.classes)
        self._model, self._spec, self._isolate = encoder.model, encoder.window, encoder.isolate
        self._network = network = encoder.network
        self._batch = network.rows if network else 0
        self._runs = min(network.streams, jobs) if network else 0
        self._workers = jobs
        self.closed = False
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        """In a child: the threads stayed with the parent, and locks may be held for ever; the engine begins anew."""
        for stream in getattr(self, "_streams", ()):
            stream.abandon()
        for job in getattr(self, "_jobs", ()):
            job.future.after_fork()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._jobs: set[_Job[Any]] = set()  # that are not done
        self._quick: deque[_Job[Any]] = deque()  # not begun
        self._paused: deque[_Job[Any]] = deque()  # begun, and put off for a quick one
        self._many: deque[_Job[Any]] = deque()  # not begun
        self._decoding: set[_Job[Any]] = set()  # by a worker, just now
        self._waiting: deque[_Rows] = deque()
        self._waiting_rows = 0
        self._streams: set[MonoStream] = set()  # those being decoded

    # -- what callers do

    def begin(self, source: Source, sink: Sink[T], *, quick: bool) -> _Job[T]:
        """Take a source; its future has the result."""
        job = _Job(source, quick, sink)
        try:
            ONE_BLAS_THREAD.take(job)
            with self._changed:
                if self.closed:
                    raise UsageError("this engine is closed; make another: sonovec.Engine(encoder)")
                self._start()
                self._jobs.add(job)
                (self._quick if quick else self._many).append(job)
                self._changed.notify_all()
        except BaseException:  # an interrupt among others
            ONE_BLAS_THREAD.give_back(job)
            raise
        return job

    def _start(self) -> None:
        """With the lock held: have all threads."""
        _RUNNING.add(self)
        works = [self._decode] * self._workers + [self._infer] * self._runs
        for work in works[len(self._threads) :]:
            thread = threading.Thread(target=work, name=f"sonovec{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)
            _THREADS.add(thread)

    def give_up(self, jobs: Iterable[_Job[Any]]) -> None:
        """End jobs that nobody waits for any more, as soon as a worker sees it."""
        for job in jobs:
            job.given_up = True
        self.wake()

    def wake(self) -> None:
        """Have all threads look again; it waits no longer than a second, for garbage may be what calls it, anywhere."""
        if self._changed.acquire(timeout=1):
            try:
                self._changed.notify_all()
            finally:
                self._changed.release()

    def close(self, *, cancel: bool) -> None:
        """Take no more, and let the threads end when all is done; with `cancel`, give up what is not."""
        self.closed = True
        if cancel:
            self.give_up(list(self._jobs))
        self.wake()

    def join(self) -> None:
        """Wait for the threads, once it is closed; a thread of this engine waits for none."""
        if not self.has(threading.current_thread()):
            for thread in list(self._threads):
                thread.join()
            _RUNNING.discard(self)

    def has(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of the engine's."""
        return thread in self._threads

    # -- what workers do

    def _decode(self) -> None:
        while (job := self._next_job()) is not None:
            put_off = False
            try:
                put_off = self._decode_some(job)
            except _Stopped:
                pass
            except BaseException as error:  # noqa: BLE001 - it is this source's alone, or is raised where the caller waits
                job.fail(error)
            with self._changed:
                self._decoding.discard(job)
                if put_off:
                    self._paused.append(job)
                self._changed.notify_all()
            if not put_off:
                self._settle(job)

    def _next_job(self) -> _Job[Any] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._quick or self._paused or self._many or self.closed)
            queue = self._quick or self._paused or self._many
            if not queue:
                return None
            job = queue.popleft()
            self._decoding.add(job)
            return job

    def _decode_some(self, job: _Job[Any]) -> bool:
        """Decode a job to its end, or until a quick one waits that should come first: True where it is put off."""
        if job.steps is None:
            if job.given_up:
                job.future.cancel()
            if not job.future.set_running_or_notify_cancel():
                job.given_up = True
                return False
            job.steps = self._steps(job)
        put_off = False
        try:
            while not put_off and not job.given_up and job.error is None:  # an error of rows that were decoded before
                if next(job.steps, self) is self:  # the end
                    break
                put_off = bool(self._quick)
        finally:
            if not put_off:
                job.steps.close()
        return put_off

    def _steps(self, job: _Job[Any]) -> Generator[None]:
        """Decode a job; each step is some windows."""
        source, empty = job.source, True
        with open_source(source, self._model.card.rate, self._isolate) as stream, self._noted(stream):
            stream.tap = job.sink.begin(stream.info)
            for windows in frame(stream, self._spec):
                self._take(job, windows)
                empty = False
                yield
            job.sink.end()
            facts = Facts(
                rate=stream.info.rate,
                channels=stream.info.channels,
                codec=stream.info.codec,
                duration=stream.source_frames / stream.info.rate,
                notes=tuple(stream.notes),
            )
        if empty:
            raise AudioError(f"{source.name}: no sound in the range asked for; give start and end within the file")
        job.facts = facts

    @contextmanager
    def _noted(self, stream: MonoStream) -> Iterator[None]:
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)

    def _take(self, job: _Job[Any], windows: Windows) -> None:
        """Compute features, and let them wait for the network."""
        features = self._model.features(windows.samples, windows.coverage)
        count, width = len(windows), self._model.dim + len(self._model.classes)
        places = (windows.starts, windows.ends, windows.coverage, windows.silent)
        if self._network is None:
            with job.lock:
                job.groups.append(_Group(Vectors(*places, self._model.finish(features, windows.coverage))))
            self._settle(job)
            return
        group = _Group(Vectors(*places, np.empty((count, width), np.float32)), count)
        due = time.monotonic() + (QUICK_WAIT if job.quick else WAIT)
        rows = _Rows(job, group, features, windows.coverage, group.vectors.rows, due)
        with self._changed:
            self._changed.wait_for(lambda: self._waiting_rows < WAITING_BATCHES * self._batch or job.given_up)
            if job.given_up:
                raise _Stopped
            job.groups.append(group)
            self._waiting.append(rows)
            self._waiting_rows += count
            self._changed.notify_all()

    # -- what network threads do

    def _infer(self) -> None:
        while pieces := self._next_rows():
            alive = [piece for piece in pieces if piece.job.error is None and not piece.job.given_up]
            try:
                self._embed(alive)
            except BaseException as error:  # noqa: BLE001 - it is raised again where the callers wait
                for piece in alive:
                    piece.job.fail(error, fatal=True)
            for piece in pieces:
                with piece.job.lock:
                    piece.group.rows_out -= len(piece.features)
            for job in {piece.job: None for piece in pieces}:
                self._settle(job)

    def _next_rows(self) -> list[_Rows]:
        """The rows to run next, of one batch at most; none when the engine ends."""
        with self._changed:
            while not (count := self._due()):
                if self.closed and not (self._expected or self._waiting):
                    return []
                self._changed.wait(self._patience())
            pieces = self._take_rows(count)
            self._changed.notify_all()
            return pieces

    @property
    def _expected(self) -> bool:
        """Whether a worker is about to bring more rows."""
        return bool(self._decoding or self._quick or self._paused or self._many)

    def _due(self) -> int:
        """How many of the waiting rows are to run now.

        An incomplete batch runs only when no worker is about to fill it, so that one clip is answered at once; or when it
        has waited long enough, for what a worker decodes may be slow.
        """
        count = self._waiting_rows
        if not count or count >= self._batch:
            return min(count, self._batch)
        if self._expected and self._patience() > 0:  # type: ignore[operator]
            return 0
        assert self._network is not None
        return min(count, self._network.quick_rows) if all(rows.job.quick for rows in self._waiting) else count

    def _patience(self) -> float | None:
        """Seconds until the first of the waiting rows has waited long enough."""
        due = min((rows.due for rows in self._waiting), default=None)
        return None if due is None else max(0.0, due - time.monotonic())

    def _take_rows(self, room: int) -> list[_Rows]:
        pieces = []
        while room:
            rows = self._waiting.popleft()
            if len(rows.features) > room:
                self._waiting.appendleft(rows.cut(slice(room, None)))
                rows = rows.cut(slice(room))
            pieces.append(rows)
            room -= len(rows.features)
            self._waiting_rows -= len(rows.features)
        return pieces

    def _embed(self, pieces: Sequence[_Rows]) -> None:
        """Run rows of several jobs at once; if that fails, those of each alone, so that only its own fail a source."""
        if not pieces:
            return
        try:
            self._run_network(pieces)
        except SonovecError:
            raise
        except Exception as error:  # noqa: BLE001 - it is one source's, or will be each one's
            alone = [list(group) for _, group in groupby(pieces, key=lambda piece: piece.job)]
            if len(alone) == 1:
                pieces[0].job.fail(error)
            else:
                for group in alone:
                    self._embed(group)

    def _run_network(self, pieces: Sequence[_Rows]) -> None:
        assert self._network is not None
        features = [row for piece in pieces for row in piece.features]
        outputs = self._network.run(features, quick=all(piece.job.quick for piece in pieces))
        vectors = self._model.finish(outputs, np.concatenate([piece.coverage for piece in pieces]))
        row = 0
        for piece in pieces:
            piece.vectors[:] = vectors[row : row + len(piece.features)]
            row += len(piece.features)

    # -- what both do

    def _settle(self, job: _Job[Any]) -> None:
        """Give the sink what is complete, in order; a job whose last row is back is done."""
        with job.lock:
            try:
                while job.error is None and job.groups and not job.groups[0].rows_out:
                    job.sink.push(job.groups[0].vectors)
                    job.groups.popleft()  # only now: another thread takes a job without groups for complete
            except Exception as error:  # noqa: BLE001 - it is this source's alone
                job.fail(error)
        with self._changed:
            complete = job.facts is not None and not job.groups
            if (
                job in self._decoding
                or job not in self._jobs
                or not (complete or job.given_up or job.error is not None)
            ):
                return
            self._jobs.discard(job)
        _finish(job, complete=complete)


def _finish(job: _Job[Any], *, complete: bool) -> None:
    """Settle a job's future, under no lock: what waits for it is the callers' code."""
    done, result = False, None
    if complete and job.facts is not None and job.error is None:
        try:
            result, done = job.sink.finish(job.facts), True
        except Exception as error:  # noqa: BLE001 - it is this source's alone
            job.fail(error)
    ONE_BLAS_THREAD.give_back(job)
    if done:
        job.future.set_result(result)
    elif not job.future.done():  # cancelled
        job.future.set_exception(job.error or CancelledError())


class _Feed(Generic[T]):
    """Draws the sources of an iterator of the caller's, in a thread of its own, for they may take long."""

    def __init__(self, core: _Core, sources: Iterable[Source], sink_of: SinkOf[T]) -> None:
        self._core, self._sources, self._sink_of = core, sources, sink_of
        self.order: SimpleQueue[_Job[T] | BaseException | None] = SimpleQueue()  # jobs, and what ended it
        self._room: SimpleQueue[bool] = SimpleQueue()
        self._jobs: dict[_Job[T], None] = {}  # that are not handed over
        self._thread: threading.Thread | None = None
        self.forked = False
        self._ended = False

    def start(self) -> None:
        """Begin to draw."""
        forks.watch(self)
        _FEEDS.add(self)
        ONE_BLAS_THREAD.take(self)
        for _ in range(AHEAD):
            self._room.put(True)
        thread = threading.Thread(target=self._draw, name="sonovec_draw", daemon=True)
        thread.start()
        self._thread = thread

    def after_fork(self) -> None:
        """In a child: the thread stayed with the parent."""
        self.forked = self._ended = True

    def _draw(self) -> None:
        try:
            sources = iter(self._sources)
            while self._room.get():
                source = next(sources, None)
                if self._ended or source is None:
                    break
                job = self._core.begin(source, self._sink_of(source), quick=False)
                self._jobs[job] = None
                self.order.put(job)
        except BaseException as error:  # noqa: BLE001 - raised again behind the results of what came before
            self.order.put(error)
        self.order.put(None)

    def hand_over(self, job: _Job[T]) -> None:
        """Note that the caller has the result of a job, so that another may begin."""
        self._jobs.pop(job, None)
        self._room.put(True)

    def end(self) -> list[_Job[T]]:
        """Draw no more, and give up what was not handed over; it waits for nothing, for garbage may be what calls it."""
        if not self._ended:
            self._ended = True
            self._room.put(False)
        ONE_BLAS_THREAD.give_back(self)
        left = list(self._jobs)
        if left:
            self._core.give_up(left)
        return left

    def join(self, patience: float | None = None) -> None:
        """Wait until the iterator gave its last; the thread of the feed itself and those of the engine wait for nothing."""
        here = threading.current_thread()
        if self._thread and here is not self._thread and not self._core.has(here):
            self._thread.join(patience)


class Results(Iterator[T | Failure], Generic[T]):
    """The results of many sounds, in the order of the input; made by `Engine.embed_many`.

    Nothing is read before the first is asked for. What was begun ends with `close`, or when the results are dropped.
    """

    def __init__(self, engine: Engine, feed: _Feed[T]) -> None:
        self._engine = engine  # which goes on as long as its results are asked for
        self._feed = feed
        self._begun = self._closed = False

    def __next__(self) -> T | Failure:
        if self._feed.forked:
            raise UsageError(FORKED)
        if self._closed:
            raise StopIteration
        try:
            if not self._begun:
                self._begun = True
                self._feed.start()
            job = self._feed.order.get()
            if job is None:
                raise StopIteration
            if isinstance(job, BaseException):
                raise job
            error = job.future.exception()  # waits for it
            if error is not None and job.fatal:
                raise error
        except BaseException:
            self.close()
            raise
        self._feed.hand_over(job)
        return job.future.result() if error is None else Failure(job.source.path, error)  # type: ignore[arg-type]

    def close(self) -> None:
        """End what was begun, and wait until no file is read any more."""
        self._closed = True
        if self._begun and not self._feed.forked:
            left = self._feed.end()
            self._feed.join()
            left += self._feed.end()  # what began meanwhile
            if not self._engine.is_of(threading.current_thread()):
                wait([job.future for job in left])

    def __del__(self) -> None:
        if self._begun and not self._feed.forked:
            self._feed.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Engine:
    """Embeds for many callers at once through one network, in batches that are filled across callers.

    Every encoder has one, `Encoder.engine`, and `Encoder.embed`, `Encoder.embed_many` and `Encoder.submit` are its
    methods; one of your own has a number of threads of its own. It may be used from any thread. In a forked child it
    begins anew: what was submitted before fails there with a `UsageError`.

    Parameters
    ----------
    encoder : Encoder
    jobs : int, optional
        Threads that decode, and calls of the network at once; without it the encoder's.

    Raises
    ------
    UsageError
        If `jobs` is not a positive whole number.

    Examples
    --------
    >>> import sonovec
    >>> noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32) / 10
    >>> with Engine(sonovec.load("default"), jobs=2) as engine:
    ...     futures = [engine.submit((noise, 16000)) for _ in range(20)]
    ...     {future.result().vector.shape for future in futures}
    {(512,)}
    """

    def __init__(self, encoder: Encoder, jobs: int | None = None) -> None:
        self.jobs = encoder.jobs if jobs is None else settle_jobs(jobs)
        self._core = _Core(encoder, self.jobs)

    def submit(self, sound: Sound, start: float = 0.0, end: float | None = None) -> Future[Embedding]:
        """Begin to embed one sound, or the seconds `start` to `end` of it, and return at once.

        Parameters and errors are those of `Encoder.embed`; the errors are raised by the future's `result`, but for a
        range that is none, and an engine that is closed. ``await asyncio.wrap_future(engine.submit(...))`` waits for it
        in a coroutine. ``cancel`` of the future ends what has not begun.
        """
        return self._begin(source_of(sound, start, end)).future

    def embed(self, sound: Sound, start: float = 0.0, end: float | None = None) -> Embedding:
        """Embed one sound; see `Encoder.embed`."""
        job = self._begin(source_of(sound, start, end))
        try:
            return job.future.result()
        except BaseException:
            self._core.give_up([job])  # an interrupt comes at any moment
            raise

    def embed_many(self, sounds: Iterable[Sound], start: float = 0.0, end: float | None = None) -> Results[Embedding]:
        """Embed many sounds; see `Encoder.embed_many`."""
        check_many(sounds)
        check_range(start, end)
        return self.run_many((source_of(sound, start, end) for sound in sounds), self._whole)

    def run_many(self, sources: Iterable[Source], sink_of: SinkOf[T]) -> Results[T]:
        """What sinks make of many sources, in their order; see `sonovec.embedding.gather`."""
        return Results(self, _Feed(self._core, sources, sink_of))

    @property
    def heard(self) -> Heard:
        """What sinks have to know of the model."""
        return self._core.heard

    def _begin(self, source: Source) -> _Job[Embedding]:
        return self._core.begin(source, self._whole(source), quick=True)

    def _whole(self, source: Source) -> Whole:
        return Whole(source, self._core.heard)

    def is_of(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of the engine's."""
        return self._core.has(thread)

    def close(self, *, cancel: bool = False) -> None:
        """Take no more sounds, wait for what was submitted, and end the threads; safe to call twice.

        Parameters
        ----------
        cancel : bool
            Give up what is not done: its futures are cancelled.
        """
        self._core.close(cancel=cancel)
        self._core.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.close(cancel=kind is not None)

    def __del__(self) -> None:
        if core := getattr(self, "_core", None):
            core.close(cancel=False)


#: Engines whose threads are at work, and iterators that are drawn from.
_RUNNING: weakref.WeakSet[_Core] = weakref.WeakSet()
_FEEDS: weakref.WeakSet[_Feed[Any]] = weakref.WeakSet()
#: Threads of engines; those that live, since Python holds no other.
_THREADS: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def _stop_running() -> None:
    """Before the interpreter ends: a thread that comes back from native code afterwards aborts the process."""
    feeds, cores = list(_FEEDS), list(_RUNNING)
    for feed in feeds:
        feed.end()
    for core in cores:
        core.close(cancel=True)
    for feed in feeds:
        feed.join(PATIENCE)
    # Not of these engines alone: the threads of one that was dropped a moment ago may be freeing its network.
    for thread in list(_THREADS):
        thread.join()


atexit.register(_stop_running)
