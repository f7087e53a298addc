"""An ID3 tag in a chunk of a WAV or AIFF file; a new chunk comes last, so that nothing else moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sonovec.audio.section import Section
from sonovec.audio.tags.writing import id3
from sonovec.audio.tags.writing.pieces import NotWrittenError, Said, copied

_FIRST = 12
_MOST = (1 << 32) - 2
_FORMS: dict[bytes, tuple[Literal["little", "big"], bytes]] = {b"RIFF": ("little", b"id3 "), b"FORM": ("big", b"ID3 ")}


def of_chunks(file: Section, said: Said) -> Iterator[bytes]:
    """Give the file with a tag added.

    Raises
    ------
    NotWrittenError
        It is no plain WAV or AIFF whose chunks fill it.
    """
    head = file.part(0, _FIRST).read()
    if head[:4] not in _FORMS:
        raise NotWrittenError("of WAV and AIFF, tags are written into those below 4 GiB alone")
    order, name = _FORMS[head[:4]]
    if int.from_bytes(head[4:8], order) + 8 != len(file):
        raise NotWrittenError("its length is not the one that its header states")
    found = [(start, size) for kind, start, size in _chunks(file, order) if kind.upper() == b"ID3 "]
    if len(found) > 1:
        raise NotWrittenError("it has several ID3 tags")
    start, size = found[0] if found else (len(file) + 8, 0)
    chunk = file.part(start, start + size)
    used = id3.tag_length(chunk)
    if size and not 0 < used <= size:
        raise NotWrittenError("its ID3 tag cannot be read")
    tag = b"".join(id3.added(chunk.part(0, used) if size else None, said)) + (chunk.part(used).read() if size else b"")
    behind = start + size + size % 2
    length = start + len(tag) + len(tag) % 2 + max(0, len(file) - behind)
    if length - 8 > _MOST:
        raise NotWrittenError("it is as large as such a file can be")
    yield head[:4] + (length - 8).to_bytes(4, order) + head[8:]
    yield from copied(file.part(_FIRST, start - 8))
    yield name if not found else file.part(start - 8, start - 4).read()
    yield len(tag).to_bytes(4, order) + tag + bytes(len(tag) % 2)
    yield from copied(file.part(behind)) if behind < len(file) else ()


def _chunks(file: Section, order: Literal["little", "big"]) -> Iterator[tuple[bytes, int, int]]:
    """Give name, place and length of the chunks; they fill the file."""
    at = _FIRST
    while at < len(file):
        head = file.part(at, at + 8).read()
        size = int.from_bytes(head[4:], order)
        if len(head) < 8 or at + 8 + size + size % 2 > len(file):
            raise NotWrittenError("its chunks do not fill it")
        yield head[:4], at + 8, size
        at += 8 + size + size % 2
