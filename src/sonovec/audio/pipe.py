"""Sound from a pipe, block by block as it comes: samples without a header, WAV, or whatever FFmpeg reads.

Nothing is sought, and no length is believed that a recorder could not know yet. `sonovec.audio.decode` reads files.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import AudioError, UsageError
from sonovec.words import counted

NAME = "standard input"
#: Seconds of a block: as much as an event may wait for its block to be full.
BLOCK = 0.05
#: Bytes that FFmpeg asks for at once, and that it may look at before it begins.
ASKED, PROBED = 4096, 1 << 16
#: Lengths from here on are no lengths: the recorder could not know them.
UNKNOWN = 0x7FFF0000
MOST_CHANNELS = 256
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE

Block = NDArray[np.float32]


def _integers(dtype: str) -> Callable[[bytes], Block]:
    scale = np.float32(1 / -float(np.iinfo(dtype).min))
    return lambda data: np.multiply(np.frombuffer(data, dtype), scale, dtype=np.float32, casting="unsafe")


def _unsigned(data: bytes) -> Block:
    return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)) * np.float32(1 / 128)


def _three_bytes(data: bytes) -> Block:
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.reshape(-1).view("<i4").astype(np.float32) / np.float32(1 << 31)


def _floats(dtype: str) -> Callable[[bytes], Block]:
    return lambda data: np.frombuffer(data, dtype).astype(np.float32)


@dataclass(frozen=True)
class Encoding:
    """How one sample is written: in so many bytes, and how they become floats within -1..1."""

    size: int
    read: Callable[[bytes], Block]


ENCODINGS: Mapping[str, Encoding] = {
    "u8": Encoding(1, _unsigned),
    "s16le": Encoding(2, _integers("<i2")),
    "s24le": Encoding(3, _three_bytes),
    "s32le": Encoding(4, _integers("<i4")),
    "f32le": Encoding(4, _floats("<f4")),
    "f64le": Encoding(8, _floats("<f8")),
}
#: By what a header of WAV says: the tag of the format, and the bits of a sample.
_BY_TAG = {
    (_PCM, 8): "u8",
    (_PCM, 16): "s16le",
    (_PCM, 24): "s24le",
    (_PCM, 32): "s32le",
    (_FLOAT, 32): "f32le",
    (_FLOAT, 64): "f64le",
}


@dataclass(frozen=True)
class Layout:
    """Samples without a header: their rate in Hz, their channels, and how one is written, as a name in `ENCODINGS`."""

    rate: int
    channels: int = 1
    encoding: str = "s16le"

    def __post_init__(self) -> None:
        if self.rate < 1:
            raise UsageError(f"rate={self.rate} is not a positive whole number of Hz; give, for example, rate=16000")
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise UsageError(f"channels={self.channels}; give 1 to {MOST_CHANNELS}")
        if self.encoding not in ENCODINGS:
            raise UsageError(f"encoding={self.encoding!r} is unknown; give one of: {', '.join(ENCODINGS)}")


class _Bytes:
    """Bytes as they come, some of which were looked at before; FFmpeg reads it too, and cannot seek in it."""

    def __init__(self, file: BinaryIO) -> None:
        self._some = getattr(file, "read1", file.read)
        self._ahead = b""

    def peek(self, count: int) -> bytes:
        """The next bytes, which stay; fewer only at the end."""
        while len(self._ahead) < count and (more := self._some(count - len(self._ahead))):
            self._ahead += more
        return self._ahead[:count]

    def read(self, count: int) -> bytes:
        """Some bytes, as soon as there are any; none at the end."""
        if self._ahead:
            given, self._ahead = self._ahead[:count], self._ahead[count:]
            return given
        return self._some(count)


@dataclass(eq=False)
class Piped:
    """Blocks of a pipe, float32 ``(n, channels)``, once; with what is worth knowing, which is complete at the end."""

    rate: int
    channels: int
    blocks: Iterator[Block]
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Block]:
        return self.blocks


def open_pipe(file: BinaryIO, layout: Layout | None = None) -> Piped:
    """Open a pipe as blocks of sound.

    Parameters
    ----------
    file : binary file
        Such as ``sys.stdin.buffer``.
    layout : Layout, optional
        What the samples are, where they have no header.

    Raises
    ------
    AudioError
        It holds no sound that can be decoded.

    Examples
    --------
    >>> import io
    >>> sound = open_pipe(io.BytesIO(bytes(7)), Layout(8000, channels=1, encoding="s16le"))
    >>> [block.shape for block in sound], sound.notes
    ([(3, 1)], ['the stream ended within a sample: the last 1 byte was left out'])
    """
    source = _Bytes(file)
    if layout is not None:
        return _samples(source, layout)
    if not source.peek(1):
        raise AudioError(f"{NAME}: nothing came; send sound, and for samples without a header give --rate")
    header = _wav(source)
    if header is None:
        return _by_ffmpeg(source)
    found, start, claimed = header
    source.peek(start)
    source.read(start)
    return _samples(source, found, claimed)


def _samples(source: _Bytes, layout: Layout, claimed: int | None = None) -> Piped:
    notes: list[str] = []
    return Piped(layout.rate, layout.channels, _read(source, layout, claimed, notes), notes)


def _read(source: _Bytes, layout: Layout, claimed: int | None, notes: list[str]) -> Iterator[Block]:
    """Samples, up to a number of bytes that a header claims, if it does."""
    encoding = ENCODINGS[layout.encoding]
    size = encoding.size * layout.channels
    most = max(1, round(BLOCK * layout.rate)) * size
    rest, heard = b"", 0
    while data := source.read(most if claimed is None else min(most, claimed - heard)):
        heard += len(data)
        rest += data
        whole = len(rest) // size * size
        if whole:
            yield encoding.read(rest[:whole]).reshape(-1, layout.channels)
            rest = rest[whole:]
    if rest:
        what = "a sample" if layout.channels == 1 else "a frame of all channels"
        count = f"{len(rest)} byte{' was' if len(rest) == 1 else 's were'}"
        notes.append(f"the stream ended within {what}: the last {count} left out")
    if claimed is not None and heard < claimed:
        seconds, said = (count / size / layout.rate for count in (heard, claimed))
        notes.append(f"the stream ended after {seconds:.2f} s, and its header says {said:.2f} s")


def _wav(source: _Bytes) -> tuple[Layout, int, int | None] | None:
    """The samples of WAV: what they are, where they begin, and how many bytes the header claims; None for anything else."""
    head = source.peek(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return None
    at, layout, large = 12, None, None
    while len(chunk := source.peek(at + 8)[at:]) == 8:
        name, size = chunk[:4], int.from_bytes(chunk[4:], "little")
        if name == b"data":
            if large is not None and size == 0xFFFFFFFF:
                size = large
            claimed = None if size == 0 or UNKNOWN <= size < 1 << 32 else size
            return None if layout is None else (layout, at + 8, claimed)
        if size > PROBED:
            return None
        content = source.peek(at + 8 + size)[at + 8 :]
        if name == b"fmt ":
            layout = _layout(content)
        elif name == b"ds64" and len(content) >= 16:
            large = int.from_bytes(content[8:16], "little")
        at += 8 + size + size % 2
    raise AudioError(f"{NAME}: the header of WAV ends before any samples; send the whole stream")


def _layout(content: bytes) -> Layout | None:
    if len(content) < 16:
        return None
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
    if tag == _EXTENSIBLE and len(content) >= 26:
        tag = int.from_bytes(content[24:26], "little")
    encoding = _BY_TAG.get((tag, bits))
    return Layout(rate, channels, encoding) if encoding and rate and 0 < channels <= MOST_CHANNELS else None


def _by_ffmpeg(source: _Bytes) -> Piped:
    import av

    try:
        # Without what it would look at to tell lengths, which a stream has not: it would only wait.
        container = av.open(
            source, mode="r", buffer_size=ASKED, options={"probesize": str(PROBED), "analyzeduration": "0"}
        )
        stream = container.streams.audio[0]
    except (av.error.FFmpegError, IndexError) as error:
        raise AudioError(
            f"{NAME}: is no sound that can be decoded from a pipe ({error}); for samples without a header give --rate, "
            "--channels and --encoding"
        ) from error
    notes: list[str] = []
    frames = _frames(container, stream, notes)
    first = next(frames, None)
    if first is None:
        raise AudioError(f"{NAME}: no sound came before its end; send more of it")
    rate, channels = int(first.sample_rate), int(first.layout.nb_channels)
    return Piped(rate, channels, _converted(container, first, frames, rate), notes)


def _frames(container: Any, stream: Any, notes: list[str]) -> Iterator[Any]:
    import av

    damaged = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            yield from packet.decode()
        except av.error.InvalidDataError:
            damaged += 1
        except av.error.FFmpegError as error:
            notes.append(f"the stream ended within a packet ({error})")
            break
    if damaged:
        notes.append(f"{counted(damaged, 'damaged packet')} left out")


def _converted(container: Any, first: Any, frames: Iterator[Any], rate: int) -> Iterator[Block]:
    import av

    adapter = av.AudioResampler(format="fltp", layout=first.layout, rate=rate)
    with container:
        for each in adapter.resample(first):
            yield np.ascontiguousarray(each.to_ndarray().T)
        for decoded in frames:
            for each in adapter.resample(decoded):
                yield np.ascontiguousarray(each.to_ndarray().T)
        for each in adapter.resample(None):
            yield np.ascontiguousarray(each.to_ndarray().T)
