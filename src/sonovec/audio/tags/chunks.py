"""What WAV and AIFF files keep in chunks beside the sound: an ID3 tag, texts of their own, and the tempo of a loop."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from sonovec.audio import headers
from sonovec.audio.section import Section
from sonovec.audio.tags import id3
from sonovec.audio.tags.names import MOST_BYTES, WANTED, check_size, decode

#: Flags; the note of the sound and its beats and meter; beats a minute. A sound that is played once has a meaningless tempo.
_ACID, _ONE_SHOT = struct.Struct("<I16sf"), 1


def of_id3(file: Section) -> Iterator[tuple[str, str]]:
    """Give the texts of an ID3 tag in a chunk."""
    for name, start, size in headers.chunks(file):
        if name.upper() == b"ID3 ":
            yield from id3.read(file.part(start, start + size))


def of_texts(file: Section) -> Iterator[tuple[str, str]]:
    """Give the INFO list and the tempo of a WAV file, and the texts of an AIFF file."""
    for chunk, start, size in headers.chunks(file):
        file.seek(start)
        name = chunk.decode("latin-1")
        if chunk == b"LIST" and file.read(4) == b"INFO":
            yield from _info(file.part(start + 4, start + size))
        elif chunk == b"acid" and size >= _ACID.size:
            yield from _acid(file.read(_ACID.size))
        elif name in WANTED:
            check_size(name, size)
            yield name, decode(file.read(size).rstrip(b"\0"))


def _acid(block: bytes) -> Iterator[tuple[str, str]]:
    """Give the tempo of a loop, from the chunk of Sonic Foundry's ACID, which most samplers write."""
    kind, _, tempo = _ACID.unpack(block)
    if not kind & _ONE_SHOT and math.isfinite(tempo):
        yield "tempo of ACID", f"{tempo:.3f}"


def _info(block: Section) -> Iterator[tuple[str, str]]:
    """Give the texts of a list; one that is cut off counts as far as it goes."""
    at = 0
    while at + 8 <= min(len(block), MOST_BYTES):
        block.seek(at)
        raw, size = struct.unpack("<4sI", block.read(8))
        name = raw.decode("latin-1")
        if name in WANTED:
            check_size(name, min(size, len(block)))
            yield name, decode(block.read(size).rstrip(b"\0"))
        at += 8 + size + size % 2
