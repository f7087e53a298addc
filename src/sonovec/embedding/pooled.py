"""The vectors of a sound, pooled into parts while they come: memory stays the same however long the sound is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.decode import AudioInfo
from sonovec.brief import Brief
from sonovec.embedding.embedding import Part
from sonovec.embedding.gather import Facts, Heard, Tap, Vectors, check_finite, times_of
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooling import pool, segment_bounds, windows_per_segment
from sonovec.embedding.silence import Silence
from sonovec.embedding.source import Source
from sonovec.embedding.tally import Mean, Tag, Tally, best_of_part


@dataclass(frozen=True, eq=False, repr=False)
class Pooled(Brief):
    """What a library keeps of a sound; see `Embedding`, whose names it has.

    Attributes
    ----------
    path : Path or None
    vector : array, shape (dim,), float32
    parts : list of Part
        Consecutive windows, pooled.
    silent : bool
        Whether all windows hold digital silence.
    silence : str or None
        The `note` of its `Silence`.
    tags : list of Tag
        All classes, with what is heard of them in the whole sound, best first.
    rate, channels, codec, duration, notes
        Of the source.
    heard : mapping
        What others heard in its blocks and its vectors, by their names.
    """

    path: Path | None
    vector: NDArray[np.float32]
    parts: list[Part]
    silent: bool
    silence: str | None
    tags: list[Tag]
    rate: int
    channels: int
    codec: str
    duration: float
    notes: tuple[str, ...]
    heard: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Windows(Brief):
    """Vectors of consecutive windows, or of parts that they were pooled into.

    Attributes
    ----------
    times : array, shape (n, 2), float64
        Start and end in seconds of the source.
    coverage : array, shape (n,), float32
        How much of each is sound and not padding, in (0, 1].
    vectors : array, shape (n, dim), float32
    silent : array, shape (n,), bool, optional
        Windows that hold digital silence, where that is known.
    """

    times: NDArray[np.float64]
    coverage: NDArray[np.float32]
    vectors: NDArray[np.float32]
    silent: NDArray[np.bool_] | None = None


class Listener:
    """Hears the decoded blocks of a source beside the encoder, and its vectors, and says at the end what it heard.

    This one hears nothing.
    """

    def begin(self, info: AudioInfo, passport: Passport) -> Tap | None:
        """Take what is known of the source and of the vectors to come, and give what takes the blocks."""
        return None

    def hear(self, windows: Windows) -> None:
        """Take the vectors of the next windows."""

    def end(self) -> None:
        """Note that the last block was decoded."""

    def finish(self) -> Mapping[str, Any]:
        """What was heard, behind the last vectors."""
        return {}


class Pooling:
    """A sink that pools windows into parts of about `seconds`, as `Embedding.parts` does."""

    def __init__(self, source: Source, heard: Heard, seconds: float, listener: Listener | None = None) -> None:
        self._source, self._heard, self._listener = source, heard, listener or Listener()
        self._windows = windows_per_segment(seconds, heard.passport.hop / heard.passport.rate)
        self._clip, self._tally = Mean(), Tally(heard.classes)
        self._silence = Silence()
        self._waiting: list[Vectors] = []  # of the part that is not whole yet
        self._parts: list[Part] = []

    def begin(self, info: AudioInfo) -> Tap | None:
        """Let the listener hear the blocks."""
        return self._listener.begin(info, self._heard.passport)

    def end(self) -> None:
        """Let the listener come to the end of the blocks."""
        self._listener.end()

    def push(self, vectors: Vectors) -> None:
        """Take the next windows."""
        check_finite(vectors.rows, self._source)
        dim = self._heard.dim
        self._listener.hear(Windows(self._times(vectors), vectors.coverage, vectors.rows[:, :dim], vectors.silent))
        self._clip.add(vectors.rows[:, :dim], vectors.coverage)
        self._silence.add(vectors.levels, vectors.silent)
        self._waiting.append(vectors)
        if vectors.starts[-1] - self._waiting[0].starts[0] >= (self._windows - 1) * self._heard.passport.hop:
            self._pool()

    def _pool(self, *, ended: bool = False) -> None:
        """Pool the waiting windows, and let those wait on that more may join, unless it has ended."""
        together, dim, classes = _joined(self._waiting), self._heard.dim, self._heard.classes
        bounds = segment_bounds(together.starts // self._heard.passport.hop, self._windows)
        first, last = bounds[-1]
        waits = not ended and last - first < self._windows
        self._waiting = [_joined([_cut(together, slice(first, last))])] if waits else []
        for first, last in bounds[:-1] if waits else bounds:
            part = _cut(together, slice(first, last))
            times = self._times(part)
            vector, scores = pool(part.rows[:, :dim], part.coverage), part.rows[:, dim:]
            if classes:
                self._tally.add(scores, part.coverage, part.silent)
            tags = best_of_part(scores, part.silent, classes)
            self._parts.append(Part(float(times[0, 0]), float(times[-1, 1]), float(part.coverage.mean()), vector, tags))

    def _times(self, vectors: Vectors) -> NDArray[np.float64]:
        return times_of(np.stack([vectors.starts, vectors.ends], axis=1), self._source, self._heard.passport)

    def finish(self, facts: Facts) -> Pooled:
        """All parts, and what the listener heard, for which it may wait here."""
        if self._waiting:
            self._pool(ended=True)
        return Pooled(
            path=self._source.path,
            vector=self._clip.value,
            parts=self._parts,
            silent=self._silence.silent == self._silence.windows,
            silence=self._silence.note,
            tags=self._tally.tags(),
            rate=facts.rate,
            channels=facts.channels,
            codec=facts.codec,
            duration=facts.duration,
            notes=facts.notes,
            heard=self._listener.finish(),
        )


#: Makes the listener of a source, or none.
ListenerOf = Callable[[Source], Listener | None]


def _joined(vectors: list[Vectors]) -> Vectors:
    """Windows together, in memory of their own."""
    return Vectors(*(np.concatenate([getattr(each, name) for each in vectors]) for name in _FIELDS))


def _cut(vectors: Vectors, part: slice) -> Vectors:
    return Vectors(*(getattr(vectors, name)[part] for name in _FIELDS))


_FIELDS = tuple(Vectors.__dataclass_fields__)
