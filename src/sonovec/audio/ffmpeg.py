"""Decoding by FFmpeg: everything that is compressed, and what libsndfile does not know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from sonovec.audio import headers
from sonovec.audio.decoder import ENCRYPTED, UndecodableError
from sonovec.audio.headers import is_broken_adx
from sonovec.audio.ogg import Run
from sonovec.audio.section import Section
from sonovec.audio.timeline import JITTER, Timeline

# These state no length that is to be relied on: what FFmpeg reports is a guess from the bit rate, or a count of blocks.
_ESTIMATING = {"mp3", "aac", "ac3", "eac3", "dts", "loas", "mpeg", "mpegts", "amr", "avi", "flv", "hls", "rm"}
# The time of these begins at 0, so that a first sample that is later has silence before it, though nothing else is there.
_ZERO_BASED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"}
_LATEST_ZERO = 600.0  # seconds; recordings of live streams begin anywhere
# Each frame of these says which samples it holds.
_EXACT_TIMES = {"flac"}
# Ogg counts samples at the rate of the sound, but for this codec.
_GRANULE_RATES = {"opus": 48000}
_PADDING_FRAMES = 4096
_TOO_MANY_PLANES = 8
_MOST_ERRORS = 16
# Silence for gaps is bounded by what a file of this many bytes a second would hold, and ten minutes.
_SPARSEST, _LEAST_GAP = 1000, 600.0
# FFmpeg's own Opus decoder is far from the reference (-7 to -20 dB on real files); the reference is inside FFmpeg too.
_REFERENCE_DECODERS = {"opus": "libopus"}
_ENCRYPTING = {"mov,mp4,m4a,3gp,3g2,mj2"}  # containers whose packets say that they are encrypted
_ENCRYPTED_TAGS = {"enca", "drms", "aavd"}
_ENCRYPTED_METADATA = ("enc_key_id", "ASF_Protection_Type", "ASF_License_URL")
# Offset and scale to -1..1 of each sample type.
_SCALES: dict[str, tuple[int, float]] = {"u1": (128, 2.0**-7), "i2": (0, 2.0**-15), "i4": (0, 2.0**-31)}
_READABLE = {"u8", "s16", "s32", "flt", "dbl"}
_BLOCK = 65536
_COVER = 1 << 10  # FFmpeg's flag of a picture that is attached, not shown in time


class _Piece(NamedTuple):
    """A decoded frame and what its file says of its place."""

    frame: Any
    begins: float | None
    """In seconds of the container's time."""
    length: float
    damaged: bool
    """Whether packets before it did not decode."""
    packet: int
    """Number of the packet that it comes from, counted from 1."""


class Track:
    """The sound of one container, from its beginning, with silence where its times leave gaps.

    Parameters
    ----------
    source : Section or Run
    like : Track, optional
        One whose rate and channels this one takes, whatever its own are.

    Attributes
    ----------
    rate, channels, codec
        Of the sound that `chunks` gives.
    begins : float or None
        Time of the first sample, in seconds of a link of Ogg; None for other sources.
    claimed, tolerance
        See `sonovec.audio.decoder.Decoder`.

    Raises
    ------
    UndecodableError
    """

    def __init__(self, source: Section | Run, like: Track | None = None, base: float = 0.0) -> None:
        self.rate: int
        self.channels: int
        self._layout: Any
        self._decoded: Iterator[_Piece]
        self._notes: list[str] = []
        self._errors = errors()
        self._source = source
        self._damaged = 0
        self._encrypted = False
        self._adapter: Any = None
        self._container = open_container(source)
        try:
            first = self._choose()
        except BaseException:
            self._container.close()
            raise
        # Rate and channels of the first frame: a header knows nothing of spectral band replication.
        self.codec = str(self._stream.codec_context.codec.canonical_name)
        self._layout = like._layout if like else first.frame.layout
        self.rate = like.rate if like else int(first.frame.sample_rate)
        self.channels = like.channels if like else int(first.frame.layout.nb_channels)
        if like:
            self._note_change(first.frame)
        self.tolerance = _PADDING_FRAMES / self.rate
        self.claimed = self._claim()
        self._timeline = Timeline(longest=longest_gap(source), base=base)
        self._pieces = chain([first], self._decoded)
        self.begins = self._begins_by_pages(source) if isinstance(source, Run) else None
        self._origin = self._beginning_of_time(first)

    @property
    def notes(self) -> list[str]:
        """What is worth knowing of it, a sentence each; complete once the chunks are exhausted."""
        notes = [*self._notes, *self._timeline.notes()]
        if self._damaged:
            notes.append(f"{self._damaged} damaged packet(s) left out")
        return notes

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Give the sound, float32 `(n, channels)` each, in pieces of any size."""
        fifo: Any = None
        kind: tuple[Any, ...] | None = None
        for item in self._placed():
            new = None if isinstance(item, int) else (item.sample_rate, item.layout.nb_channels, item.format.name)
            if new != kind or (fifo is not None and fifo.samples >= _BLOCK):
                yield from self._drain(fifo)
                fifo, kind = None, new
                fits = new is not None and self._fits(item)
            if isinstance(item, int):
                yield from silence(item, self.channels)
            elif not item.samples:
                continue
            elif fits:
                fifo = fifo or _fifo()
                item.pts = None  # the place is settled, and a queue would hold it to its own count
                fifo.write(item)
            else:
                yield from self._adapt(item)
        yield from self._drain(fifo)

    def _drain(self, fifo: Any) -> Iterator[NDArray[np.float32]]:
        if fifo is not None:
            yield _samples(fifo.read())
        if self._adapter is not None:
            with suppress(*self._errors):
                yield from map(_samples, self._adapter.resample(None))
            self._adapter = None

    @property
    def seekable(self) -> bool:
        """Whether the container's times are exact enough for `seek`."""
        return self._container.format.name in _EXACT_TIMES

    def seek(self, frame: int) -> int | None:
        """Go to a frame or a little before it, and give where; None where that fails, and then nothing more can be read.

        Nothing may have been read before.
        """
        with suppress(*self._errors):
            self._container.seek(int(frame / self.rate / self._stream.time_base), stream=self._stream)
            self._decoded = self._decode()
            piece = next(self._decoded, None)
            begins = None if piece is None else self._since_origin(piece)
            if piece is not None and begins is not None and round(begins * self.rate) <= frame:
                self._timeline.at = begins
                self._pieces = chain([piece], self._decoded)
                return round(begins * self.rate)
        return None

    def close(self) -> None:
        """Free the decoder."""
        self._container.close()

    # -- which stream

    def _choose(self) -> _Piece:
        """Begin with the first audio stream that decodes, the one that FFmpeg takes for the best before the others."""
        streams = self._container.streams.audio
        if not streams:
            raise UndecodableError(f"no audio stream ({self._container.format.name})")
        best = self._best()
        places = [stream.index for stream in streams]  # for the streams themselves go with their container
        refused: list[str] = []
        for place in sorted(places, key=lambda place: place != best):
            if refused:
                self._reopen()
            try:
                first = self._begin(self._container.streams[place])
            except UndecodableError as error:
                refused.append(str(error))
                continue
            if len(places) > 1:
                why = f"; {len(refused)} before it cannot be decoded: {refused[0]}" if refused else ""
                self._notes.append(
                    f"{len(places)} audio streams, of which number {places.index(place) + 1} is read{why}"
                )
            return first
        raise UndecodableError(refused[0])

    def _best(self) -> int:
        try:
            return int(self._container.streams.best("audio").index)
        except (IndexError, AttributeError):  # none, or one that appeared too late for PyAV
            return int(self._container.streams.audio[0].index)

    def _reopen(self) -> None:
        if isinstance(self._source, Run):
            raise UndecodableError("no other stream")
        self._container.close()
        self._source.seek(0)
        self._container = open_container(self._source)

    def _begin(self, stream: Any) -> _Piece:
        if stream.codec_context is None:
            raise UndecodableError(f"no decoder for its codec ({_codec_of(self._source)})")
        if _tag_of(stream) in _ENCRYPTED_TAGS or _says_encrypted(self._container, stream):
            raise UndecodableError(ENCRYPTED)
        self._stream = stream
        self._notes.clear()
        self._damaged = 0
        self._decoded = self._decode()
        first = next(self._decoded, None)
        if first is None or not first.frame.sample_rate:
            raise UndecodableError(ENCRYPTED if self._encrypted else "no packet of it decodes")
        return first

    # -- times

    def _starts(self) -> dict[int, float]:
        """When each stream of sound or moving pictures begins, in seconds of the container's time."""
        shown = (*self._container.streams.audio, *self._container.streams.video)
        return {
            stream.index: float(stream.start_time * stream.time_base)
            for stream in shown
            if stream.start_time is not None and not stream.disposition & _COVER
        }

    def _zero(self) -> float:
        """The time of the container from which its sound counts: 0, or where that means nothing, its first time."""
        first = min(self._starts().values(), default=0.0)
        return 0.0 if self._container.format.name in _ZERO_BASED and abs(first) <= _LATEST_ZERO else first

    def _start(self) -> float:
        """Seconds of the container's time before its sound."""
        zero = self._zero()
        return self._starts().get(self._stream.index, zero) - zero

    def _beginning_of_time(self, first: _Piece) -> float:
        """Give the time of the container from which its sound counts."""
        if first.begins is None:
            return 0.0
        # The container says when the sound begins; that a decoder gives its first frame later is no silence.
        late = 0.0 if first.damaged or self._stream.start_time is None else self._start()
        return first.begins - late

    def _begins_by_pages(self, run: Run) -> float | None:
        """Seconds of its link at which a run begins: those that a page counts, less what decodes up to there."""
        pieces: list[_Piece] = []
        length = 0.0
        for piece in self._pieces:
            pieces.append(piece)
            if run.anchor is None or piece.packet > run.anchor[1]:
                break
            length += piece.length
        self._pieces = chain(pieces, self._pieces)
        rate = _GRANULE_RATES.get(self.codec, pieces[0].frame.sample_rate)
        return None if run.anchor is None else run.anchor[0] / rate - length

    def _since_origin(self, piece: _Piece) -> float | None:
        # Ogg counts its pages: within a run none is missing, whatever its times say.
        if piece.begins is None or isinstance(self._source, Run):
            return None
        return piece.begins - self._origin

    def _claim(self) -> float | None:
        name = str(self._container.format.name)
        if name == "mp3" and isinstance(self._source, Section):
            return headers.mpeg_seconds(self._source.head())
        if name in _ESTIMATING:
            return None
        if self._stream.duration:
            return self._start() + float(self._stream.duration * self._stream.time_base)
        # The container's length is that of its longest stream.
        if self._container.duration and len(self._container.streams) == 1 and not self._zero():
            return float(self._container.duration / 1e6)
        return None

    def _placed(self) -> Iterator[Any]:
        """Give frames, and how many samples of silence go between them."""
        pieces = self._pieces
        held = next(pieces, None)
        while held is not None:
            following = next(pieces, None)
            # Where a packet is known to be lost, its length is enough for a gap.
            exact = held.damaged or self.seekable
            gap = self._timeline.gap_before(
                self._since_origin(held),
                held.length,
                None if following is None else self._since_origin(following),
                min(JITTER, held.length / 2) if exact else JITTER,
            )
            if gap:
                yield round(gap * self.rate)
            yield held.frame
            # Containers that round lengths do it by whole frames.
            self.tolerance = max(self.tolerance, held.length)
            held = following

    # -- decoding

    def _decode(self) -> Iterator[_Piece]:
        """Give every frame that decodes; a damaged packet costs itself only."""
        context, trims = self._context()
        unit = float(self._stream.time_base)
        may_be_encrypted = self._container.format.name in _ENCRYPTING
        failed = 0
        for number, packet in enumerate(self._packets(), start=1):
            if may_be_encrypted and packet is not None and packet.has_sidedata("encryption_info"):
                self._encrypted = True
                break
            try:
                frames = context.decode(packet)
            except EOFError:  # it was flushed already, by the empty packet that ends a stream
                break
            except self._errors:
                failed += 1
                continue
            for frame in frames:
                pts, rate = frame.pts, frame.sample_rate
                length = frame.samples / rate if rate else 0.0
                begins = None if pts is None else pts * unit
                if trims:
                    trims = False
                    if begins is not None and packet is not None and packet.duration:
                        begins += max(0.0, packet.duration * unit - length)
                yield _Piece(frame, begins, length, failed > 0, number)
                self._damaged += failed
                failed = 0
        self._damaged += failed
        if self._encrypted:
            self._notes.append("what follows is encrypted and was left out")

    def _packets(self) -> Iterator[Any]:
        """Give packets, and None at the end; reading goes on behind a damaged place where FFmpeg can."""
        errors = 0
        packets = self._container.demux(self._stream)
        while errors < _MOST_ERRORS:
            try:
                for packet in packets:
                    errors = 0
                    yield packet
                break
            except IndexError:  # PyAV, at the end of a container in which streams appeared on the way
                break
            except self._errors as error:
                errors += 1
                reason = _reason(error)
                packets = self._container.demux(self._stream)
        if errors:
            self._notes.append(f"reading stopped early ({reason})")
        yield None

    def _context(self) -> tuple[Any, bool]:
        """Give what decodes, and whether it trims the beginning without moving the first time."""
        import av

        usual = self._stream.codec_context
        name = _REFERENCE_DECODERS.get(usual.codec.canonical_name)
        if name is None:
            return usual, False
        try:
            context = av.CodecContext.create(name, "r")
        except self._errors:
            return usual, False
        context.extradata, context.sample_rate, context.layout = usual.extradata, usual.sample_rate, usual.layout
        context.options = {"request_sample_fmt": "flt"}  # otherwise 16 bits, in which what is louder than 1 is cut off
        return context, True

    # -- one rate, one layout

    def _fits(self, frame: Any) -> bool:
        return (
            frame.sample_rate == self.rate
            and frame.layout.nb_channels == self.channels
            and frame.format.packed.name in _READABLE
            # The planes of a frame with eight or more may not be touched: PyAV counts one too many and crashes.
            and (not frame.format.is_planar or self.channels < _TOO_MANY_PLANES)
        )

    def _adapt(self, frame: Any) -> Iterator[NDArray[np.float32]]:
        """Bring a frame to the rate and the layout of the first one, interleaved."""
        import av

        if self._adapter is None:
            self._note_change(frame)
            self._adapter = av.AudioResampler(format="flt", layout=self._layout, rate=self.rate)
        frame.pts = None  # times of another rate would make the resampler insert silence
        try:
            yield from map(_samples, self._adapter.resample(frame))
        except self._errors:
            self._damaged += 1
            yield from silence(round(frame.samples * self.rate / max(1, frame.sample_rate)), self.channels)

    def _note_change(self, frame: Any) -> None:
        if (frame.sample_rate, frame.layout.nb_channels) == (self.rate, self.channels):
            return
        note = (
            f"changes to {frame.sample_rate} Hz, {frame.layout.nb_channels} channel(s); converted to "
            f"{self.rate} Hz, {self.channels} channel(s)"
        )
        if note not in self._notes:
            self._notes.append(note)


def longest_gap(source: Section | Run) -> float:
    """Give how many seconds of silence the times of a file may ask for; more is taken for an error in them."""
    return _LEAST_GAP + (len(source) / _SPARSEST if isinstance(source, Section) else 0)


def silence(frames: int, channels: int) -> Iterator[NDArray[np.float32]]:
    """Give zeros `(n, channels)`, in blocks that need little memory."""
    for first in range(0, frames, _BLOCK):
        yield np.zeros((min(_BLOCK, frames - first), channels), np.float32)


def open_container(source: Section | Run) -> Any:
    """Open what FFmpeg takes for a container, and nothing but that.

    Raises
    ------
    UndecodableError
    """
    import av

    if isinstance(source, Section) and is_broken_adx(source.head()):
        raise UndecodableError("it is ADX of an unknown kind")
    try:
        # No protocol and no other file: what a playlist names is not opened.
        return av.open(source, options={"protocol_whitelist": "none"}, metadata_errors="replace", io_open=_open_nothing)
    except errors() as error:
        raise UndecodableError(_reason(error)) from error


def _open_nothing(url: str, *_: object) -> NoReturn:
    raise OSError(f"{url} is another file")


def errors() -> tuple[type[Exception], ...]:
    """What FFmpeg and PyAV raise for a file that is not as it should be."""
    import av

    return (av.FFmpegError, OSError, ValueError)


def _fifo() -> Any:
    import av

    return av.AudioFifo()


def _samples(frame: Any) -> NDArray[np.float32]:
    """Give the samples of a frame, planar or packed and of any type, as float32 `(n, channels)`."""
    raw = frame.to_ndarray()
    array = raw.T if frame.format.is_planar else raw.reshape(-1, frame.layout.nb_channels)
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)  # type: ignore[no-any-return]
    offset, scale = _SCALES[array.dtype.str[1:]]
    floats: NDArray[np.float32] = array.astype(np.float32)
    return (floats - offset) * np.float32(scale)


def _tag_of(stream: Any) -> str:
    try:
        return str(stream.codec_context.codec_tag)
    except UnicodeDecodeError:  # some containers have numbers that are no letters
        return ""


def _says_encrypted(container: Any, stream: Any) -> bool:
    return any(name in metadata for metadata in (stream.metadata, container.metadata) for name in _ENCRYPTED_METADATA)


def _codec_of(source: Section | Run) -> str:
    name = headers.wave_format(source.head()) if isinstance(source, Section) else None
    return name or "one that FFmpeg does not know"


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
