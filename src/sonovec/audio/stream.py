"""Any audio file as mono sound of one rate."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.decode import BLOCK, AudioInfo, open_audio
from sonovec.audio.isolate import open_isolated
from sonovec.audio.mix import mix_or_first
from sonovec.audio.resample import Resampler
from sonovec.audio.waveform import Waveform

#: Bounds of a block, so that its memory is bounded whatever the rate and the number of channels.
MOST_SECONDS, MOST_SAMPLES = 16, 1 << 23


class Reader(Protocol):
    """What a stream reads from: `AudioReader` for files."""

    info: AudioInfo
    position: int

    @property
    def notes(self) -> list[str]:
        """What is worth knowing of the source."""
        ...

    def blocks(self, frames: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Give float32 `(n, channels)`."""
        ...

    def close(self) -> None:
        """Let go of the source."""
        ...


class MonoStream:
    """Mono blocks of an open file at one rate, given once; made by `open_mono`.

    Attributes
    ----------
    rate
        Samples a second of the blocks, in Hz.
    tap
        Called with each block as it was decoded, float32 ``(n, channels)`` at the rate of the source, if it is given.
    """

    def __init__(self, reader: Reader, rate: int | None) -> None:
        self._reader = reader
        self.rate = reader.info.rate if rate is None else rate
        self._resampler = Resampler(reader.info.rate, self.rate)
        self.tap: Callable[[NDArray[np.float32]], None] | None = None

    def abandon(self) -> None:
        """In a forked child: free what a thread of the parent used, which never ends here."""
        self._resampler.free()

    @property
    def info(self) -> AudioInfo:
        """What is known of the source."""
        return self._reader.info

    @property
    def notes(self) -> list[str]:
        """What is worth knowing of the source; complete once the blocks are exhausted."""
        return self._reader.notes

    @property
    def source_frames(self) -> int:
        """Frames of the source, at its own rate, that were decoded so far, counted from `start`."""
        return self._reader.position

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return self.blocks()

    def blocks(self, frames: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Give float32 blocks `(n,)`, decoding about `frames` source frames at a time, which shapes the blocks only."""
        rate, channels = self.info.rate, self.info.channels
        # Several channels are mixed by the second, so that how they are mixed does not depend on the blocks.
        size = min(frames, MOST_SECONDS * rate) if channels == 1 else min(rate, max(1, MOST_SAMPLES // channels))
        for block in self._reader.blocks(size):
            if self.tap is not None:
                self.tap(block)
            if len(mono := self._resampler.process(mix_or_first(block))):
                yield mono
        if len(rest := self._resampler.flush()):
            yield rest

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_mono(
    path: str | bytes | os.PathLike[str],
    rate: int | None,
    start: float = 0.0,
    end: float | None = None,
    *,
    isolate: bool = False,
) -> MonoStream:
    """Open a file as a stream of mono blocks at `rate`: the mean of the channels, then resampled.

    Parameters
    ----------
    path, start, end
        As for `sonovec.audio.decode.open_audio`, whose errors are raised here too.
    rate
        Samples a second of the blocks; None keeps the rate of the source.
    isolate
        Decode in a child process, where a crash of a decoder is an `AudioError`.

    Returns
    -------
    MonoStream
        To be closed, or used in a ``with`` statement; memory stays the same however long the file is.

    Examples
    --------
    >>> import tempfile, pathlib, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.zeros((22050, 2)), 44100)
    >>> with open_mono(path, 16000) as stream:
    ...     samples = sum(len(block) for block in stream)
    >>> samples, stream.source_frames
    (8000, 22050)
    """
    reader: Reader = open_isolated(path, start, end) if isolate else open_audio(path, start, end)
    try:
        return MonoStream(reader, rate)
    except BaseException:
        reader.close()
        raise


def load(
    path: str | bytes | os.PathLike[str],
    rate: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    *,
    isolate: bool = False,
) -> Waveform:
    """Read a whole file, or a range of it, into memory; arguments and errors as for `open_mono`.

    Examples
    --------
    >>> import tempfile, pathlib, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.zeros(8000), 8000)
    >>> load(path, rate=16000, end=0.5).samples.shape
    (8000,)
    """
    with open_mono(path, rate, start, end, isolate=isolate) as stream:
        return Waveform(np.concatenate(list(stream)), stream.rate)
