"""What a header claims about length, so that it can be compared with what was decoded; never used to decode."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from io import FileIO
from typing import NamedTuple

from sonovec.audio import magic

_UNKNOWN_32 = 0xFFFFFFFF


class DataChunk(NamedTuple):
    """The audio of a file of chunks, in bytes."""

    claimed: int | None
    """What the header says; None where it says that it does not know."""
    present: int
    """What is really there, at most `claimed`."""
    stray: int
    """What follows the audio and belongs to no chunk: audio that the header does not count, or junk."""


class OggEnding(NamedTuple):
    """What the last page of an Ogg file says."""

    other_stream: bool
    """The file ends in another stream than it begins with, as recordings of web radio do."""
    cut_off: bool
    """The page is not marked as the last of its stream."""


class _Layout(NamedTuple):
    """How a family of containers writes its chunks."""

    magic: bytes
    first: int
    id_length: int
    size: str
    align: int
    size_counts_header: bool
    data: bytes
    prefix: int
    """Bytes of the data chunk that come before the samples."""


_LAYOUTS = (
    _Layout(b"RIFF", 12, 4, "<I", 2, False, b"data", 0),
    _Layout(b"RIFX", 12, 4, ">I", 2, False, b"data", 0),
    _Layout(b"RF64", 12, 4, "<I", 2, False, b"data", 0),
    _Layout(b"FORM", 12, 4, ">I", 2, False, b"SSND", 8),
    _Layout(b"caff", 8, 4, ">q", 1, False, b"data", 4),
    _Layout(b"riff", 40, 16, "<Q", 8, True, b"data", 0),
)

# Encoders of MPEG audio write the number of frames into the first frame under one of these names.
_FRAME_COUNTS = (b"Xing", b"Info")
_MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_OGG_TAIL = 1 << 17  # two pages of the largest size
_OGG_PAGE = 18  # bytes of a page header up to the number of its stream


def data_chunk(file: FileIO) -> DataChunk | None:
    """Measure the audio of a WAV, RF64, W64, AIFF, CAF or AU file; None for every other."""
    file.seek(0)
    head = file.read(16) or b""
    size = os.fstat(file.fileno()).st_size
    if head[:4] in (b".snd", b"dns."):
        return _au_chunk(head, size)
    for layout in _LAYOUTS:
        if head.startswith(layout.magic):
            return _find_data(file, layout, size)
    return None


def mpeg_seconds(head: bytes) -> float | None:
    """Give the length in seconds that the first frame of MPEG audio claims, or None where it claims none.

    Bit-rate estimates are no claim: they are wrong for every file of variable rate.

    Examples
    --------
    >>> mpeg_seconds(bytes.fromhex("fffb9000") + bytes(32) + b"Info" + bytes([0, 0, 0, 1, 0, 0, 1, 0]))
    6.69
    """
    if magic.kind(head) != "mpeg" or len(head) < 4:
        return None
    version, rate_index = head[1] >> 3 & 3, head[2] >> 2 & 3
    if head[1] >> 1 & 3 != 1 or version not in _MPEG_RATES or rate_index == 3:
        return None
    for name in _FRAME_COUNTS:
        at = head.find(name, 4, 4 + 64)
        if at > 0 and len(head) >= at + 12 and head[at + 7] & 1:
            (frames,) = struct.unpack_from(">I", head, at + 8)
            return float(frames * (1152 if version == 3 else 576) / _MPEG_RATES[version][rate_index])
    return None


def ogg_ending(file: FileIO) -> OggEnding | None:
    """Look at the last page of an Ogg file; None for every other file, and where no page is found."""
    file.seek(0)
    first = file.read(_OGG_PAGE) or b""
    if not first.startswith(b"OggS"):
        return None
    file.seek(max(0, os.fstat(file.fileno()).st_size - _OGG_TAIL))
    tail = file.read(_OGG_TAIL) or b""
    page = tail[tail.rfind(b"OggS\x00") :][:_OGG_PAGE]
    if len(page) < _OGG_PAGE:
        return None
    return OggEnding(other_stream=page[14:18] != first[14:18], cut_off=not page[5] & 4)


def _au_chunk(head: bytes, size: int) -> DataChunk | None:
    if len(head) < 12:
        return None
    offset, claimed = struct.unpack_from(">II" if head[:4] == b".snd" else "<II", head, 4)
    return _measure(claimed, max(0, size - offset))


def _find_data(file: FileIO, layout: _Layout, size: int) -> DataChunk | None:
    """Walk the chunks to the end of the file; what breaks the walk is stray."""
    found: DataChunk | None = None
    large: int | None = None  # RF64 keeps the size of `data` in `ds64`
    header = layout.id_length + struct.calcsize(layout.size)
    for name, start, length in _chunks(file, layout, size):
        if found is not None and not _is_name(name):
            return found._replace(stray=size - start + header)
        if name == b"ds64" and layout.magic == b"RF64":
            file.seek(start + 8)
            (large,) = struct.unpack("<Q", file.read(8) or bytes(8))
        elif found is None and name.startswith(layout.data):
            claimed = large if large is not None and length == _UNKNOWN_32 else length
            found = _measure(claimed - layout.prefix, size - start - layout.prefix)
            if found.claimed is None:  # where the next chunk begins is unknown too
                break
    return found


def _measure(claimed: int, there: int) -> DataChunk:
    """Compare a claim with the bytes that follow; 0 and all ones stand for sizes that a recorder never filled in."""
    if claimed <= 0 or claimed == _UNKNOWN_32:
        return DataChunk(None, there, 0)
    return DataChunk(claimed, min(claimed, there), 0)


def _chunks(file: FileIO, layout: _Layout, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Give name, offset of the content and claimed length of each chunk."""
    header = layout.id_length + struct.calcsize(layout.size)
    at = layout.first
    while at + header <= size:
        file.seek(at)
        raw = file.read(header) or b""
        if len(raw) < header:
            return
        (length,) = struct.unpack_from(layout.size, raw, layout.id_length)
        length -= header if layout.size_counts_header else 0
        yield raw[: layout.id_length], at + header, length
        if length < 0:  # up to the end of the file
            return
        at += header + length + -length % layout.align


def _is_name(name: bytes) -> bool:
    return all(32 <= byte < 127 for byte in name[:4])
