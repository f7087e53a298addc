"""How much memory there is, and what to say when a network does not fit into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sonovec.cgroups import free_of_limit
from sonovec.errors import OutOfMemoryError

#: How OpenVINO and PyTorch word it.
WORDINGS = (
    "bad_alloc",
    "bad alloc",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
)


def free_memory() -> int:
    """Bytes that this process may still take, by the machine and by the limits of its container."""
    import psutil

    return int(min(psutil.virtual_memory().available, free_of_limit()))


@contextmanager
def enough_memory(key: str, task: str) -> Iterator[None]:
    """Turn a failed allocation within the block into one line that says what to do.

    Raises
    ------
    OutOfMemoryError
    """
    try:
        yield
    except MemoryError as error:
        raise _out_of_memory(key, task) from error
    except RuntimeError as error:
        if not any(wording in str(error).lower() for wording in WORDINGS):
            raise
        raise _out_of_memory(key, task) from error


def _out_of_memory(key: str, task: str) -> OutOfMemoryError:
    free = free_memory() / 2**30
    return OutOfMemoryError(
        f"{key}: not enough memory to {task} it ({free:.1f} GiB are free on this machine); close other programs, or take a "
        "smaller model: sonovec models"
    )
