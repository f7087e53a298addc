"""Bytes that are read forwards, so that a cover of any size is passed over and never held."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Protocol

from sonovec.audio.section import Section

BLOCK = 1 << 16


class Forward(Protocol):
    """What can be read and passed over."""

    def read(self, size: int, /) -> bytes:
        """Give the next bytes, fewer at the end."""

    def skip(self, size: int, /) -> None:
        """Pass over the next bytes."""


class Straight:
    """A section of a file as it lies there."""

    def __init__(self, section: Section) -> None:
        self._section = section.part()

    def read(self, size: int, /) -> bytes:
        """Give the next bytes, fewer at the end."""
        return self._section.read(size)

    def skip(self, size: int, /) -> None:
        """Pass over the next bytes."""
        self._section.seek(size, io.SEEK_CUR)


class Pieces:
    """What pieces hold, one behind another.

    Examples
    --------
    >>> pieces = Pieces(iter([b"012", b"3456", b"789"]))
    >>> pieces.read(2), pieces.skip(3), pieces.read(3), pieces.read(9)
    (b'01', None, b'567', b'89')
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""

    def read(self, size: int, /) -> bytes:
        """Give the next bytes, fewer at the end."""
        return b"".join(self._take(size))

    def skip(self, size: int, /) -> None:
        """Pass over the next bytes."""
        for _ in self._take(size):
            pass

    def _take(self, size: int) -> Iterator[bytes]:
        while size > 0:
            while not self._piece:
                if (piece := next(self._pieces, None)) is None:
                    return
                self._piece = piece
            taken, self._piece = self._piece[:size], self._piece[size:]
            size -= len(taken)
            yield taken


def exactly(source: Forward | Section, size: int) -> bytes:
    """Read as many bytes as that.

    Raises
    ------
    ValueError
        There are fewer.
    """
    data = source.read(size)
    if len(data) < size:
        raise ValueError("the tag is cut off")
    return data


def number(source: Forward | Section, size: int = 4) -> int:
    """Read a number, its lowest byte first.

    Raises
    ------
    ValueError
    """
    return int.from_bytes(exactly(source, size), "little")
