"""What an encoder returns: an Embedding, or a Failure in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief, shortened
from sonovec.embedding.events import THRESHOLD, Event, events
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooling import pool, segment_bounds, windows_per_segment
from sonovec.embedding.silence import Silence
from sonovec.embedding.tally import best_of_part
from sonovec.errors import SonovecError, UsageError
from sonovec.paths import display


@dataclass(frozen=True, eq=False, repr=False)
class Part(Brief):
    """Consecutive windows of an embedding, pooled: seconds of the source and one vector ``(dim,)``.

    `tags` has the best tags that are heard in it, with the highest score of each.
    """

    start: float
    end: float
    coverage: float
    vector: NDArray[np.float32]
    tags: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Embedding:
    """The vectors of one sound.

    Attributes
    ----------
    path : Path or None
        The file, or None for samples in memory.
    windows : array, shape (n_windows, dim), float32
        One vector for each window.
    times : array, shape (n_windows, 2), float64
        Start and end of each window in seconds of the source; the last end is where the sound ends.
    coverage : array, shape (n_windows,), float32
        How much of each window is sound and not padding, in (0, 1].
    silent : array, shape (n_windows,), bool
        Windows that hold digital silence.
    levels : array, shape (n_windows,), float32
        The mean power of each window in dB of full scale (a square wave at full scale has 0, a sine -3); -inf for zeros.
    rate, channels, codec
        Of the source.
    duration : float
        Seconds that were decoded, whatever the header says.
    notes : tuple of str
        What a user should know: a truncated file, samples that were not numbers.
    passport : Passport
    scores : array, shape (n_windows, n_classes), float32
        The model's scores of its classes, for each window; no columns if it scores none.
    classes : tuple of str
        Names of those classes.
    """

    path: Path | None
    windows: NDArray[np.float32]
    times: NDArray[np.float64]
    coverage: NDArray[np.float32]
    silent: NDArray[np.bool_]
    levels: NDArray[np.float32]
    rate: int
    channels: int
    codec: str
    duration: float
    notes: tuple[str, ...]
    passport: Passport
    scores: NDArray[np.float32]
    classes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        name = shortened(display(self.path)) if self.path else "samples in memory"
        count, dim = self.windows.shape
        heard = "".join(f"; {tag} {score:.2f}" for tag, score in self.top_tags(3))
        return f"Embedding({name}, {self.duration:.2f} s: {count} x {dim} by {self.passport.model}{heard})"

    def _repr_html_(self) -> str:
        from sonovec.embedding.notebook import embedding_html

        return embedding_html(self)

    @property
    def vector(self) -> NDArray[np.float32]:
        """The clip vector, shape (dim,): the mean of the windows, weighted by coverage."""
        # No `cached_property`: until Python 3.12 it has a lock, which another thread may hold when a child is forked.
        if "_vector" not in self.__dict__:
            self.__dict__["_vector"] = pool(self.windows, self.coverage)
        vector: NDArray[np.float32] = self.__dict__["_vector"]
        return vector

    @property
    def silence(self) -> str | None:
        """In which way the sound is silent, such as ``"nearly silent (-75 dBFS at the loudest)"``; None if it is not."""
        silence = Silence()
        silence.add(self.levels, self.silent)
        return silence.note

    def top_tags(self, limit: int = 5) -> list[tuple[str, float]]:
        """The classes that score highest over the whole sound: (name, score), best first; empty if the model has none.

        The score of the whole is the mean of the windows, weighted by coverage; silent ones are left out if others sound.

        Raises
        ------
        UsageError
            If `limit` is less than 1.
        """
        if limit < 1:
            raise UsageError(f"limit={limit} names no tag; give 1 or more, such as top_tags(limit=5)")
        if not self.classes:
            return []
        heard = self.silent if self.silent.all() else ~self.silent
        clip = pool(self.scores[heard], self.coverage[heard])
        return [(self.classes[i], float(clip[i])) for i in np.argsort(-clip, kind="stable")[:limit]]

    def events(self, threshold: float = THRESHOLD) -> list[Event]:
        """Stretches in which a class scores `threshold` or more; see `sonovec.embedding.events.events`."""
        return events(self.times, self.scores, self.classes, threshold)

    def parts(self, seconds: float) -> list[Part]:
        """Consecutive windows pooled into parts of about `seconds` each, never less than one window.

        The last part holds what is left, so that every window is in exactly one part. Where windows were left out, because
        nobody speaks in them, a part ends.
        """
        hop = self.passport.hop / self.passport.rate
        numbers = np.round((self.times[:, 0] - self.times[0, 0]) / hop).astype(np.int64)
        return [
            Part(
                float(self.times[first, 0]),
                float(self.times[last - 1, 1]),
                float(self.coverage[first:last].mean()),
                pool(self.windows[first:last], self.coverage[first:last]),
                best_of_part(self.scores[first:last], self.silent[first:last], self.classes),
            )
            for first, last in segment_bounds(numbers, windows_per_segment(seconds, hop))
        ]


@dataclass(frozen=True)
class Failure:
    """What stands in an Embedding's place where a sound could not be embedded."""

    path: Path | None
    error: SonovecError

    @property
    def reason(self) -> str:
        """One line that says what is wrong and what helps."""
        return str(self.error)
