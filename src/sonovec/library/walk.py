"""What an index run finds, by the batch; nothing of it is kept but what could not be read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from sonovec.audio.scan import Found, Skipped, scan

#: Files that are looked up together: so many, or those that were found in so many seconds.
LOOK_UP, LOOK_UP_SECONDS = 1000, 0.2


class Walk:
    """A walk through files and folders.

    Parameters
    ----------
    paths : sequence of Path
    is_own : callable
        See `scan`.
    counted : bool
        Let a thread walk ahead and count, so that it can be told how much there is to do.
    check : callable
        Called with each item, and may raise what ends the walk.

    Attributes
    ----------
    unreadable : list of Path
        What could not be read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        is_own: Callable[[Path], bool],
        *,
        counted: bool,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._check = check
        self._paths = paths
        self._is_own = is_own
        self._walked = self._ahead = 0
        self._stopped = self._done = False
        self._counter = threading.Thread(target=self._count, daemon=True) if counted else None
        self.unreadable: list[Path] = []

    def __enter__(self) -> Self:
        if self._counter is not None:
            self._counter.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped = True
        if self._counter is not None:
            self._counter.join()

    @property
    def found(self) -> int:
        """Files and folders that were found so far, by the walk or by the thread that counts."""
        return self._walked if self._done else max(self._walked, self._ahead)

    def batches(self, size: int, seconds: float) -> Iterator[list[Found | Skipped]]:
        """What is found, in its order: at most `size` items, and what took `seconds`, at a time."""
        batch: list[Found | Skipped] = []
        began = time.monotonic()
        for item in scan(self._paths, self._is_own):
            self._walked += 1
            self._check()
            if isinstance(item, Skipped) and item.failed:
                self.unreadable.append(item.path)
            batch.append(item)
            if len(batch) >= size or time.monotonic() - began > seconds:
                yield batch
                batch, began = [], time.monotonic()
        self._done = True
        if batch:
            yield batch

    def _count(self) -> None:
        for _ in scan(self._paths, self._is_own):
            self._ahead += 1
            if self._stopped:
                return
