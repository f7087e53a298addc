"""Decoding by libsndfile: uncompressed and simply compressed samples, in the containers that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.decoder import Regroup, UndecodableError
from sonovec.audio.headers import DataChunk, Encoding
from sonovec.audio.section import Section

if TYPE_CHECKING:
    import soundfile

# Only uncompressed samples are reached by a seek to the sample.
_EXACT_SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_EXACT_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "RAW"}
_UNKNOWN_FRAMES = 1 << 60
_CHUNK = 1 << 14


class SndfileDecoder:
    """Reads an open file through libsndfile; see `sonovec.audio.decoder.Decoder`.

    Parameters
    ----------
    file : Section
    chunk : DataChunk, optional
        Where its samples are, if that was measured.
    mpeg : bool
        Whether MPEG audio is taken too, whose decoder writes to the error stream and stops where the first header says.
    """

    name = "libsndfile"
    tolerance = 0.01

    def __init__(self, file: Section, chunk: DataChunk | None = None, *, mpeg: bool = False) -> None:
        self.notes: list[str] = []
        self._sound = _open_raw(file, chunk, chunk.encoding) if chunk and chunk.encoding else _open(file)
        if not mpeg and self._sound.subtype.startswith("MPEG"):
            self._sound.close()
            raise UndecodableError("MPEG audio")
        self.codec = str(self._sound.subtype)
        self.rate = int(self._sound.samplerate)
        self.channels = int(self._sound.channels)
        frames = self._sound.frames
        self.claimed = frames / self.rate if frames < _UNKNOWN_FRAMES else None
        # Otherwise the wrapper seeks after each read, which not every codec survives: blocks would not equal the whole.
        self._sound.seekable = lambda: False
        self._blocks = Regroup(self._chunks(), self.channels)

    def read(self, frames: int) -> NDArray[np.float32]:
        """Give the next frames; see `Decoder.read`."""
        return self._blocks.read(frames)

    def _chunks(self) -> Iterator[NDArray[np.float32]]:
        # Of one size, so that an error costs the same samples whatever the size of the blocks.
        import soundfile

        try:
            while len(chunk := self._sound.read(_CHUNK, dtype="float32", always_2d=True)):
                yield chunk
        except soundfile.LibsndfileError as error:
            self.notes.append(f"reading stopped early ({_reason(error)})")

    def seek(self, frame: int, /) -> int:
        """Go to a frame where the format lets that be exact."""
        import soundfile

        exact = self._sound.format in _EXACT_FORMATS and self._sound.subtype.startswith(_EXACT_SUBTYPES)
        if not exact:
            return 0
        try:
            return int(self._sound.seek(min(frame, self._sound.frames)))
        except soundfile.LibsndfileError:
            return int(self._sound.seek(0))

    def close(self) -> None:
        """Free the decoder."""
        self._sound.close()


def _open(file: Section) -> soundfile.SoundFile:
    sound = _sound_file(file)
    if not sound.frames:
        sound.close()
        raise UndecodableError("no samples")
    return sound


def _open_raw(file: Section, chunk: DataChunk, encoding: Encoding) -> soundfile.SoundFile:
    """Open the samples of a file alone, whose header would have them end too early."""
    return _sound_file(file.part(chunk.start, chunk.start + chunk.present), format="RAW", **encoding._asdict())


def _sound_file(file: Section, **fields: Any) -> soundfile.SoundFile:
    import soundfile

    # A descriptor is faster, but has the whole file; libsndfile takes its position for the beginning of the sound.
    source = file.descriptor() if not (file.start or fields) else file.part()
    try:
        return soundfile.SoundFile(source, closefd=False, **fields)
    except soundfile.LibsndfileError as error:
        raise UndecodableError(_reason(error)) from error


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).rstrip(".").removeprefix("Error : ")
