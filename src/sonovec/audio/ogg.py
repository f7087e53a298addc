"""Ogg, page by page: which pages belong together, which are lost, and where the sound behind a loss belongs.

A file may hold several streams, one behind another (a "link" each, as recordings of web radio do), with equal, other or
returning numbers. Libraries read the first, or lose their place where pages are missing. Here a link is cut into runs of
pages without a loss; each run is given to the decoder as a file of its own, behind the link's headers. See RFC 3533.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from sonovec.audio.section import Section

MAGIC = b"OggS\x00"
_HEADER = struct.Struct("<5xBqIIIB")
LONGEST = _HEADER.size + 255 + 255 * 255
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_MOST_STREAMS = 8

# How the first packet of a codec begins, and how many packets its headers are.
_VORBIS, _FLAC = b"\x01vorbis", b"\x7fFLAC"
_CODECS = {_VORBIS: 3, b"OpusHead": 2, _FLAC: 2, b"Speex   ": 2}

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Page(NamedTuple):
    """A page as it lies in the file."""

    raw: bytes
    flags: int
    granule: int
    """Samples of the stream up to the end of the page; -1 where no packet ends in it."""
    serial: int
    number: int
    lacing: bytes
    """Lengths of the pieces that packets are cut into; a piece shorter than 255 ends its packet."""

    @property
    def body(self) -> bytes:
        """What the page carries."""
        return self.raw[_HEADER.size + len(self.lacing) :]

    @property
    def packets(self) -> int:
        """Packets that end in the page."""
        return sum(length < 255 for length in self.lacing)

    def is_whole(self) -> bool:
        """Compare the checksum."""
        return with_sum(self.raw) == self.raw

    def without_end(self) -> bytes:
        """Give the page as one that is not the last of its stream."""
        return with_sum(self.raw[:5] + bytes([self.flags & ~_LAST]) + self.raw[6:])

    def renumbered(self, more: int) -> bytes:
        """Give the page with another number."""
        return with_sum(self.raw[:18] + ((self.number + more) % 2**32).to_bytes(4, "little") + self.raw[22:])


def page(flags: int, granule: int, serial: int, number: int, lacing: bytes, body: bytes) -> bytes:
    """Make a page; see `Page`."""
    return with_sum(MAGIC + _HEADER.pack(flags, granule, serial, number, 0, len(lacing))[5:] + lacing + body)


def with_sum(page: bytes) -> bytes:
    """Put its checksum into a page: CRC-32 as in ZIP, but with its bits the other way round."""
    zeroed = page[:22] + bytes(4) + page[26:]
    crc = zlib.crc32(zeroed.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return page[:22] + crc.to_bytes(4, "big").translate(_REVERSED) + page[26:]


class Run:
    """Pages of one link without a loss among them, behind the link's headers; reads as a file that cannot seek.

    Attributes
    ----------
    begins_link
        Whether it is the first of its link. Every other one has its place in the link by its `anchor`.
    anchor
        Samples of the link up to the end of the first page that says so, and how many packets that are whole end up to
        there; None as long as no such page was read.
    """

    name = ""

    def __init__(self, pages: _Pages, headers: list[Page], begins_link: bool) -> None:
        self.begins_link = begins_link
        self._pages = pages
        self._serial = headers[0].serial
        self._number = headers[-1].number if begins_link else None
        self._granule = -1
        self._ready = bytearray(b"".join(page.raw if pages.summed else with_sum(page.raw) for page in headers))
        first = pages.peek()
        self._resumed = None if first is None or begins_link else first.number
        self.anchor: tuple[int, int] | None = None
        # A packet whose beginning is lost is none for the decoder.
        self._packets = -1 if first is not None and first.flags & _CONTINUED and first.packets else 0

    def read(self, size: int, /) -> bytes:
        """Read at most `size` bytes; none at the end of the run."""
        while len(self._ready) < size and (page := self._next()) is not None:
            if page.number == self._resumed:  # FFmpeg gives no time to what begins with the last page
                self._ready += page.without_end()
            else:
                self._ready += page.raw if self._pages.summed else with_sum(page.raw)
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def exhaust(self) -> None:
        """Pass over what was not read."""
        while self._next() is not None:
            pass

    def _next(self) -> Page | None:
        while (page := self._pages.peek()) is not None and not page.flags & _FIRST:
            if page.serial != self._serial:
                self._pages.take()
                continue
            expected = None if self._number is None else (self._number + 1) % 2**32
            if expected is not None and page.number != expected:
                if page.number > expected:
                    return None  # what lies between is lost
                if page.granule <= self._granule:  # a page that is there twice
                    self._pages.repeated += 1
                    self._pages.take()
                    continue
            self._number = page.number
            self._granule = max(self._granule, page.granule)
            self._packets += page.packets
            if self.anchor is None and page.granule >= 0:
                self.anchor = page.granule, self._packets
            return self._pages.take()
        return None


class OggFile:
    """The runs of an Ogg file, in order.

    Attributes
    ----------
    notes
        What is worth knowing of it; complete once the runs are exhausted.
    """

    def __init__(self, file: Section) -> None:
        self._pages = _Pages(file.part())
        self._links = 0
        self._streams = 1

    @property
    def notes(self) -> list[str]:
        """What is worth knowing of it, a sentence each."""
        notes = []
        if self._links > 1:
            notes.append(f"{self._links} streams one behind another, all of which are read")
        if self._streams > 1:
            notes.append(f"{self._streams} audio streams, of which number 1 is read")
        if self._pages.repeated:
            notes.append(f"{self._pages.repeated} page(s) occur twice; each was read once")
        if self._pages.damaged:
            notes.append(f"{self._pages.damaged} damaged bytes were left out")
        if self._pages.last is not None and not self._pages.last.flags & _LAST:
            notes.append("the Ogg stream has no end: it was cut off")
        return notes

    def runs(self) -> Iterator[Run]:
        """Give the runs; each has to be read, or is passed over, before the next."""
        while (page := self._pages.peek()) is not None:
            if not page.flags & _FIRST:
                self._pages.take()  # of a stream whose beginning is not here
                continue
            headers = self._headers()
            if not headers:
                continue
            self._links += 1
            run = Run(self._pages, headers, begins_link=True)
            yield run
            run.exhaust()
            while (page := self._pages.peek()) is not None and not page.flags & _FIRST:
                run = Run(self._pages, headers, begins_link=False)
                yield run
                run.exhaust()

    def _headers(self) -> list[Page]:
        """Take the pages that a link begins with, and give those of its first audio stream; none where it has no audio."""
        firsts = []
        while (page := self._pages.peek()) is not None and page.flags & _FIRST:
            firsts.append(self._pages.take())
        audio = [page for page in firsts if packets_of_headers(page)]
        if not audio:
            return []
        self._streams = max(self._streams, len(audio))
        headers, packets = audio[:1], audio[0].packets
        while packets < packets_of_headers(audio[0]):
            page = self._pages.peek()
            if page is None or page.flags & _FIRST:
                break
            self._pages.take()
            if page.serial == audio[0].serial:
                headers.append(page)
                packets += page.packets
        return headers


def packets_of_headers(page: Page) -> int:
    """Give how many packets the headers of a stream are, by its first page; 0 where it is of no audio codec that is known."""
    body = page.body
    known = next((count for magic, count in _CODECS.items() if body.startswith(magic)), 0)
    if body.startswith(_FLAC) and len(body) > 8:
        return 1 + max(1, int.from_bytes(body[7:9], "big"))
    if body.startswith(b"Speex   ") and len(body) >= 72:
        return known + min(16, int.from_bytes(body[68:72], "little"))
    return known


def holds_known_audio(file: Section) -> bool:
    """Say whether one of the streams that begin an Ogg file is of a codec that `OggFile` can cut."""
    pages = _Pages(file.part())
    while (page := pages.peek()) is not None and page.flags & _FIRST:
        if packets_of_headers(pages.take()):
            return True
    return False


def second_packets(file: Section) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """Give for each stream that begins a file, up to some, its first page's body, and its second packet, piece by piece.

    The second packet of all codecs that live in Ogg holds the tags, and may be of any size, for a cover is a tag.
    """
    pages = _Pages(file.part())
    firsts: list[Page] = []
    while (page := pages.peek()) is not None and page.flags & _FIRST and len(firsts) < _MOST_STREAMS:
        firsts.append(pages.take())
    for first in firsts:
        yield first.body, _second_packet(_Pages(file.part()), first.serial)


def _second_packet(pages: _Pages, serial: int) -> Iterator[bytes]:
    ended = 0
    while ended < 2 and pages.peek() is not None:
        page = pages.take()
        if page.serial != serial:
            continue
        at, body = 0, page.body
        for length in page.lacing:
            if ended == 1:
                yield body[at : at + length]
            at += length
            ended += length < 255


def is_plain_vorbis(file: Section) -> bool:
    """Say whether a file is one stream of Vorbis from its beginning to its end, with no page lost, damaged or twice."""
    pages = _Pages(file.part())
    first = pages.peek()
    if first is None or not first.body.startswith(_VORBIS):
        return False
    number = first.number - 1
    while (page := pages.peek()) is not None:
        number += 1
        if (page.serial, page.number) != (first.serial, number) or (page.flags & _FIRST and page is not first):
            return False
        pages.take()
    return not pages.damaged and pages.last is not None and bool(pages.last.flags & _LAST)


class _Pages:
    """The pages of a file that are whole, with one to look at before it is taken."""

    def __init__(self, file: Section) -> None:
        self.damaged = 0
        """Bytes between pages that belong to none that is whole."""
        self.repeated = 0
        self.last: Page | None = None
        self._file = file
        self._buffer = b""
        self._at = 0
        self.summed: bool | None = None
        """Whether pages have checksums."""
        self._next: Page | None = None

    def peek(self) -> Page | None:
        if self._next is None:
            self._next = self._find()
        return self._next

    def take(self) -> Page:
        page = self.peek()
        assert page is not None
        self.last, self._next = page, None
        return page

    def _find(self) -> Page | None:
        skipped = 0
        while self._fill():
            page = parse(self._buffer, self._at)
            if page is not None and self._is_good(page):
                self._at += len(page.raw)
                self.damaged += skipped
                return page
            # A damaged page may hold the beginning of the next one, so the search goes on one byte further.
            following = self._buffer.find(MAGIC, self._at + 1)
            step = (following if following > 0 else max(self._at + 1, len(self._buffer) - len(MAGIC) + 1)) - self._at
            self._at += step
            skipped += step
        return None  # what is left is the beginning of a page that was cut off, or no Ogg

    def _is_good(self, page: Page) -> bool:
        if self.summed is None:  # a file whose first page has a wrong sum was written without them
            self.summed = page.is_whole()
        return not self.summed or page.is_whole()

    def _fill(self) -> bool:
        """Have a whole page ahead, as far as the file goes; say whether anything is left."""
        if len(self._buffer) - self._at < LONGEST:
            self._buffer = self._buffer[self._at :] + self._file.read(1 << 18)
            self._at = 0
        return self._at < len(self._buffer)


def parse(data: bytes, at: int = 0) -> Page | None:
    """Read the page that stands at a place of `data`; None where none does, or its end is missing."""
    if not data.startswith(MAGIC, at) or len(data) < at + _HEADER.size:
        return None
    flags, granule, serial, number, _, pieces = _HEADER.unpack_from(data, at)
    lacing = data[at + _HEADER.size : at + _HEADER.size + pieces]
    end = at + _HEADER.size + pieces + sum(lacing)
    if len(lacing) < pieces or len(data) < end:
        return None
    return Page(data[at:end], flags, granule, serial, number, lacing)
