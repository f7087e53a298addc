"""Vorbis comments, which FLAC and all codecs in Ogg have."""

from __future__ import annotations

from collections.abc import Iterator

from sonovec.audio import ogg
from sonovec.audio.section import Section
from sonovec.audio.tags.forward import Forward, Pieces, Straight, exactly, number
from sonovec.audio.tags.names import MOST_ITEMS, WANTED, check_size, decode

_COMMENTS, _LAST = 4, 0x80
_LONGEST_NAME = max(map(len, WANTED)) + 1
#: How the packet of comments begins, by the first packet of the stream.
_PREFIXES = {b"\x01vorbis": 7, b"OpusHead": 8, b"\x7fFLAC": 4, b"Speex   ": 0, b"\x80theora": 7}


def of_flac(file: Section) -> Iterator[tuple[str, str]]:
    """Give the comments of a FLAC file."""
    at = 4
    for _ in range(MOST_ITEMS):
        file.seek(at)
        header = exactly(file, 4)
        at += 4
        if header[0] & ~_LAST == _COMMENTS:
            yield from _comments(Straight(file.part(at)))
            return
        if header[0] & _LAST:
            return
        at += int.from_bytes(header[1:], "big")


def of_ogg(file: Section) -> Iterator[tuple[str, str]]:
    """Give the comments of the streams that an Ogg file begins with."""
    for first, second in ogg.second_packets(file):
        for magic, prefix in _PREFIXES.items():
            if first.startswith(magic):
                pieces = Pieces(second)
                pieces.skip(prefix)
                yield from _comments(pieces)


def _comments(source: Forward) -> Iterator[tuple[str, str]]:
    source.skip(number(source))
    for _ in range(min(number(source), MOST_ITEMS)):
        size = number(source)
        head = source.read(min(size, _LONGEST_NAME))
        raw, is_pair, value = head.partition(b"=")
        name = raw.decode("latin-1").lower()
        if is_pair and name in WANTED:
            check_size(name, size)
            yield name, decode(value + exactly(source, size - len(head)))
        else:
            source.skip(size - len(head))
