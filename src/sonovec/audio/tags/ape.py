"""APE tags, in versions 1 and 2: behind the sound of Monkey's Audio, WavPack, Musepack, and often MP3."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from sonovec.audio.section import Section
from sonovec.audio.tags.names import MOST_ITEMS, WANTED, check_size, decode

MAGIC = b"APETAGEX"
_HEADER = 32
_LONGEST_KEY = 256
_KIND, _TEXT = 0b110, 0


def read(tag: Section) -> Iterator[tuple[str, str]]:
    """Give the texts of a tag with its header before it, its footer behind it, or both."""
    end = len(tag)
    if tag.tail(_HEADER).startswith(MAGIC):
        size, count = struct.unpack_from("<II", tag.tail(_HEADER), 12)
        at = end - size
        end -= _HEADER
    elif tag.head().startswith(MAGIC):
        size, count = struct.unpack_from("<II", tag.head(), 12)
        at = _HEADER
        end = min(end, size)
    else:
        return
    for _ in range(min(count, MOST_ITEMS)):
        if at < 0 or at + 8 > end:
            return
        tag.seek(at)
        head = tag.read(8 + _LONGEST_KEY)
        size, flags = struct.unpack_from("<II", head)
        raw, ended, _ = head[8:].partition(b"\0")
        if not ended:
            raise ValueError("an item of the APE tag has no name")
        at += 8 + len(raw) + 1 + size
        name = raw.decode("latin-1").lower()
        if flags & _KIND == _TEXT and name in WANTED:
            check_size(name, size)
            tag.seek(at - size)
            yield name, decode(tag.read(size))
