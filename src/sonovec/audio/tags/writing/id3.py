"""Two frames into an ID3 tag of version 2: `TBPM`, a whole number, and `TKEY`, such as ``F#m``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sonovec.audio.section import Section
from sonovec.audio.tags.id3 import size_in_2_4, synchsafe
from sonovec.audio.tags.writing.pieces import NotWrittenError, Said, copied, held

_HEADER = 10
_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
#: The version of a new tag: all players and programs for disc jockeys read it.
_NEW = 3
_NAMES = {2: ("TBP", "TKE"), 3: ("TBPM", "TKEY"), 4: ("TBPM", "TKEY")}
_LATIN_1 = b"\0"
_MOST = 1 << 28


def added(tag: Section | None, said: Said) -> Iterator[bytes]:
    """Give a tag with frames added behind those that it has, or a new one.

    Raises
    ------
    NotWrittenError
        The tag is of a kind into which nothing can be put without changing the rest of it.
    """
    if tag is None:
        frames = _frames(_NEW, said)
        yield b"ID3" + bytes([_NEW, 0, 0]) + _digits(len(frames)) + frames
        return
    head = tag.part(0, _HEADER).read()
    version, flags = head[3], head[5]
    if version not in _NAMES:
        raise NotWrittenError(f"its ID3 tag is of the unknown version 2.{version}")
    if flags & (_EXTENDED | _FOOTER) or (flags & _UNSYNCHRONISED and version < 4):
        raise NotWrittenError("its ID3 tag is extended, has a footer or is unsynchronised")
    body = tag.part(_HEADER, _HEADER + synchsafe(head[6:_HEADER]))
    end = _end(body, version)
    padding = held(body.part(end), "the padding of its ID3 tag")
    if padding.strip(b"\0"):
        raise NotWrittenError("its ID3 tag has frames that cannot be read")
    frames = _frames(version, said)
    left = max(0, len(padding) - len(frames))
    size = end + len(frames) + left
    if size >= _MOST:
        raise NotWrittenError("its ID3 tag is as large as such a tag can be")
    yield head[:6] + _digits(size)
    yield from copied(body.part(0, end))
    yield frames + bytes(left)


def of_mpeg(before: Section, said: Said) -> Iterator[bytes]:
    """Give what lies before MPEG audio, its tags, with what is said in the first of them."""
    length = tag_length(before)
    yield from added(before.part(0, length) if length else None, said)
    yield from copied(before.part(length))


def tag_length(section: Section) -> int:
    """Give the length of the tag that a section begins with; 0 where there is none."""
    head = section.part(0, _HEADER).read()
    if len(head) < _HEADER or not head.startswith(b"ID3"):
        return 0
    return _HEADER + synchsafe(head[6:]) + (_HEADER if head[5] & _FOOTER else 0)


def _end(body: Section, version: int) -> int:
    """Where the frames end, and padding begins."""
    width, header = (3, 6) if version == 2 else (4, 10)
    name, at = re.compile(rb"[A-Z][A-Z0-9]{%d}" % (width - 1)), 0
    while at + header <= len(body):
        body.seek(at)
        head = body.read(header)
        if not name.fullmatch(head[:width]):
            break
        digits = head[width : 2 * width]
        at += header
        at += size_in_2_4(digits, body, at) if version == 4 else int.from_bytes(digits, "big")
    if at > len(body):
        raise NotWrittenError("its ID3 tag is cut off")
    return at


def _frames(version: int, said: Said) -> bytes:
    texts = (None if said.tempo is None else str(said.whole_tempo), said.key)
    return b"".join(
        _frame(version, name, text) for name, text in zip(_NAMES[version], texts, strict=True) if text is not None
    )


def _frame(version: int, name: str, text: str) -> bytes:
    content = _LATIN_1 + text.encode("latin-1")
    size = len(content).to_bytes(3 if version == 2 else 4, "big")  # below 128, so also in seven bits a byte
    return name.encode() + size + (b"" if version == 2 else bytes(2)) + content


def _digits(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
