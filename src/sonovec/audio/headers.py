"""What a header claims about length, so that it can be compared with what was decoded; never used to decode."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from sonovec.audio import magic
from sonovec.audio.section import Section

# Recorders that stream write a size near the largest that the field holds, with a sign or without.
_STREAMED_32 = 0x7FFF0000
_WRAP = 1 << 32
_MOST_CHUNKS = 10_000
_EXTENSIBLE = 0xFFFE
# By format tag and bits.
_SUBTYPES = {
    (1, 8): "PCM_U8",
    (1, 16): "PCM_16",
    (1, 24): "PCM_24",
    (1, 32): "PCM_32",
    (3, 32): "FLOAT",
    (3, 64): "DOUBLE",
    (6, 8): "ALAW",
    (7, 8): "ULAW",
}


class DataChunk(NamedTuple):
    """The audio of a file of chunks, in bytes."""

    start: int
    """Where the samples begin."""
    claimed: int | None
    """What the header says; None where it says that it does not know."""
    present: int
    """What is really there, at most `claimed`."""
    stray: int = 0
    """What follows the audio and belongs to no chunk: audio that the header does not count, or junk."""
    joined: int | None = None
    """Where the header of another file stands behind this one."""
    encoding: Encoding | None = None
    """How the samples are encoded, where readers who believe the header would stop early."""


class Encoding(NamedTuple):
    """What is needed to read samples without a header, in libsndfile's words."""

    subtype: str
    endian: str
    channels: int
    samplerate: int


class _Layout(NamedTuple):
    """How a family of containers writes its chunks."""

    magic: bytes
    first: int
    id_length: int
    size: str
    align: int
    size_counts_header: bool
    data: bytes
    prefix: int
    """Bytes of the data chunk that come before the samples."""


_LAYOUTS = (
    _Layout(b"RIFF", 12, 4, "<I", 2, False, b"data", 0),
    _Layout(b"RIFX", 12, 4, ">I", 2, False, b"data", 0),
    _Layout(b"RF64", 12, 4, "<I", 2, False, b"data", 0),
    _Layout(b"BW64", 12, 4, "<I", 2, False, b"data", 0),
    _Layout(b"FORM", 12, 4, ">I", 2, False, b"SSND", 8),
    _Layout(b"caff", 8, 4, ">q", 1, False, b"data", 4),
    _Layout(b"riff", 40, 16, "<Q", 8, True, b"data", 0),
)
_BEGINNINGS = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM")

# Encoders of MPEG audio write the number of frames into the first frame under one of these names.
_FRAME_COUNTS = (b"Xing", b"Info")
_MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def data_chunk(file: Section) -> DataChunk | None:
    """Measure the audio of a WAV, RF64, BW64, W64, AIFF, CAF or AU file; None for every other."""
    file.seek(0)
    head = file.read(16)
    if head[:4] in (b".snd", b"dns."):
        return _au_chunk(file, head)
    for layout in _LAYOUTS:
        if head.startswith(layout.magic):
            return _find_data(file, layout)
    return None


def mpeg_seconds(head: bytes) -> float | None:
    """Give the length in seconds that the first frame of MPEG audio claims, or None where it claims none.

    Bit-rate estimates are no claim: they are wrong for every file of variable rate.

    Examples
    --------
    >>> mpeg_seconds(bytes.fromhex("fffb9000") + bytes(32) + b"Info" + bytes([0, 0, 0, 1, 0, 0, 1, 0]))
    6.69
    """
    if magic.kind(head) != "mpeg" or len(head) < 4:
        return None
    version, rate_index = head[1] >> 3 & 3, head[2] >> 2 & 3
    if head[1] >> 1 & 3 != 1 or version not in _MPEG_RATES or rate_index == 3:
        return None
    for name in _FRAME_COUNTS:
        at = head.find(name, 4, 4 + 64)
        if at > 0 and len(head) >= at + 12 and head[at + 7] & 1:
            (frames,) = struct.unpack_from(">I", head, at + 8)
            return float(frames * (1152 if version == 3 else 576) / _MPEG_RATES[version][rate_index])
    return None


def wave_format(head: bytes) -> str | None:
    """Name the encoding of a WAV file by its numbers; None where there is none.

    Examples
    --------
    >>> wave_format(b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, 8000, 16000, 2, 16))
    'WAV format tag 0x0003, 16 bits'
    """
    at = head.find(b"fmt ", 8)
    if not head.startswith((b"RIFF", b"RF64", b"BW64")) or at < 0 or len(head) < at + 24:
        return None
    tag, bits = struct.unpack_from("<H12xH", head, at + 8)
    return f"WAV format tag 0x{tag:04x}, {bits} bits"


def _au_chunk(file: Section, head: bytes) -> DataChunk | None:
    if len(head) < 12:
        return None
    start, claimed = struct.unpack_from(">II" if head[:4] == b".snd" else "<II", head, 4)
    chunk = _measure(start, claimed, max(0, len(file) - start))
    behind = start + chunk.present
    if chunk.claimed is None or behind >= len(file):
        return chunk
    file.seek(behind)
    joined = file.read(4) == head[:4]
    return chunk._replace(joined=behind if joined else None, stray=0 if joined else len(file) - behind)


def _find_data(file: Section, layout: _Layout) -> DataChunk | None:
    """Walk the chunks to the end of the file; what breaks the walk is stray."""
    found: DataChunk | None = None
    encoding: Encoding | None = None
    large: int | None = None  # RF64 keeps the size of `data` in `ds64`
    header = layout.id_length + struct.calcsize(layout.size)
    for name, start, length in _chunks(file, layout):
        if not _is_name(name):
            return found and _behind(found, len(file), start - header, encoding)
        if found is not None and name in _BEGINNINGS:
            return found._replace(joined=start - header)
        if name == b"ds64":
            file.seek(start + 8)
            (large,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        elif name == b"fmt ":
            file.seek(start)
            encoding = _encoding(file.read(40), layout)
        elif found is None and name.startswith(layout.data):
            is_large = large is not None and length in (0, _WRAP - 1)
            claimed = (large or 0) if is_large else length
            found = _measure(
                start + layout.prefix, claimed - layout.prefix, len(file) - start - layout.prefix, is_large
            )
            if length == 0 and not is_large and _is_chunk(file, start, layout):
                return found._replace(claimed=0, present=0)
            if found.claimed is None:  # where the next chunk begins is unknown too
                return found._replace(encoding=encoding)
            if is_large:
                return found
    return found


def _behind(found: DataChunk, size: int, at: int, encoding: Encoding | None) -> DataChunk:
    """Judge what follows the audio and is no chunk: the rest of audio whose size did not fit its field, or stray."""
    assert found.claimed is not None
    there = size - found.start
    if encoding and (wraps := (there - found.claimed) // _WRAP):
        whole = found.claimed + wraps * _WRAP
        return found._replace(claimed=whole, present=whole, encoding=encoding)
    if encoding and found.claimed >= _STREAMED_32:
        return found._replace(claimed=None, present=there, encoding=encoding)
    return found._replace(stray=size - at)


def _encoding(content: bytes, layout: _Layout) -> Encoding | None:
    """Read the chunk that says how the samples of a WAV file are encoded; None where they are compressed."""
    if len(content) < 16 or layout.size not in ("<I", ">I"):
        return None
    tag, channels, rate, bits = struct.unpack_from(f"{layout.size[0]}HHI6xH", content)
    if tag == _EXTENSIBLE and len(content) >= 26:
        (tag,) = struct.unpack_from(f"{layout.size[0]}H", content, 24)
    subtype = _SUBTYPES.get((tag, bits))
    return None if subtype is None else Encoding(subtype, "LITTLE" if layout.size[0] == "<" else "BIG", channels, rate)


def is_broken_adx(head: bytes) -> bool:
    """Say whether `head` is that of ADX audio of a kind that does not exist, over which FFmpeg 8 divides by zero.

    Examples
    --------
    >>> [is_broken_adx(bytes.fromhex("8000 000e 03 12 04 02") + rate.to_bytes(4) + b"(c)CRI") for rate in (44100, 2**31)]
    [False, True]
    """
    copyright_at = int.from_bytes(head[2:4]) - 2
    if head[:2] != b"\x80\x00" or not head.startswith(b"(c)CRI", max(copyright_at, 0)):
        return False
    channels, rate = head[7], int.from_bytes(head[8:12])
    return head[4:7] != bytes([3, 18, 4]) or not 0 < channels * rate <= (2**31 - 1) // (18 * 8)


def _measure(start: int, claimed: int, there: int, is_large: bool = False) -> DataChunk:
    """Compare a claim with the bytes that follow; 0 and the largest stand for sizes that a recorder never filled in."""
    streamed = not is_large and _STREAMED_32 <= claimed < _WRAP
    if claimed <= 0 or (streamed and (claimed > there or claimed >= _WRAP - 2)):
        return DataChunk(start, None, there)
    return DataChunk(start, claimed, min(claimed, there))


def chunks(file: Section) -> Iterator[tuple[bytes, int, int]]:
    """Give name, offset of the content and claimed length of each chunk of a WAV, RF64, BW64, W64, AIFF or CAF file."""
    file.seek(0)
    magic = file.read(4)
    for layout in _LAYOUTS:
        if magic == layout.magic:
            yield from _chunks(file, layout)


def _chunks(file: Section, layout: _Layout) -> Iterator[tuple[bytes, int, int]]:
    """Give name, offset of the content and claimed length of each chunk, as many as a file of sound may have."""
    header = layout.id_length + struct.calcsize(layout.size)
    at = layout.first
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        raw = file.read(header)
        if len(raw) < header:
            return
        (length,) = struct.unpack_from(layout.size, raw, layout.id_length)
        length -= header if layout.size_counts_header else 0
        yield raw[: layout.id_length], at + header, length
        if length < 0:  # up to the end of the file
            return
        at += header + length + -length % layout.align


def _is_chunk(file: Section, at: int, layout: _Layout) -> bool:
    """Say whether a chunk stands at a place, by its name and its length."""
    file.seek(at)
    raw = file.read(layout.id_length + struct.calcsize(layout.size))
    name, length = raw[: layout.id_length], raw[layout.id_length :]
    return bool(length) and _is_name(name) and struct.unpack(layout.size, length)[0] <= len(file) - at


def _is_name(name: bytes) -> bool:
    return all(32 <= byte < 127 for byte in name[:4])
