"""The threads of an engine: a source becomes a task, its windows rows of features, and the rows vectors.

Workers decode tasks, step by step, into rows of features; network threads take the rows, whatever task they belong to;
what comes back goes to the task's sink in order, and the task's future gets the result. What waits for the network is
bounded.

Tasks are quick or one of many. A quick one has a caller who waits for it alone: it is decoded before what is one of many, and
its last rows run in the network's small shape. One of many runs in full batches, so that libraries are reproducible.

An error over one source is that source's alone, whatever it is and wherever it comes up.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sonovec import forks
from sonovec.audio.stream import MonoStream
from sonovec.audio.windows import Windows
from sonovec.embedding.blas import ONE_BLAS_THREAD
from sonovec.embedding.gather import Facts, Heard, Sink, Vectors
from sonovec.embedding.source import Source, open_source
from sonovec.errors import AudioError, Cancelled, SonovecError, UsageError
from sonovec.log import as_failure

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.models.model import Rows

#: Batches of rows that may wait for the network.
WAITING_BATCHES = 4
#: Seconds that rows of quick tasks, and those of others, wait at most for company that is being decoded.
QUICK_WAIT, WAIT = 0.05, 1.0

T = TypeVar("T")

FORKED = (
    "this process was forked while sounds were embedded; call embed or embed_many again in the child, or start it with "
    "multiprocessing.get_context('spawn')"
)


class _Stopped(BaseException):
    """Raised in a thread over a task that nobody waits for any more; no `Exception`, for those are of one source."""


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
class Task(Generic[T]):
    """One source on its way."""

    source: Source
    quick: bool
    sink: Sink[T]
    future: _Future[T] = field(default_factory=_Future)
    steps: Generator[None] | None = None  # of decoding; made when it begins
    groups: deque[_Group] = field(default_factory=deque)
    facts: Facts | None = None  # once it is decoded
    seconds: float = 0.0  # of sound that were decoded
    error: BaseException | None = None
    #: The error is no source's own: it ends the loop over many.
    fatal: bool = False
    given_up: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(self, error: BaseException, *, fatal: bool = False) -> None:
        """Note why there will be no result; the first reason stands."""
        if self.error is None:
            ordinary = isinstance(error, Exception) and not isinstance(error, Cancelled) and not fatal
            self.fatal = not ordinary
            self.error = as_failure(self.source.name, error) if ordinary else error  # type: ignore[arg-type]


@dataclass(eq=False)
class _Rows:
    """Features that wait for the network, and where their vectors go."""

    task: Task[Any]
    group: _Group
    features: Rows
    coverage: NDArray[np.float32]
    vectors: NDArray[np.float32]
    due: float  # when they run without more company

    def cut(self, part: slice) -> _Rows:
        """Some of the rows."""
        return _Rows(self.task, self.group, self.features[part], self.coverage[part], self.vectors[part], self.due)


class Pipeline:
    """The state that the threads of an engine share; it outlives the engine until what was submitted is done."""

    def __init__(self, encoder: Encoder, jobs: int) -> None:
        self.heard = Heard(encoder.passport, encoder.dim, encoder.classes)
        self._model, self._spec, self._isolate = encoder.model, encoder.window, encoder.isolate
        self._cleaning = encoder.settings.cleaning
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
        for task in getattr(self, "_tasks", ()):
            task.future.after_fork()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._tasks: set[Task[Any]] = set()  # that are not done
        self._quick: deque[Task[Any]] = deque()  # not begun
        self._paused: deque[Task[Any]] = deque()  # begun, and put off for a quick one
        self._many: deque[Task[Any]] = deque()  # not begun
        self._decoding: set[Task[Any]] = set()  # by a worker, just now
        self._waiting: deque[_Rows] = deque()
        self._waiting_rows = 0
        self._streams: set[MonoStream] = set()  # those being decoded

    # -- what callers do

    def begin(self, source: Source, sink: Sink[T], *, quick: bool) -> Task[T]:
        """Take a source; its future has the result."""
        task = Task(source, quick, sink)
        try:
            ONE_BLAS_THREAD.take(task)
            with self._changed:
                if self.closed:
                    raise UsageError("this engine is closed; make another: sonovec.Engine(encoder)")
                self._start()
                self._tasks.add(task)
                (self._quick if quick else self._many).append(task)
                self._changed.notify_all()
        except BaseException:  # an interrupt among others
            ONE_BLAS_THREAD.give_back(task)
            raise
        return task

    def _start(self) -> None:
        """With the lock held: have all threads."""
        RUNNING.add(self)
        works = [self._decode] * self._workers + [self._infer] * self._runs
        for work in works[len(self._threads) :]:
            thread = threading.Thread(target=work, name=f"sonovec{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)
            THREADS.add(thread)

    def give_up(self, tasks: Iterable[Task[Any]]) -> None:
        """End tasks that nobody waits for any more, as soon as a worker sees it."""
        for task in tasks:
            task.given_up = True
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
            self.give_up(list(self._tasks))
        self.wake()

    def join(self) -> None:
        """Wait for the threads, once it is closed; a thread of this engine waits for none."""
        if not self.has(threading.current_thread()):
            for thread in list(self._threads):
                thread.join()
            RUNNING.discard(self)

    def has(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of the engine's."""
        return thread in self._threads

    # -- what workers do

    def _decode(self) -> None:
        while (task := self._next_task()) is not None:
            put_off = False
            try:
                put_off = self._decode_some(task)
            except _Stopped:
                pass
            except BaseException as error:  # noqa: BLE001 - it is this source's alone, or is raised where the caller waits
                task.fail(error)
            with self._changed:
                self._decoding.discard(task)
                if put_off:
                    self._paused.append(task)
                self._changed.notify_all()
            if not put_off:
                self._settle(task)

    def _next_task(self) -> Task[Any] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._quick or self._paused or self._many or self.closed)
            queue = self._quick or self._paused or self._many
            if not queue:
                return None
            task = queue.popleft()
            self._decoding.add(task)
            return task

    def _decode_some(self, task: Task[Any]) -> bool:
        """Decode a task to its end, or until a quick one waits that should come first: True where it is put off."""
        if task.steps is None:
            if task.given_up:
                task.future.cancel()
            if not task.future.set_running_or_notify_cancel():
                task.given_up = True
                return False
            task.steps = self._steps(task)
        put_off = False
        try:
            while not put_off and not task.given_up and task.error is None:  # an error of rows that were decoded before
                if next(task.steps, self) is self:  # the end
                    break
                put_off = bool(self._quick)
        finally:
            if not put_off:
                task.steps.close()
        return put_off

    def _steps(self, task: Task[Any]) -> Generator[None]:
        """Decode a task; each step is some windows."""
        source, empty = task.source, True
        with open_source(source, self._model.card.rate, self._isolate) as stream, self._noted(stream):
            stream.tap = task.sink.begin(stream.info)
            cleaner = self._cleaning.begin(stream.rate)
            for windows in cleaner.windows(stream, self._spec):
                self._take(task, windows)
                task.seconds = stream.source_frames / stream.info.rate
                empty = False
                yield
            task.sink.end()
            facts = Facts(
                rate=stream.info.rate,
                channels=stream.info.channels,
                codec=stream.info.codec,
                duration=stream.source_frames / stream.info.rate,
                notes=(*stream.notes, *cleaner.notes),
            )
        if empty:
            raise AudioError(f"{source.name}: no sound in the range asked for; give start and end within the file")
        task.facts = facts

    @contextmanager
    def _noted(self, stream: MonoStream) -> Iterator[None]:
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)

    def _take(self, task: Task[Any], windows: Windows) -> None:
        """Compute features, and let them wait for the network."""
        features = self._model.features(windows.samples, windows.coverage)
        count, width = len(windows), self._model.dim + len(self._model.classes)
        places = (windows.starts, windows.ends, windows.coverage, windows.silent, windows.levels)
        if self._network is None:
            with task.lock:
                task.groups.append(_Group(Vectors(*places, self._model.finish(features, windows.coverage))))
            self._settle(task)
            return
        group = _Group(Vectors(*places, np.empty((count, width), np.float32)), count)
        due = time.monotonic() + (QUICK_WAIT if task.quick else WAIT)
        rows = _Rows(task, group, features, windows.coverage, group.vectors.rows, due)
        with self._changed:
            self._changed.wait_for(lambda: self._waiting_rows < WAITING_BATCHES * self._batch or task.given_up)
            if task.given_up:
                raise _Stopped
            task.groups.append(group)
            self._waiting.append(rows)
            self._waiting_rows += count
            self._changed.notify_all()

    # -- what network threads do

    def _infer(self) -> None:
        while pieces := self._next_rows():
            alive = [piece for piece in pieces if piece.task.error is None and not piece.task.given_up]
            try:
                self._embed(alive)
            except BaseException as error:  # noqa: BLE001 - it is raised again where the callers wait
                for piece in alive:
                    piece.task.fail(error, fatal=True)
            for piece in pieces:
                with piece.task.lock:
                    piece.group.rows_out -= len(piece.features)
            for task in {piece.task: None for piece in pieces}:
                self._settle(task)

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
        return min(count, self._network.quick_rows) if all(rows.task.quick for rows in self._waiting) else count

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
        """Run rows of several tasks at once; if that fails, those of each alone, so that only its own fail a source."""
        if not pieces:
            return
        try:
            self._run_network(pieces)
        except SonovecError:
            raise
        except Exception as error:  # noqa: BLE001 - it is one source's, or will be each one's
            alone = [list(group) for _, group in groupby(pieces, key=lambda piece: piece.task)]
            if len(alone) == 1:
                pieces[0].task.fail(error)
            else:
                for group in alone:
                    self._embed(group)

    def _run_network(self, pieces: Sequence[_Rows]) -> None:
        assert self._network is not None
        features = [row for piece in pieces for row in piece.features]
        outputs = self._network.run(features, quick=all(piece.task.quick for piece in pieces))
        vectors = self._model.finish(outputs, np.concatenate([piece.coverage for piece in pieces]))
        row = 0
        for piece in pieces:
            piece.vectors[:] = vectors[row : row + len(piece.features)]
            row += len(piece.features)

    # -- what both do

    def _settle(self, task: Task[Any]) -> None:
        """Give the sink what is complete, in order; a task whose last row is back is done."""
        with task.lock:
            try:
                while task.error is None and task.groups and not task.groups[0].rows_out:
                    task.sink.push(task.groups[0].vectors)
                    task.groups.popleft()  # only now: another thread takes a task without groups for complete
            except Exception as error:  # noqa: BLE001 - it is this source's alone
                task.fail(error)
        with self._changed:
            complete = task.facts is not None and not task.groups
            if (
                task in self._decoding
                or task not in self._tasks
                or not (complete or task.given_up or task.error is not None)
            ):
                return
            self._tasks.discard(task)
        _finish(task, complete=complete)


def _finish(task: Task[Any], *, complete: bool) -> None:
    """Settle a task's future, under no lock: what waits for it is the callers' code."""
    done, result = False, None
    if complete and task.facts is not None and task.error is None:
        try:
            result, done = task.sink.finish(task.facts), True
        except Exception as error:  # noqa: BLE001 - it is this source's alone
            task.fail(error)
    ONE_BLAS_THREAD.give_back(task)
    if done:
        task.future.set_result(result)
    elif not task.future.done():  # cancelled
        task.future.set_exception(task.error or CancelledError())


#: Pipelines whose threads are at work.
RUNNING: weakref.WeakSet[Pipeline] = weakref.WeakSet()
#: Threads of pipelines; those that live, since Python holds no other.
THREADS: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
