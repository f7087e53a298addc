"""The descriptions in the header of ASF files: WMA and WMV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from uuid import UUID

from sonovec.audio.section import Section
from sonovec.audio.tags.forward import exactly, number
from sonovec.audio.tags.names import MOST_ITEMS, WANTED, check_size

_HEADER_SIZE = 30
_CONTENT = UUID("75b22633-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_EXTENDED = UUID("d2d0a440-e307-11d2-97f0-00a0c95ea850").bytes_le
_EXTENSION = UUID("5fbf03b5-a92e-11cf-8ee3-00c00c205365").bytes_le
_LIBRARY = UUID("44231c94-9498-49d1-a141-1d134e457054").bytes_le
#: Bytes of the header extension before the objects in it.
_EXTENSION_SIZE = 22
_CONTENT_NAMES = ("Title", "Author", "Copyright", "Description", "Rating")
_TEXT, _NUMBERS = 0, (2, 3, 4, 5)


def read(file: Section) -> Iterator[tuple[str, str]]:
    """Give the texts, and numbers as texts; first those that have a place of their own, whatever order the objects have."""
    file.seek(16)
    objects = [*_objects(file.part(_HEADER_SIZE, number(file, 8)))]
    for kind, texts in _READERS.items():
        for found, inside in objects:
            if found == kind:
                yield from texts(inside)


def _objects(section: Section) -> Iterator[tuple[bytes, Section]]:
    at = 0
    for _ in range(MOST_ITEMS):
        section.seek(at)
        kind = section.read(16)
        if len(kind) < 16:
            return
        size = number(section, 8)
        if size < 24:
            raise ValueError(f"an object of {size} bytes is shorter than its header")
        inside = section.part(at + 24, min(at + size, len(section)))
        if kind == _EXTENSION:
            yield from _objects(inside.part(_EXTENSION_SIZE))
        else:
            yield kind, inside
        at += size


def _content(section: Section) -> Iterator[tuple[str, str]]:
    sizes = [number(section, 2) for _ in _CONTENT_NAMES]
    for name, size in zip(_CONTENT_NAMES, sizes, strict=True):
        text = exactly(section, size)
        if name in WANTED:
            yield name, _decode(text)


def _pairs(section: Section, before: int, width: int) -> Iterator[tuple[str, str]]:
    """Give what a list of names and values holds; the two lists differ in where lengths stand, and in their width.

    The one has the length of the name, the name, the kind and the length of the value, the value; the other the language and
    the stream, the length of the name, the kind, the length of the value, the name, the value.
    """
    for _ in range(min(number(section, 2), MOST_ITEMS)):
        exactly(section, before)
        name_size = number(section, 2)
        raw = b"" if before else exactly(section, name_size)
        kind = number(section, 2)
        size = number(section, width)
        name = _decode(raw or exactly(section, name_size))
        after = section.tell() + size
        if name in WANTED:
            check_size(name, size)
            if kind == _TEXT:
                yield name, _decode(exactly(section, size))
            elif kind in _NUMBERS:
                yield name, str(number(section, size))
        section.seek(after)


def _decode(raw: bytes) -> str:
    return raw[: len(raw) // 2 * 2].decode("utf-16-le", "replace").rstrip("\0")


_READERS: Mapping[bytes, Callable[[Section], Iterator[tuple[str, str]]]] = {
    _CONTENT: _content,
    _EXTENDED: partial(_pairs, before=0, width=2),
    _LIBRARY: partial(_pairs, before=4, width=4),
}
