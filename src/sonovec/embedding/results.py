"""The results of many sounds, in the order of the input, while an iterator of the caller's gives more of them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from sonovec import forks
from sonovec.embedding.blas import ONE_BLAS_THREAD
from sonovec.embedding.embedding import Failure
from sonovec.embedding.gather import Sink
from sonovec.embedding.pipeline import FORKED, Pipeline, Task
from sonovec.embedding.source import Source
from sonovec.errors import UsageError
from sonovec.jobs import TICK, Job

if TYPE_CHECKING:
    from sonovec.embedding.engine import Engine

#: Sources of one iterator that may be begun and not yet handed over; bounds what waits behind one long file.
AHEAD = 64

T = TypeVar("T")
Waited = TypeVar("Waited")
#: What makes the sink of a source.
SinkOf = Callable[[Source], Sink[T]]
#: Called with the number of results that were handed over, and the seconds of sound that were heard.
Watch = Callable[[int, float], object]


class Feed(Generic[T]):
    """Draws the sources of an iterator of the caller's, in a thread of its own, for they may take long."""

    def __init__(self, pipeline: Pipeline, sources: Iterable[Source], sink_of: SinkOf[T]) -> None:
        self._pipeline, self._sources, self._sink_of = pipeline, sources, sink_of
        self.order: SimpleQueue[Task[T] | BaseException | None] = SimpleQueue()  # tasks, and what ended it
        self._room: SimpleQueue[bool] = SimpleQueue()
        self._tasks: dict[Task[T], None] = {}  # that are not handed over
        self._handed, self._seconds = 0, 0.0  # of what is
        self._thread: threading.Thread | None = None
        self.forked = False
        self._ended = False

    def start(self) -> None:
        """Begin to draw."""
        forks.watch(self)
        FEEDS.add(self)
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
                task = self._pipeline.begin(source, self._sink_of(source), quick=False)
                self._tasks[task] = None
                self.order.put(task)
        except BaseException as error:  # noqa: BLE001 - raised again behind the results of what came before
            self.order.put(error)
        self.order.put(None)

    def hand_over(self, task: Task[T]) -> None:
        """Note that the caller has the result of a task, so that another may begin."""
        self._handed += 1
        self._seconds += task.seconds
        self._tasks.pop(task, None)
        self._room.put(True)

    @property
    def position(self) -> tuple[int, float]:
        """How many results were handed over, and how many seconds of sound were heard, those of files on their way too."""
        return self._handed, self._seconds + sum(task.seconds for task in list(self._tasks))

    def end(self) -> list[Task[T]]:
        """Draw no more, and give up what was not handed over; it waits for nothing, for garbage may be what calls it."""
        if not self._ended:
            self._ended = True
            self._room.put(False)
        ONE_BLAS_THREAD.give_back(self)
        left = list(self._tasks)
        if left:
            self._pipeline.give_up(left)
        return left

    def join(self, patience: float | None = None) -> None:
        """Wait until the iterator gave its last; the thread of the feed itself and those of the engine wait for nothing."""
        here = threading.current_thread()
        if self._thread and here is not self._thread and not self._pipeline.has(here):
            self._thread.join(patience)


class Results(Iterator[T | Failure], Generic[T]):
    """The results of many sounds, in the order of the input; made by `Engine.embed_many`.

    Nothing is read before the first is asked for. What was begun ends with `close`, or when the results are dropped.
    Before each result, and again and again while it is waited for, `watch` is called; what it raises ends the loop. A
    `job` begins with the first result and ends with the last.
    """

    def __init__(self, engine: Engine, feed: Feed[T], watch: Watch | None, job: Job | None) -> None:
        self._engine = engine  # which goes on as long as its results are asked for
        self._feed = feed
        self._watch = watch
        self._job = job
        self._begun = self._closed = False

    def __next__(self) -> T | Failure:
        if self._feed.forked:
            raise UsageError(FORKED)
        if self._closed:
            raise StopIteration
        if self._job and not self._begun:
            self._job.begin()
        try:
            if not self._begun:
                self._begun = True
                self._feed.start()
            if self._watch:
                self._watch(*self._feed.position)
            task = self._waited(lambda seconds: self._feed.order.get(timeout=seconds))
            if task is None:
                raise StopIteration
            if isinstance(task, BaseException):
                raise task
            error = self._waited(task.future.exception)
            if error is not None and task.fatal:
                raise error
        except BaseException as reason:
            self._end(None if isinstance(reason, StopIteration) else reason)
            raise
        self._feed.hand_over(task)
        return task.future.result() if error is None else Failure(task.source.path, error)  # type: ignore[arg-type]

    def _waited(self, get: Callable[[float | None], Waited]) -> Waited:
        """What `get` gives, which takes seconds after which it gives up; watched meanwhile."""
        while self._watch:
            try:
                return get(TICK)
            except (Empty, TimeoutError):
                self._watch(*self._feed.position)
        return get(None)

    def close(self) -> None:
        """End what was begun, and wait until no file is read any more."""
        self._end(GeneratorExit())

    def _end(self, reason: BaseException | None) -> None:
        try:
            self._end_feed()
        finally:
            self._end_job(reason)

    def _end_job(self, reason: BaseException | None) -> None:
        if self._job and self._begun and not self._closed:
            self._job.end(reason)
        self._closed = True

    def _end_feed(self) -> None:
        if self._begun and not self._feed.forked:
            left = self._feed.end()
            self._feed.join()
            left += self._feed.end()  # what began meanwhile
            if not self._engine.is_of(threading.current_thread()):
                wait([task.future for task in left])

    def __del__(self) -> None:
        if self._begun and not self._feed.forked:
            self._feed.end()
            self._end_job(GeneratorExit())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


#: Iterators that are drawn from.
FEEDS: weakref.WeakSet[Feed[Any]] = weakref.WeakSet()
