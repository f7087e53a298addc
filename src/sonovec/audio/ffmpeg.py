"""Decoding by FFmpeg: MPEG audio, AAC, WMA, Matroska and everything else that libsndfile does not read."""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio import headers, magic
from sonovec.audio.decoder import UndecodableError

# These state no length: what FFmpeg reports for them is a guess from the bit rate.
_ESTIMATING = {"mp3", "aac", "ac3", "eac3", "dts", "loas", "mpeg", "mpegts", "amr", "flv", "hls", "rm"}
_PADDING_FRAMES = 4096
_TOO_MANY_PLANES = 8
# FFmpeg's own Opus decoder is far from the reference (-7 to -20 dB on real files); the reference is inside FFmpeg too.
_REFERENCE_DECODERS = {"opus": "libopus"}
# Offset and scale to -1..1 of each sample type.
_SCALES: dict[str, tuple[int, float]] = {
    "u1": (128, 2.0**-7),
    "i2": (0, 2.0**-15),
    "i4": (0, 2.0**-31),
    "i8": (0, 2.0**-63),
}


class FFmpegDecoder:
    """Reads an open file through FFmpeg; see `sonovec.audio.decoder.Decoder`."""

    name = "FFmpeg"

    def __init__(self, file: FileIO) -> None:
        import av

        self.notes: list[str] = []
        self._errors: tuple[type[BaseException], ...] = (av.FFmpegError, OSError, ValueError)
        self._damaged = 0
        self._adapter: Any = None
        self._adapted: tuple[int, str, str] | None = None
        head = magic.read_head(file)
        file.seek(0)
        try:
            # No protocol but the file itself: a playlist must not reach other files or the network.
            self._container = av.open(_Nameless(file), options={"protocol_whitelist": "none"}, metadata_errors="ignore")
        except self._errors as error:
            raise UndecodableError(_reason(error)) from error
        try:
            self._begin(head)
        except BaseException:
            self._container.close()
            raise

    def _begin(self, head: bytes) -> None:
        streams = self._container.streams.audio
        if not streams:
            raise UndecodableError(f"no audio stream ({self._container.format.name})")
        self._stream = self._container.streams.best("audio") or streams[0]
        if len(streams) > 1:
            self.notes.append(
                f"{len(streams)} audio streams, of which number {streams.index(self._stream) + 1} is read"
            )
        self._frames = self._decode()
        first = next(self._frames, None)
        # Rate and channels of the first frame: a header knows nothing of spectral band replication.
        if first is None or not first.sample_rate:
            raise UndecodableError("no packet of it decodes")
        self.codec = str(self._stream.codec_context.codec.canonical_name)
        self.rate = int(first.sample_rate)
        self.channels = int(first.layout.nb_channels)
        self._layout = first.layout
        self.tolerance = _PADDING_FRAMES / self.rate
        self.claimed = self._claim(head)
        self._chunks = self._convert(first)
        self._pending = np.empty((0, self.channels), dtype=np.float32)

    def read(self, frames: int) -> NDArray[np.float32]:
        """Give the next frames; see `Decoder.read`."""
        pieces = [self._pending]
        missing = frames - len(self._pending)
        while missing > 0 and (chunk := next(self._chunks, None)) is not None:
            pieces.append(chunk)
            missing -= len(chunk)
        joined = np.concatenate(pieces)
        self._pending = joined[frames:]
        return joined[:frames]

    def seek(self, _frame: int, /) -> bool:
        """Say no: FFmpeg's seeks are not exact."""
        return False

    def close(self) -> None:
        """Free the decoder."""
        self._container.close()

    def _claim(self, head: bytes) -> float | None:
        name = str(self._container.format.name)
        if name == "mp3":
            return headers.mpeg_seconds(head)
        if name in _ESTIMATING:
            return None
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        # The container's length is that of its longest stream.
        if self._container.duration and len(self._container.streams) == 1:
            return float(self._container.duration / 1e6)
        return None

    def _decode(self) -> Iterator[Any]:
        """Give every frame that decodes; a damaged packet costs itself only."""
        context = self._context()
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except self._errors as error:
                self.notes.append(f"reading stopped early ({_reason(error)})")
                packet = None
            try:
                yield from context.decode(packet)
            except EOFError:  # it was flushed already, by the empty packet that ends a stream
                break
            except self._errors:
                self._damaged += 1
            if packet is None:
                break
        if self._damaged:
            self.notes.append(f"{self._damaged} damaged packet(s) left out")

    def _context(self) -> Any:
        import av

        own = self._stream.codec_context
        name = _REFERENCE_DECODERS.get(own.codec.canonical_name)
        if name is None:
            return own
        try:
            context = av.CodecContext.create(name, "r")
        except self._errors:
            return own
        context.extradata, context.sample_rate, context.layout = own.extradata, own.sample_rate, own.layout
        return context

    def _convert(self, first: Any) -> Iterator[NDArray[np.float32]]:
        for frame in chain([first], self._frames):
            key = (frame.sample_rate, frame.layout.name, frame.format.name)
            if self._adapter is not None and key != self._adapted:
                yield from self._leave_adapter()
            same = frame.sample_rate == self.rate and frame.layout.nb_channels == self.channels
            if same and _is_readable(frame):
                yield _samples(frame)
                continue
            if self._adapter is None:
                if not same:
                    self._note_change(frame)
                self._adapter = self._new_adapter()
                self._adapted = key
            frame.pts = None  # times of another rate would make the resampler insert silence
            yield from map(_samples, self._adapter.resample(frame))
        if self._adapter is not None:
            yield from self._leave_adapter()

    def _note_change(self, frame: Any) -> None:
        self.notes.append(
            f"changes to {frame.sample_rate} Hz, {frame.layout.nb_channels} channel(s); converted to "
            f"{self.rate} Hz, {self.channels} channel(s)"
        )

    def _new_adapter(self) -> Any:
        """Give what brings frames to the rate and the layout of the first one, interleaved."""
        import av

        return av.AudioResampler(format="flt", layout=self._layout, rate=self.rate)

    def _leave_adapter(self) -> Iterator[NDArray[np.float32]]:
        yield from map(_samples, self._adapter.resample(None))
        self._adapter = None


class _Nameless:
    """A file without its name, from which FFmpeg would guess a format."""

    name = ""

    def __init__(self, file: FileIO) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


def _is_readable(frame: Any) -> bool:
    """Say whether the planes of a frame may be touched: with eight or more, PyAV counts one too many and crashes."""
    return not frame.format.is_planar or frame.layout.nb_channels < _TOO_MANY_PLANES


def _samples(frame: Any) -> NDArray[np.float32]:
    """Give the samples of a frame, planar or packed and of any type, as float32 `(n, channels)`."""
    raw = frame.to_ndarray()
    array = raw.T if frame.format.is_planar else raw.reshape(-1, frame.layout.nb_channels)
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)  # type: ignore[no-any-return]
    offset, scale = _SCALES[array.dtype.str[1:]]
    floats: NDArray[np.float32] = array.astype(np.float32)
    return (floats - offset) * np.float32(scale)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
