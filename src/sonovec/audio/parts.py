"""The streams that stand one behind another in a file, each as a file of its own."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sonovec.audio import headers, magic, ogg
from sonovec.audio.section import Section

_READ = 1 << 20
# The mark of FLAC and the header of its first block: eight bytes that no sound gives by chance.
_FLAC = b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22"
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


@dataclass(frozen=True)
class Part:
    """A stream, and whether it goes on with the stream of the part before it, behind what is lost between them."""

    source: Section | ogg.Run
    continues: bool = False


class Parts:
    """What a file is to be decoded as: one part for most.

    Attributes
    ----------
    joined
        Whether there may be several.
    notes
        What is worth knowing of how they are joined; complete once the parts are exhausted.
    """

    def __init__(self, file: Section) -> None:
        self._file = file
        kind = magic.kind(file.head())
        known = kind == "ogg" and ogg.holds_known_audio(file)
        self._ogg = ogg.OggFile(file) if known else None
        self._cuts = list(_CUTS[kind](file)) if kind in _CUTS else []

    @property
    def joined(self) -> bool:
        """Whether there may be several."""
        return self._ogg is not None or bool(self._cuts)

    @property
    def notes(self) -> list[str]:
        """What is worth knowing of how they are joined, a sentence each."""
        if self._ogg:
            return self._ogg.notes
        return [f"{len(self._cuts) + 1} files joined together, all of which are read"] if self._cuts else []

    def __iter__(self) -> Iterator[Part]:
        if self._ogg:
            for run in self._ogg.runs():
                yield Part(run, continues=not run.begins_link)
            return
        for start, end in zip([0, *self._cuts], [*self._cuts, len(self._file)], strict=True):
            yield Part(self._file.part(start, end))


def _flac(file: Section) -> Iterator[int]:
    return iter(sorted(at for mark in _FLAC for at in _find(file, mark) if at))


def _matroska(file: Section) -> Iterator[int]:
    """Where the header of another file stands behind the segment of the one before it."""
    at = 0
    while (following := _behind_segment(file.part(at))) is not None:
        at += following
        yield at


def _behind_segment(file: Section) -> int | None:
    at = 0
    for name in (_EBML, _SEGMENT):
        file.seek(at)
        head = file.read(12)
        if not head.startswith(name):
            return None
        length, size = _ebml_size(head[4:])
        if size is None:  # of a recording that was streamed: it ends where the next one begins
            return next((place for place in _find(file, _EBML) if place and _is_matroska(file.part(place))), None)
        at += 4 + length + size
    return at if _is_matroska(file.part(at)) else None


def _is_matroska(file: Section) -> bool:
    head = file.read(64)
    return head.startswith(_EBML) and (b"matroska" in head or b"webm" in head)


def _ebml_size(data: bytes) -> tuple[int, int | None]:
    """Give how many bytes a size takes, and the size; None where it says that it does not know."""
    length = 9 - data[0].bit_length() if data and data[0] else 8
    value = int.from_bytes(data[:length], "big") & ((1 << 7 * length) - 1)
    return length, None if value == (1 << 7 * length) - 1 else value


def _mp4(file: Section) -> Iterator[int]:
    """Where a file type stands behind a whole movie."""
    at, whole = 0, False
    while at < len(file):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, name = struct.unpack_from(">I4s", head)
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
        if name == b"ftyp" and whole:
            yield at
        whole = whole or name == b"moov"
        if size < 8:  # to the end of the file
            return
        at += size


def _chunked(file: Section) -> Iterator[int]:
    """Where a file of chunks follows another."""
    at = 0
    while (chunk := headers.data_chunk(file.part(at))) is not None and chunk.joined:
        at += chunk.joined
        yield at


_CUTS: dict[str, Callable[[Section], Iterator[int]]] = {
    "flac": _flac,
    "matroska": _matroska,
    "mp4": _mp4,
    "wav": _chunked,
    "aiff": _chunked,
    "au": _chunked,
}


def _find(file: Section, mark: bytes) -> Iterator[int]:
    """Give every place where some bytes stand."""
    at, before = 0, b""
    while True:
        file.seek(at)
        block = file.read(_READ)
        if not block:
            return
        data = before + block
        yield from (at - len(before) + match.start() for match in re.finditer(re.escape(mark), data))
        at += len(block)
        before = data[-(len(mark) - 1) :]
