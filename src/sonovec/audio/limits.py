"""How much computing and memory a file may take, in proportion to its size, so that no file holds up a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sonovec.errors import AudioError

#: Seconds of computing that any file may take, and bytes that are worth one more. The slowest real files, Opus of 6 kbit/s,
#: take a second for some 200 kB.
SECONDS, BYTES_A_SECOND = 60.0, 20_000
#: Bytes of memory that a child process may take for any file, and how many for each byte of it.
MEMORY, MEMORY_A_BYTE = 1 << 30, 8
#: Samples a second that a sound can have.
RATES = 100, 100_000_000


def seconds_for(size: int) -> float:
    """Give how many seconds of computing the decoding of a file of `size` bytes may take.

    Examples
    --------
    >>> seconds_for(1_000_000)
    110.0
    """
    return SECONDS + size / BYTES_A_SECOND


def memory_for(size: int) -> int:
    """Give how many bytes of memory the decoding of a file of `size` bytes may take."""
    return MEMORY + MEMORY_A_BYTE * size


def too_slow(name: str, size: int) -> AudioError:
    """Say that a file took too long."""
    return AudioError(
        f"{name}: its {size} bytes took over {seconds_for(size):.0f} s to decode, more than any sound of that size needs; "
        "leave it out, or export it again"
    )


class Allowance:
    """The computing that one file may take.

    Parameters
    ----------
    name : str
        What an error calls the file.
    size : int
        Its bytes.

    Examples
    --------
    >>> allowance = Allowance("a.wav", 1000)
    >>> with allowance.spend():
    ...     pass
    """

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._left = seconds_for(size)

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Count the computing of this thread within the block.

        Raises
        ------
        AudioError
            More was spent than the file may take.
        """
        # Not the time of day: waiting for a disk, or for other programs, is not the file's fault.
        began = time.thread_time()
        yield
        self._left -= time.thread_time() - began
        if self._left < 0:
            raise too_slow(self._name, self._size)
