"""A stretch of a file that reads as a file of its own."""

from __future__ import annotations

import io
import os
import struct
from io import FileIO

from sonovec.audio import magic

_MOST_TAGS = 4


class Section(io.RawIOBase):
    """The bytes `start` to `end` of an open file; several may read from one file in turn.

    It has no name, since FFmpeg would guess a format from that.

    Parameters
    ----------
    file : FileIO
        Stays open when the section is closed.
    start, end : int
        In bytes; `end` None is the end of the file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryFile(buffering=0) as file:
    ...     _ = file.write(b"0123456789")
    ...     section = Section(file, 2, 6)
    ...     section.read(), section.seek(-1, 2), section.read(5)
    (b'2345', 3, b'5')
    """

    name = ""

    def __init__(self, file: FileIO, start: int = 0, end: int | None = None) -> None:
        size = os.fstat(file.fileno()).st_size
        self._file = file
        self.start = start
        self.end = size if end is None else min(end, size)
        self._at = 0

    def __len__(self) -> int:
        return max(0, self.end - self.start)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place, counted from the beginning of the section."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self)}[whence])
        return self._at

    def tell(self) -> int:
        """Give the place."""
        return self._at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Fill a buffer as far as one read of the file does."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes; without `size` all that is left."""
        left = max(0, len(self) - self._at)
        if not left:  # damaged headers lead to places that no file has
            return b""
        self._file.seek(self.start + self._at)
        data = self._file.read(left if size < 0 else min(size, left)) or b""
        self._at += len(data)
        return data

    def part(self, start: int = 0, end: int | None = None) -> Section:
        """Give a stretch of this one, which keeps a place of its own."""
        return Section(self._file, self.start + start, self.end if end is None else self.start + end)

    def descriptor(self) -> int:
        """Give the descriptor of the whole file, at its beginning."""
        self._file.seek(0)
        return self._file.fileno()

    def head(self) -> bytes:
        """Give the first bytes, by which `sonovec.audio.magic` knows what it is; the place stays where it is."""
        at, self._at = self._at, 0
        head = self.read(magic.HEAD)
        self._at = at
        return head

    def tail(self, size: int) -> bytes:
        """Give the last bytes, none where there are fewer."""
        return self.part(len(self) - size).read() if size <= len(self) else b""


def without_tags(file: FileIO) -> Section:
    """Give the file without the tags that players put before and behind any sound, of any size and number.

    ID3v2 before it; ID3v1, Lyrics3 and APE behind it. Where nothing that is known follows an ID3v2 tag, the tag is what
    the file is known by, and stays.
    """
    return split_tags(file)[0]


def split_tags(file: FileIO) -> tuple[Section, list[Section]]:
    """Give the file as `without_tags` does, and its tags: those before it, then those behind it, from the outside in."""
    whole = Section(file)
    inner = whole
    tags = []
    for _ in range(_MOST_TAGS):
        if length := magic.id3_length(inner.head()):
            tags.append(inner.part(0, length))
        inner = inner.part(length)
    if not magic.kind(inner.head()):
        inner = whole
    for _ in range(_MOST_TAGS):
        if length := _tag_behind(inner):
            tags.append(inner.part(len(inner) - length))
        inner = inner.part(0, len(inner) - length)
    return inner, tags


def _tag_behind(section: Section) -> int:
    """Give the length of the tag that a section ends in, 0 where there is none."""
    tail = section.tail(32)
    if tail.startswith(b"APETAGEX"):  # before ID3v1, for a short one has its own "TAG" where that would begin
        size, flags = struct.unpack("<4xI4xI", tail[8:24])
        length = size + (32 if flags >> 31 else 0)
    elif section.tail(128).startswith(b"TAG"):
        return 128
    elif tail.endswith(b"LYRICS200") and tail[-15:-9].isdigit():
        length = int(tail[-15:-9]) + 15
    else:
        return 0
    return length if 32 <= length < len(section) else 0
