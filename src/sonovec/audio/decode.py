"""Any audio file to float32 blocks with exact positions; the decoder is chosen by content, never by the name."""

from __future__ import annotations

import errno
import logging
import math
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sonovec.audio import headers, magic, ogg
from sonovec.audio.checks import Checks
from sonovec.audio.decoder import ENCRYPTED, Decoder, UndecodableError
from sonovec.audio.headers import DataChunk
from sonovec.audio.joined import FFmpegDecoder
from sonovec.audio.libsndfile import SndfileDecoder
from sonovec.audio.limits import RATES, Allowance
from sonovec.audio.section import Section, without_tags
from sonovec.errors import AudioError, UsageError
from sonovec.paths import display

_LOG = logging.getLogger(__name__)

BLOCK = 65536
"""Frames in a block unless asked otherwise."""

_SEARCHED = 1 << 14  # bytes: two frames of every stream that hides in samples
_CHUNK_TOLERANCE = 0.01  # seconds

_BY_FFMPEG = {
    "mpeg",
    "flac",
    "matroska",
    "mp4",
    "avi",
    "asf",
    "flv",
    "mpeg-ps",
    "mpeg-ts",
    "amr",
    "wavpack",
    "ape",
    "tta",
    "musepack",
    "dsf",
    "ac3",
}

_OPEN_ERRORS = {
    errno.ENOENT: "no such file; check the path",
    errno.ENOTDIR: "no such file; check the path",
    errno.EACCES: "may not be read; allow it with chmod u+r, or run as its owner",
    errno.EPERM: "may not be read; allow it with chmod u+r, or run as its owner",
    errno.ELOOP: "a link that leads to itself; give the file it should lead to",
    errno.ENAMETOOLONG: "the name is too long for this system; check the path",
}
_SPECIAL = "neither a file nor a folder but a pipe, socket or device; write its audio to a file and give that"


@dataclass(frozen=True)
class AudioInfo:
    """What is known of a file once its decoder has begun.

    Attributes
    ----------
    path
        Printable text of the path.
    rate
        Source samples a second, in Hz.
    channels
        Channels of every block.
    codec
        The decoder's word for the encoding, such as ``PCM_16``, ``VORBIS`` or ``aac``.
    decoder
        ``libsndfile`` or ``FFmpeg``.
    """

    path: str
    rate: int
    channels: int
    codec: str
    decoder: str


class AudioReader:
    """An open audio file that gives its samples once, from the first to the last; made by `open_audio`.

    Attributes
    ----------
    info
        `AudioInfo` of the file.
    position
        Source frames given so far, counted from `start`.
    notes
        What is worth knowing of the file, a sentence each: lengths that differ from the header, damage, samples that
        were not numbers. Complete once the blocks are exhausted.
    """

    def __init__(self, path: str | bytes | os.PathLike[str], start: float = 0.0, end: float | None = None) -> None:
        name = display(path)
        _check_range(name, start, end)
        self._file = _open_regular(path, name)
        try:
            self._allowance = Allowance(name, os.fstat(self._file.fileno()).st_size)
            with self._allowance.spend():
                self._chunk, self._decoder = _open_decoder(self._file, name)
        except BaseException:
            self._file.close()
            raise
        rate = self._decoder.rate
        self.info = AudioInfo(name, rate, self._decoder.channels, self._decoder.codec, self._decoder.name)
        told = (name, self.info.codec, rate, self.info.channels, self.info.decoder)
        _LOG.debug("%s: %s, %d Hz, %d channels, decoded by %s", *told)
        self.position = 0
        self._start = start
        self._first = round(start * rate)
        self._last = None if end is None else max(self._first + 1, round(end * rate))
        self._reached = -1  # frames of the file behind us; -1 before the start was looked for
        self._exhausted = False
        self._compared = False
        self._checks = Checks(self.info.channels, rate)
        self._notes: list[str] = []

    @property
    def notes(self) -> list[str]:
        """What is worth knowing of the file, a sentence each; complete once the blocks are exhausted."""
        return [*self._decoder.notes, *self._notes, *self._checks.notes()]

    def blocks(self, frames: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Give what is left of the sound, block by block.

        Parameters
        ----------
        frames
            Frames in each block; only the last one may be shorter.

        Yields
        ------
        ndarray
            float32, shape ``(n, channels)``; full scale is -1 to 1.

        Raises
        ------
        AudioError
            Nothing decodes, or all its samples are NaN or infinite. Raised when the end is reached.
        UsageError
            `frames` is not positive, or the range begins behind the end.
        """
        if frames < 1:
            raise UsageError(f"frames={frames} must be a positive number; for example blocks(frames={BLOCK})")
        if self._reached < 0:
            self._go_to_start()
        while len(block := self._read(self._left(frames))):
            self.position += len(block)
            self._checks.clean(block)
            yield block
        self._finish()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._decoder.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _go_to_start(self) -> None:
        with self._allowance.spend():
            self._reached = self._decoder.seek(self._first) if self._first else 0
        while self._reached < self._first and len(self._read(min(BLOCK, self._first - self._reached))):
            pass

    def _left(self, frames: int) -> int:
        return frames if self._last is None else min(frames, self._last - self._reached)

    def _read(self, frames: int) -> NDArray[np.float32]:
        if frames <= 0 or self._exhausted:
            return np.empty((0, self.info.channels), dtype=np.float32)
        with self._allowance.spend():
            block = self._decoder.read(frames)
        self._reached += len(block)
        self._exhausted = not len(block)
        return block

    def _finish(self) -> None:
        name, rate = self.info.path, self.info.rate
        if not self.position:
            if self._first and self._reached:
                raise UsageError(
                    f"start={self._start:g} is not before the end of {name} ({self._reached / rate:.2f} s); "
                    "give a smaller start"
                )
            raise AudioError(f"{name}: no samples can be decoded; export it again, or leave it out")
        if self._checks.all_bad:
            raise AudioError(f"{name}: all its samples are NaN or infinite; export it again")
        if self._exhausted and not self._compared:
            self._compared = True
            self._compare_with_header(self._reached / rate)

    def _compare_with_header(self, decoded: float) -> None:
        """Note where the header and what decoded, in seconds from the beginning of the file, differ."""
        claimed, tolerance = self._decoder.claimed, self._decoder.tolerance
        if self._chunk is not None and self._chunk.present:
            # Both decoders believe the size of a file rather than its header, so they do not tell what it claims.
            share = self._chunk.claimed and self._chunk.claimed / self._chunk.present
            claimed, tolerance = (share and decoded * share), _CHUNK_TOLERANCE
            if self._chunk.stray / self._chunk.present * decoded > tolerance:
                self._notes.append(
                    f"the header counts {decoded:.2f} s of audio; {self._chunk.stray} bytes behind it belong to no "
                    "part of the file and were not read"
                )
        if claimed is not None and abs(decoded - claimed) > tolerance:
            self._notes.append(f"decoded {decoded:.2f} s although the header says {claimed:.2f} s")


def open_audio(path: str | bytes | os.PathLike[str], start: float = 0.0, end: float | None = None) -> AudioReader:
    """Open an audio or video file for reading its sound block by block.

    What a header says of the length is not believed: the sound ends where decoding ends. Encoder delay is dropped
    where the file declares it.

    Parameters
    ----------
    path
        A regular file, whatever it is called. libsndfile decodes what it can, FFmpeg the rest, and MPEG audio.
    start, end
        Range in seconds, rounded to the nearest source frame; `end` None is the end of the file.

    Returns
    -------
    AudioReader
        To be closed, or used in a ``with`` statement.

    Raises
    ------
    AudioError
        The file cannot be read or holds no audio; one line with the file's name and what to do.
    UsageError
        The range is not one.

    Examples
    --------
    >>> import tempfile, pathlib, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.zeros((24000, 2)), 16000)
    >>> with open_audio(path, start=0.5) as audio:
    ...     sizes = [block.shape for block in audio.blocks(10000)]
    >>> sizes, audio.position, audio.info.codec
    ([(10000, 2), (6000, 2)], 16000, 'PCM_16')
    """
    return AudioReader(path, start, end)


def _check_range(name: str, start: float, end: float | None) -> None:
    if not (math.isfinite(start) and start >= 0):
        raise UsageError(f"start={start} must be 0 or more seconds; for example open_audio({name!r}, start=0.0)")
    if end is not None and not (math.isfinite(end) and end > start):
        raise UsageError(
            f"end={end} must be more seconds than start={start}; "
            f"for example open_audio({name!r}, start={start}, end={start + 10})"
        )


def _open_regular(path: str | bytes | os.PathLike[str], name: str) -> FileIO:
    """Open a file without ever waiting for the other end of a pipe."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - bytes are paths too
        if stat.S_ISDIR(mode):
            raise AudioError(f"{name}: a folder; give the audio files in it")
        if not stat.S_ISREG(mode):
            raise AudioError(f"{name}: {_SPECIAL}")
        file = FileIO(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)))
    except OSError as error:
        reason = _OPEN_ERRORS.get(error.errno or 0) or f"cannot be read ({error.strerror}); copy it to another disk"
        raise AudioError(f"{name}: {reason}") from error
    except ValueError as error:  # a NUL, or half a surrogate pair
        raise AudioError(f"{name}: a file cannot have this name; check the path") from error
    return file


def _open_decoder(file: FileIO, name: str) -> tuple[DataChunk | None, Decoder]:
    """Choose the decoder of a file, and measure its samples where a header says how many they are."""
    try:
        sound = without_tags(file)
        head = sound.head()
        if not head:
            raise AudioError(f"{name}: an empty file (0 bytes); copy or download it again")
        chunk = headers.data_chunk(sound)
        decoder = _decoder_of(sound, head, chunk)
        least, most = RATES
        if not least <= decoder.rate <= most:
            raise AudioError(
                f"{name}: {decoder.rate} samples a second is not a supported rate; export the file at 8000 Hz or more"
            )
        return chunk, decoder
    except UndecodableError as error:
        raise AudioError(f"{name}: {_refusal(head, error)}") from error
    except OSError as error:
        raise AudioError(f"{name}: cannot be read ({error.strerror}); copy it to another disk") from error


def _decoder_of(sound: Section, head: bytes, chunk: DataChunk | None) -> Decoder:
    kind = magic.kind(head) or ("mpeg" if magic.has_sync(head) else None)
    # What is joined or damaged needs FFmpeg, as libsndfile stops behind the first stream, or loses its place in time.
    if kind == "wav" and chunk is None:  # FFmpeg would look for it for as long as the file is
        raise UndecodableError("it has no data chunk")
    if chunk is not None and not chunk.present:
        raise UndecodableError("no samples")
    plain = ogg.is_plain_vorbis(sound) if kind == "ogg" else kind not in _BY_FFMPEG
    if chunk is not None and magic.may_hide_a_stream(sound.part(chunk.start).read(_SEARCHED)):
        with suppress(UndecodableError):
            if not (hidden := FFmpegDecoder(sound)).codec.startswith("pcm_"):
                return hidden
            hidden.close()
    if plain and not (chunk and chunk.joined):
        with suppress(UndecodableError):
            return SndfileDecoder(sound, chunk)
    try:
        return FFmpegDecoder(sound)
    except UndecodableError:
        if kind == "mpeg" and magic.is_free_format(head):  # FFmpeg does not know it
            return SndfileDecoder(sound, mpeg=True)
        raise


def _refusal(head: bytes, error: UndecodableError) -> str:
    """Say why neither decoder took a file, and what to do."""
    reason = str(error)
    if reason == ENCRYPTED:
        return "its sound is encrypted; give a file without copy protection"
    if reason.startswith("no audio stream"):
        return f"{reason}; give a file with sound in it"
    known = magic.kind(head)
    if known is None:
        return f"not audio (begins with {head[:8]!r}); give a file that libsndfile or FFmpeg can decode"
    return f"looks like {known} but nothing of it decodes ({reason}); copy it again, or export it as WAV or FLAC"
