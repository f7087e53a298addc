"""One sound to embed: a file, samples in memory, or whatever was given in their place."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.samples import NAME, open_samples, open_waveform
from sonovec.audio.stream import MonoStream, open_mono
from sonovec.audio.waveform import Waveform
from sonovec.brief import short
from sonovec.errors import SonovecError, UsageError
from sonovec.paths import display

#: What can be embedded: a path, a Waveform, or a tuple of samples and their rate in Hz.
Sound = str | os.PathLike[str] | Waveform | tuple[NDArray[np.floating], int]


@dataclass(frozen=True)
class Source:
    """One sound to embed, and the range of it in seconds.

    The sound is a file, samples in memory, or whatever was given in their place: only when it is opened it must be one.
    """

    sound: Any
    start: float = 0.0
    end: float | None = None

    @property
    def path(self) -> Path | None:
        """The file, or None for samples in memory."""
        return self.sound if isinstance(self.sound, Path) else None

    @property
    def name(self) -> str:
        """What an error calls it."""
        return display(self.path) if self.path else NAME


def source_of(sound: Any, start: float = 0.0, end: float | None = None) -> Source:
    """What the engine reads, for all that can be embedded; whether it is a sound turns out when it is opened."""
    check_range(start, end)
    if isinstance(sound, str | os.PathLike) and isinstance(text := os.fspath(sound), str) and text:
        return Source(Path(text), start, end)
    return Source(sound, start, end)


def check_range(start: float, end: float | None) -> None:
    """Refuse what is not a range of seconds."""
    if not (0 <= start < math.inf and (end is None or start < end)):
        raise UsageError(f"start={start}, end={end} is not a range of seconds; give 0 <= start < end")


def check_many(sounds: Any) -> None:
    """Refuse what is not a list of sounds; the message says how to give one."""
    if isinstance(sounds, str | os.PathLike):
        raise UsageError(f"{str(sounds)!r} is one sound; give a list: encoder.embed_many([{str(sounds)!r}])")
    if not isinstance(sounds, Iterable) or _is_one(sounds):
        raise UsageError(
            f"{display(short(sounds))} is not a list of sounds; give one: encoder.embed_many([sound]), where a sound "
            "is a path, a Waveform, or a tuple (samples, rate)"
        )


def _is_one(sounds: Any) -> bool:
    """Whether this is one sound, or numbers, although it can be iterated."""
    if isinstance(sounds, tuple):  # of samples and their rate, or of two paths
        numbers = [isinstance(item, Number) for item in sounds]
        return len(sounds) == 2 and any(numbers) and not any(isinstance(item, str | os.PathLike) for item in sounds)
    if hasattr(sounds, "__array__"):  # a column of a table may hold paths
        return np.size(sounds) > 0 and np.asarray(sounds).dtype.kind in "biufc"
    return isinstance(sounds, bytes | Mapping)


def open_source(source: Source, rate: int | None, isolate: bool = False) -> MonoStream:
    """The sound of a source, mono at `rate` in Hz or at its own; with `isolate`, a file is decoded in a child process.

    Raises
    ------
    AudioError
        If it cannot be decoded.
    UsageError
        If it is not a sound; the message says what to give.
    """
    sound, start, end = source.sound, source.start, source.end
    if isinstance(sound, Path):
        return open_mono(sound, rate, start, end, isolate=isolate)
    if isinstance(sound, Waveform):
        return open_waveform(sound, rate, start, end)
    if isinstance(sound, tuple) and len(sound) == 2:
        samples, own_rate = sound
        if isinstance(samples, Number) and not isinstance(own_rate, Number):
            raise UsageError("this tuple is (rate, samples); give (samples, rate)")
        return open_samples(samples, own_rate, rate, start, end)
    if isinstance(sound, SonovecError):  # of a step before this one
        raise sound
    if hasattr(sound, "__array__") and np.ndim(sound):
        raise UsageError(f"an array of shape {np.shape(sound)} has no rate; give (samples, rate), such as (x, 16000)")
    raise UsageError(f"{display(short(sound))} is not a sound; give a path, a Waveform, or a tuple (samples, rate)")
