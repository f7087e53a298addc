"""Decoding by libsndfile: PCM of every container, FLAC, Ogg Vorbis and Ogg Opus."""

from __future__ import annotations

from io import FileIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.audio import headers
from sonovec.audio.decoder import UndecodableError

if TYPE_CHECKING:
    import soundfile

# Only uncompressed samples and FLAC are reached by a seek to the sample.
_EXACT_SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_EXACT_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"}
_UNKNOWN_FRAMES = 1 << 60


class SndfileDecoder:
    """Reads an open file through libsndfile; see `sonovec.audio.decoder.Decoder`."""

    name = "libsndfile"
    tolerance = 0.01

    def __init__(self, file: FileIO) -> None:
        self.notes: list[str] = []
        ogg = headers.ogg_ending(file)
        if ogg is not None and ogg.other_stream:
            raise UndecodableError("several Ogg streams behind each other, of which libsndfile reads the first only")
        if ogg is not None and ogg.cut_off:
            self.notes.append("the Ogg stream has no end: it was cut off")
        self._sound = _open(file)
        self.codec = str(self._sound.subtype)
        self.rate = int(self._sound.samplerate)
        self.channels = int(self._sound.channels)
        frames = self._sound.frames
        self.claimed = frames / self.rate if frames < _UNKNOWN_FRAMES else None

    def read(self, frames: int) -> NDArray[np.float32]:
        """Give the next frames; see `Decoder.read`."""
        import soundfile

        try:
            block: NDArray[np.float32] = self._sound.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise UndecodableError(_reason(error)) from error
        return block

    def seek(self, frame: int, /) -> bool:
        """Go to a frame where the format lets that be exact."""
        import soundfile

        exact = self._sound.format in _EXACT_FORMATS and self._sound.subtype.startswith(_EXACT_SUBTYPES)
        if not exact or frame > self._sound.frames:
            return False
        try:
            return bool(self._sound.seek(frame) == frame)
        except soundfile.LibsndfileError as error:
            raise UndecodableError(_reason(error)) from error

    def close(self) -> None:
        """Free the decoder."""
        self._sound.close()


def _open(file: FileIO) -> soundfile.SoundFile:
    import soundfile

    file.seek(0)  # libsndfile takes the position of a descriptor for the beginning of the sound
    try:
        sound = soundfile.SoundFile(file.fileno(), closefd=False)
    except soundfile.LibsndfileError as error:
        raise UndecodableError(_reason(error)) from error
    # MPEG audio inside a WAV: libmpg123 would write to stderr and stop where the first header says.
    if sound.subtype.startswith("MPEG") or not sound.frames:
        sound.close()
        raise UndecodableError("no samples")
    return sound


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).rstrip(".").removeprefix("Error : ")
