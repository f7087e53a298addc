"""Two items more in the list of an MP4 file: `tmpo`, a whole number, and the free item `initialkey`."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from sonovec.audio.section import Section
from sonovec.audio.tags.writing.pieces import NotWrittenError, Said, copied, held

_PATH = (b"udta", b"meta", b"ilst")
#: What leads to the tables of places.
_TABLES = (b"trak", b"mdia", b"minf", b"stbl")
_WIDTHS = {b"stco": 4, b"co64": 8}
_TEXT, _NUMBER = 1, 21
_ITUNES = b"mdir"
#: Top-level atoms that have places of others in them, which are not counted anew.
_REFUSED = (b"moof", b"mfra", b"sidx")


def of_mp4(file: Section, said: Said) -> Iterator[bytes]:
    """Give the file with items added; places of sound behind them are counted anew."""
    atoms = list(_top(file))
    if any(kind in _REFUSED for kind, _, _ in atoms):
        raise NotWrittenError("it is MP4 in fragments")
    movies = [(start, end) for kind, start, end in atoms if kind == b"moov"]
    if len(movies) != 1:
        raise NotWrittenError("its MP4 header is missing, or there twice")
    start, end = movies[0]
    movie = held(file.part(start, end), "its MP4 header")
    if movie[:4] == b"\0\0\0\1":
        raise NotWrittenError("its MP4 header is more than is held at once")
    content = _with(movie[8:], _PATH, _items(said))
    more = len(content) + 8 - len(movie)
    yield from copied(file.part(0, start))
    yield _atom(b"moov", _moved(content, start, more))
    yield from copied(file.part(end))


def _top(file: Section) -> Iterator[tuple[bytes, int, int]]:
    at = 0
    while at < len(file):
        head = file.part(at, at + 16).read()
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        end = len(file) if size == 0 else at + size
        if len(head) < 8 or end < at + 8 or end > len(file):
            raise NotWrittenError("its MP4 atoms are cut off")
        yield head[4:8], at, end
        at = end


def _children(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the name and the content of atoms that fill what they are in."""
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if size < 8 or at + size > len(content):
            raise NotWrittenError("its MP4 header has atoms that cannot be read")
        yield content[at + 4 : at + 8], content[at + 8 : at + size]
        at += size


def _with(content: bytes, path: tuple[bytes, ...], items: bytes) -> bytes:
    if not path:
        return content + items
    name, parts, found = path[0], [], False
    for kind, inside in _children(content):
        if kind == name and not found:
            found = True
            version = inside[:4] if name == b"meta" else b""
            if name == b"meta":
                _check_meta(inside)
            inside = version + _with(inside[len(version) :], path[1:], items)
        parts.append(_atom(kind, inside))
    return b"".join(parts) + (b"" if found else _new(path, items))


def _check_meta(inside: bytes) -> None:
    """Refuse lists of another kind than iTunes', as QuickTime has them."""
    if (
        inside[4:8] == b"hdlr"
        or next((c[8:12] for kind, c in _children(inside[4:]) if kind == b"hdlr"), b"") != _ITUNES
    ):
        raise NotWrittenError("its tags are those of QuickTime")


def _new(path: tuple[bytes, ...], items: bytes) -> bytes:
    inside = _new(path[1:], items) if len(path) > 1 else items
    if path[0] == b"meta":
        inside = bytes(4) + _atom(b"hdlr", bytes(8) + _ITUNES + b"appl" + bytes(9)) + inside
    return _atom(path[0], inside)


def _moved(content: bytes, behind: int, more: int) -> bytes:
    """The header with the places of what lies behind it counted anew."""
    parts = []
    for kind, inside in _children(content):
        if kind in _TABLES:
            inside = _moved(inside, behind, more)
        elif kind in _WIDTHS:
            inside = _places(inside, _WIDTHS[kind], behind, more)
        elif kind == b"cmov":
            raise NotWrittenError("its MP4 header is compressed")
        parts.append(_atom(kind, inside))
    return b"".join(parts)


def _places(table: bytes, width: int, behind: int, more: int) -> bytes:
    count = int.from_bytes(table[4:8], "big")
    layout = struct.Struct(f">{count}{'I' if width == 4 else 'Q'}")
    if len(table) < 8 + layout.size:
        raise NotWrittenError("its MP4 header is cut off")
    moved = [place + more if place > behind else place for place in layout.unpack_from(table, 8)]
    if moved and max(moved) >= 1 << 8 * width:
        raise NotWrittenError("it is as large as such a file can be")
    return table[:8] + layout.pack(*moved) + table[8 + layout.size :]


def _items(said: Said) -> bytes:
    items = b""
    if said.whole_tempo is not None:
        items += _atom(b"tmpo", _data(_NUMBER, said.whole_tempo.to_bytes(2, "big")))
    if said.key is not None:
        name = _atom(b"mean", bytes(4) + b"com.apple.iTunes") + _atom(b"name", bytes(4) + b"initialkey")
        items += _atom(b"----", name + _data(_TEXT, said.key.encode()))
    return items


def _data(kind: int, value: bytes) -> bytes:
    return _atom(b"data", struct.pack(">II", kind, 0) + value)


def _atom(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content
