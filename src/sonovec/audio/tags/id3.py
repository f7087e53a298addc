"""ID3 tags of all versions: 2.2, 2.3 and 2.4 before the sound or in a chunk, 1 behind it.

Only frames of names that are wanted are read; a cover is passed over.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from sonovec.audio import magic
from sonovec.audio.section import Section
from sonovec.audio.tags import genres
from sonovec.audio.tags.forward import BLOCK, Forward, Pieces, Straight, exactly
from sonovec.audio.tags.names import MOST_BYTES, MOST_ITEMS, WANTED, check_size, decode

_HEADER = 10
_UNSYNCHRONISED, _EXTENDED = 0x80, 0x40
_GENRES = ("TCON", "TCO")
_CODECS = {b"\0": "latin-1", b"\1": "utf-16", b"\2": "utf-16-be"}
_NAME = re.compile(rb"[A-Z][A-Z0-9]{2,3}")
_OLD_SIZE = 128
#: Fields of version 1: where they begin, and how long they are.
_OLD = {"title": (3, 30), "artist": (33, 30), "album": (63, 30), "date": (93, 4)}


class _Layout(NamedTuple):
    """How a version writes its frames."""

    name: int
    size: int
    header: int
    grouped: int = 0
    compressed: int = 0
    encrypted: int = 0
    unsynchronised: int = 0
    counted: int = 0
    """Flag of a frame whose length, once it is unpacked, stands before its content."""


_LAYOUTS = {
    2: _Layout(3, 3, 6),
    3: _Layout(4, 4, 10, grouped=0x20, compressed=0x80, encrypted=0x40, counted=0x80),
    4: _Layout(4, 4, 10, grouped=0x40, compressed=0x08, encrypted=0x04, unsynchronised=0x02, counted=0x01),
}


def read(tag: Section) -> Iterator[tuple[str, str]]:
    """Give the texts of a tag of version 2; nothing where there is none."""
    tag.seek(0)
    head = tag.read(_HEADER)
    if not (length := magic.id3_length(head)):
        return
    version, flags = head[3], head[5]
    layout = _LAYOUTS.get(version)
    if layout is None:
        raise ValueError(f"ID3 has no version 2.{version}")
    body = tag.part(_HEADER, length)
    whole = bool(flags & _UNSYNCHRONISED)
    source: Forward = Pieces(_resynchronised(body)) if whole and version < 4 else Straight(body)
    if flags & _EXTENDED and version > 2 and not _NAME.match(body.head()):
        _skip_extension(source, version)
    for name, frame_flags, data in _frames(source, layout, body if version == 4 else None):
        if not frame_flags & layout.encrypted:
            content = _unpacked(data, frame_flags, layout, whole and version == 4)
            yield from ((name, text) for text in _texts(name, content))


def read_old(tag: Section) -> Iterator[tuple[str, str]]:
    """Give the texts of a tag of version 1; nothing where there is none."""
    content = tag.tail(_OLD_SIZE)
    if len(tag) != _OLD_SIZE or not content.startswith(b"TAG"):
        return
    for name, (start, size) in _OLD.items():
        yield name, content[start : start + size].partition(b"\0")[0].decode("latin-1")
    if content[127] != 255:
        yield "genre", genres.name(content[127])


def of_dsf(file: Section) -> Iterator[tuple[str, str]]:
    """Give the texts of the tag that the header of a DSF file points to."""
    file.seek(20)
    place = int.from_bytes(exactly(file, 8), "little")
    if place:
        yield from read(file.part(place))


def _resynchronised(body: Section) -> Iterator[bytes]:
    """Take out the zeros that keep a tag from looking like MPEG audio."""
    body.seek(0)
    carried = b""
    while block := body.read(BLOCK):
        block = carried + block
        carried = block[-1:] if block.endswith(b"\xff") else b""
        yield block[: len(block) - len(carried)].replace(b"\xff\0", b"\xff")
    yield carried


def _skip_extension(source: Forward, version: int) -> None:
    raw = exactly(source, 4)
    # The size of the one counts itself, seven bits a byte; that of the other does not.
    source.skip(synchsafe(raw) - 4 if version == 4 else int.from_bytes(raw, "big"))


def synchsafe(raw: bytes) -> int:
    """Read a size of seven bits a byte."""
    size = 0
    for byte in raw:
        size = size << 7 | byte & 0x7F
    return size


def _frames(source: Forward, layout: _Layout, body: Section | None) -> Iterator[tuple[str, int, bytes]]:
    """Give name, flags and content of the frames that are wanted; `body` is that of version 2.4, whose sizes may be wrong."""
    at = 0
    for _ in range(MOST_ITEMS):
        head = source.read(layout.header)
        raw = head[: layout.name]
        if len(head) < layout.header or not _NAME.fullmatch(raw):  # padding, the end, or damage
            return
        at += layout.header
        digits = head[layout.name : layout.name + layout.size]
        size = int.from_bytes(digits, "big") if body is None else size_in_2_4(digits, body, at)
        at += size
        name = raw.decode("ascii")
        if name in WANTED:
            check_size(name, size)
            yield name, head[-1], source.read(size)
        else:
            source.skip(size)


def size_in_2_4(digits: bytes, body: Section, at: int) -> int:
    """Read the size of a frame: seven bits a byte, but some programs write eight as in 2.3; what follows tells which."""
    sizes = synchsafe(digits), int.from_bytes(digits, "big")
    return next((size for size in sizes if _ends_a_frame(body, at + size)), sizes[0])


def _ends_a_frame(body: Section, at: int) -> bool:
    body.seek(at)
    following = body.read(4)
    return at <= len(body) and (not following.strip(b"\0") or _NAME.fullmatch(following) is not None)


def _unpacked(data: bytes, flags: int, layout: _Layout, unsynchronised: bool) -> bytes:
    if flags & layout.grouped:
        data = data[1:]
    if flags & layout.counted:
        data = data[4:]
    if unsynchronised or flags & layout.unsynchronised:
        data = data.replace(b"\xff\0", b"\xff")
    if flags & layout.compressed:
        data = zlib.decompressobj().decompress(data, MOST_BYTES)
    return data


def _texts(name: str, content: bytes) -> Iterator[str]:
    encoding, raw = content[:1], content[1:]
    if encoding == b"\3":
        text = decode(raw)
    elif encoding in _CODECS:
        text = raw[: len(raw) if encoding == b"\0" else len(raw) // 2 * 2].decode(_CODECS[encoding], "replace")
    else:
        return
    text = text.replace("\ufeff", "")
    if name not in _GENRES:
        yield text
        return
    for value in text.split("\0"):
        yield from genres.of_id3(value)
