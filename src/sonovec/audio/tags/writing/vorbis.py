"""Two Vorbis comments more, `BPM` and `INITIALKEY`, in FLAC, in Ogg Vorbis and in Ogg Opus."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from sonovec.audio import ogg
from sonovec.audio.section import Section
from sonovec.audio.tags.writing.pieces import NotWrittenError, Said, copied, held

_COMMENTS, _LAST = 4, 0x80
_LONGEST_BLOCK = (1 << 24) - 1
_VENDOR = b"sonovec"
_CONTINUED, _FIRST = 1, 2
_MOST_PIECES, _WHOLE_PIECE = 255, 255


class _Codec(NamedTuple):
    """How the packet of comments begins, and how many packets the headers behind the first are."""

    prefix: bytes
    packets: int


_CODECS = {b"\x01vorbis": _Codec(b"\x03vorbis", 2), b"OpusHead": _Codec(b"OpusTags", 1)}


def of_flac(file: Section, said: Said) -> Iterator[bytes]:
    """Give a FLAC file with comments added; its seek points count from the first frame, and stay right."""
    at, last = 4, 0
    blocks: list[tuple[int, Section]] = []
    while not last:
        head = file.part(at, at + 4).read()
        size = int.from_bytes(head[1:], "big")
        if len(head) < 4 or at + 4 + size > len(file):
            raise NotWrittenError("its FLAC header is cut off")
        last = head[0] & _LAST
        blocks.append((head[0] & ~_LAST, file.part(at + 4, at + 4 + size)))
        at += 4 + size
    if not any(kind == _COMMENTS for kind, _ in blocks):
        none = struct.pack("<I", len(_VENDOR)) + _VENDOR + bytes(4)
        yield from copied(file.part(0, blocks[0][1].start - file.start - 4))
        yield from _block(blocks[0][0], blocks[0][1], False)
        block = _with(none, said)
        yield bytes([_COMMENTS | (_LAST if len(blocks) == 1 else 0)]) + len(block).to_bytes(3, "big") + block
        yield from copied(file.part(blocks[0][1].end - file.start))
        return
    place = next(place for place, (kind, _) in enumerate(blocks) if kind == _COMMENTS)
    comments = blocks[place][1]
    block = _with(held(comments, "the comments"), said)
    if len(block) > _LONGEST_BLOCK:
        raise NotWrittenError("its comments take as much as a block of FLAC can")
    start = comments.start - file.start - 4
    yield from copied(file.part(0, start))
    yield file.part(start, start + 1).read() + len(block).to_bytes(3, "big") + block
    yield from copied(file.part(start + 4 + len(comments)))


def _block(kind: int, content: Section, last: bool) -> Iterator[bytes]:
    yield bytes([kind | (_LAST if last else 0)]) + len(content).to_bytes(3, "big")
    yield from copied(content)


def of_ogg(file: Section, said: Said) -> Iterator[bytes]:
    """Give an Ogg file of one stream with comments added; later pages get other numbers where the headers need more."""
    first = _page(file, 0)
    codec = next((codec for magic, codec in _CODECS.items() if first.body.startswith(magic)), None)
    if codec is None:
        raise NotWrittenError("in Ogg, tags are written for Vorbis and Opus alone")
    packets, at, count = _headers(file, len(first.raw), first.serial, codec.packets)
    if not packets[0].startswith(codec.prefix):
        raise NotWrittenError("its Ogg headers are damaged")
    comments = packets[0][len(codec.prefix) :]
    packets[0] = codec.prefix + _with(comments, said)
    pages = list(_pages(packets, first.serial))
    yield first.raw
    yield from pages
    yield from _following(file, at, first.serial, len(pages) - count)


def _headers(file: Section, at: int, serial: int, count: int) -> tuple[list[bytes], int, int]:
    """Give the header packets behind the first, where they end, and how many pages they are."""
    packets, pages, size = [bytearray()], 0, 0
    while len(packets) <= count:
        page = _page(file, at)
        size += len(page.raw)
        if page.serial != serial or page.flags & _FIRST:
            raise NotWrittenError("it has several streams")
        if size > 1 << 26:
            raise NotWrittenError("its Ogg headers are more than is held at once")
        body = 0
        for length in page.lacing:
            packets[-1] += page.body[body : body + length]
            body += length
            if length < _WHOLE_PIECE:
                packets.append(bytearray())
        at += len(page.raw)
        pages += 1
    if len(packets) != count + 1 or packets.pop():
        raise NotWrittenError("sound shares a page with its Ogg headers")
    return [bytes(packet) for packet in packets], at, pages


def _pages(packets: list[bytes], serial: int) -> Iterator[bytes]:
    """Give packets as pages from number 1 on."""
    lacing = b"".join(bytes([255]) * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    body, at = b"".join(packets), 0
    for number, first in enumerate(range(0, len(lacing), _MOST_PIECES), start=1):
        pieces = lacing[first : first + _MOST_PIECES]
        flags = _CONTINUED if first and lacing[first - 1] == _WHOLE_PIECE else 0
        ends = any(length < _WHOLE_PIECE for length in pieces)
        size = sum(pieces)
        yield ogg.page(flags, 0 if ends else -1, serial, number, pieces, body[at : at + size])
        at += size


def _following(file: Section, at: int, serial: int, more: int) -> Iterator[bytes]:
    """Give the pages of sound, with their numbers moved."""
    while at < len(file):
        page = _page(file, at)
        if page.serial != serial or page.flags & _FIRST:
            raise NotWrittenError("it has several streams")
        yield page.renumbered(more) if more else page.raw
        at += len(page.raw)


def _page(file: Section, at: int) -> ogg.Page:
    file.seek(at)
    page = ogg.parse(file.read(ogg.LONGEST))
    if page is None:
        raise NotWrittenError("its Ogg pages are damaged")
    return page


def _with(comments: bytes, said: Said) -> bytes:
    """Comments with some more, behind those that are there; what follows them stays."""
    lines = [f"BPM={said.exact_tempo}"] if said.tempo is not None else []
    lines += [f"INITIALKEY={said.key}"] if said.key is not None else []
    raw = [line.encode() for line in lines]
    try:
        at = 4 + int(struct.unpack_from("<I", comments)[0])
        (count,) = struct.unpack_from("<I", comments, at)
        end = at + 4
        for _ in range(count):
            end += 4 + struct.unpack_from("<I", comments, end)[0]
        if end > len(comments):
            raise struct.error
    except struct.error:
        raise NotWrittenError("its comments are cut off") from None
    more = b"".join(struct.pack("<I", len(line)) + line for line in raw)
    return comments[:at] + struct.pack("<I", count + len(raw)) + comments[at + 4 : end] + more + comments[end:]
