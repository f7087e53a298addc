"""Threads that read files for an index run, beside those that decode: hashes of content, and tags."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Self, TypeVar

T = TypeVar("T")

#: Files that are read ahead of those that are chosen, and files that are chosen together.
AHEAD, TOGETHER = 64, 32
#: Seconds that the end of a run waits for a thread that reads a large file.
PATIENCE = 1.0


class Readers:
    """A few threads, and what waits for them; what is `urgent` goes first.

    Examples
    --------
    >>> with Readers(2) as readers:
    ...     groups = readers.ahead(["a.wav", "b"], lambda name: readers.submit(lambda path: path.suffix, Path(name)))
    ...     [(name, ending.result()) for group in groups for name, ending in group]
    [('a.wav', '.wav'), ('b', '')]
    """

    def __init__(self, threads: int) -> None:
        self._tasks: queue.PriorityQueue[tuple[bool, int, Future[Any] | None, Any]] = queue.PriorityQueue()
        self._number = count()
        self._stopped = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def submit(self, read: Callable[[Path], T], path: Path, urgent: bool = False) -> Future[T]:
        """Read a file in one of the threads; after the end of the run, never."""
        future: Future[T] = Future()
        if self._stopped:
            future.cancel()
            return future
        self._tasks.put((not urgent, next(self._number), future, (read, path)))
        return future

    def ahead(self, items: Iterable[T], begin: Callable[[T], Future[str]]) -> Iterator[list[tuple[T, Future[str]]]]:
        """Begin to read items, at most `AHEAD` before they are asked for, and give them in their order when they are read.

        They come in groups: one that is waited for, and those behind it that are ready by then.
        """
        waiting: deque[tuple[T, Future[str]]] = deque()
        for item in items:
            waiting.append((item, begin(item)))
            if len(waiting) == AHEAD:
                yield _next_group(waiting)
        while waiting:
            yield _next_group(waiting)

    def stop(self) -> None:
        """Drop what is not begun, and wait for what is, if that takes no longer than `PATIENCE`."""
        self._stopped = True
        with suppress(queue.Empty):
            while True:
                _, _, future, _ = self._tasks.get_nowait()
                if future is not None:
                    future.cancel()
        for _ in self._threads:
            self._tasks.put((False, next(self._number), None, None))
        for thread in self._threads:
            thread.join(PATIENCE)

    def _work(self) -> None:
        while True:
            _, _, future, task = self._tasks.get()
            if future is None:
                return
            read, path = task
            try:
                future.set_result(read(path))
            except BaseException as error:  # noqa: BLE001 - it is raised again where the result is asked for
                future.set_exception(error)


def _next_group(waiting: deque[tuple[T, Future[str]]]) -> list[tuple[T, Future[str]]]:
    group = [waiting.popleft()]
    wait([group[0][1]])
    if group[0][1].cancelled():  # the run has ended
        raise CancelledError
    while waiting and waiting[0][1].done() and len(group) < TOGETHER:
        group.append(waiting.popleft())
    return group
