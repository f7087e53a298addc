"""The list of items that MP4 files have in `moov.udta.meta.ilst`."""

from __future__ import annotations

from collections.abc import Iterator

from sonovec.audio.section import Section
from sonovec.audio.tags import genres
from sonovec.audio.tags.forward import exactly
from sonovec.audio.tags.names import MOST_ITEMS, WANTED, check_size, decode

_PATH = ("moov", "udta", "meta", "ilst")
_GENRE = "gnre"
_UTF16 = 2


def read(file: Section) -> Iterator[tuple[str, str]]:
    """Give the texts of the items; of a genre that is a number, its name."""
    for name, item in _find(file, _PATH):
        if name not in WANTED:
            continue
        for kind, data in _atoms(item):
            if kind == "data":
                check_size(name, len(data))
                content = data.read()
                yield name, _genre(content[8:]) if name == _GENRE else _text(content)


def _find(section: Section, path: tuple[str, ...]) -> Iterator[tuple[str, Section]]:
    if not path:
        yield from _atoms(section)
        return
    for name, inside in _atoms(section):
        if name == path[0]:
            # QuickTime's `meta` is as any other atom, that of MP4 has a version before its atoms.
            versioned = name == "meta" and inside.head()[4:8] != b"hdlr"
            yield from _find(inside.part(4 if versioned else 0), path[1:])


def _atoms(section: Section) -> Iterator[tuple[str, Section]]:
    at = 0
    for _ in range(MOST_ITEMS):
        section.seek(at)
        head = section.read(8)
        if len(head) < 8:
            return
        begins, size = at + 8, int.from_bytes(head[:4], "big")
        if size == 1:
            begins, size = at + 16, int.from_bytes(exactly(section, 8), "big")
        ends = len(section) if size == 0 else at + size
        if ends < begins:
            raise ValueError(f"an atom of {size} bytes is shorter than its header")
        yield head[4:].decode("latin-1"), section.part(begins, min(ends, len(section)))
        at = ends


def _text(content: bytes) -> str:
    return content[8:].decode("utf-16-be", "replace") if content[3:4] == bytes([_UTF16]) else decode(content[8:])


def _genre(content: bytes) -> str:
    return genres.name(int.from_bytes(content[:2], "big") - 1)
