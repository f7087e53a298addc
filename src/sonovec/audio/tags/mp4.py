"""The list of items that MP4 files have in `moov.udta.meta.ilst`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sonovec.audio.section import Section
from sonovec.audio.tags import genres
from sonovec.audio.tags.forward import exactly
from sonovec.audio.tags.names import MOST_ITEMS, WANTED, check_size, decode

_PATH = ("moov", "udta", "meta", "ilst")
_GENRE, _TEMPO = "gnre", "tmpo"
#: An item whose name is a text inside it.
_FREE = "----"
_UTF16 = 2


def read(file: Section) -> Iterator[tuple[str, str]]:
    """Give the texts of the items, and numbers as texts; of a genre that is a number, its name."""
    for kind, item in _find(file, _PATH):
        name = _free_name(item) if kind == _FREE else kind
        if name not in WANTED:
            continue
        for part, data in _atoms(item):
            if part == "data":
                check_size(name, len(data))
                yield name, _READERS.get(name, _text)(data.read())


def _free_name(item: Section) -> str:
    """The name of a free item, as ``----:initialkey``; who made it up does not matter."""
    for part, content in _atoms(item):
        if part == "name":
            check_size(_FREE, len(content))
            return f"{_FREE}:{decode(content.read()[4:]).lower()}"
    return _FREE


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
    return genres.name(int.from_bytes(content[8:10], "big") - 1)


def _number(content: bytes) -> str:
    return str(int.from_bytes(content[8:], "big"))


_READERS: Mapping[str, Callable[[bytes], str]] = {_GENRE: _genre, _TEMPO: _number}
