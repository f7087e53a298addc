"""A lock that says who holds it, for what one process at a time may do."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from sonovec.errors import LibraryLockedError
from sonovec.paths import display


class Lock:
    """Hold `path` for this process until `release`; the operating system releases it when the process dies.

    Parameters
    ----------
    path : Path
        The lock file; who holds it is written beside it.
    doing : str
        What the holder does, for the message of who comes second, such as ``"indexing into /music"``.
    remedy : str
        What who comes second should do.

    Raises
    ------
    LibraryLockedError
        If another process holds it, or another object of this one; the message says which.
    OSError
        If the file cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Lock(Path(folder, "a.lock"), "writing", "wait") as lock:
    ...     lock.path.exists()
    True
    """

    def __init__(self, path: Path, doing: str, remedy: str) -> None:
        from filelock import FileLock, Timeout

        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path, timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise LibraryLockedError(_refusal(path, doing, remedy)) from None
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        with suppress(OSError):  # the lock holds without it; only the message gets poorer
            _beside(path).write_text(json.dumps(holder), encoding="utf-8")

    def release(self) -> None:
        """Let go; releasing twice is allowed."""
        if self._lock.is_locked:
            with suppress(OSError):
                _beside(self.path).unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".holder")


def _refusal(path: Path, doing: str, remedy: str) -> str:
    try:
        holder = json.loads(_beside(path).read_text(encoding="utf-8"))
        pid, host, since = (holder[name] for name in ("pid", "host", "since"))
    except (OSError, ValueError, KeyError, TypeError):
        return f"{doing}: another process holds it (see {display(path)}); {remedy}"
    if (pid, host) == (os.getpid(), socket.gethostname()):
        return (
            f"{doing}: this same process ({pid}) has held it since {since}; wait until that call ends, or close the Library "
            "object that holds it"
        )
    return f"{doing}: process {pid} on {host} has held it since {since}; {remedy}"
