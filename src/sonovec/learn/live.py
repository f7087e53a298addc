"""Detectors hear a stream while it comes: an event is told less than a window and 200 ms behind its end.

Each window is embedded as soon as its last sample is there, or up to four seconds later where noise is taken out of the
stream. What a stream keeps is the sound of one window, the vectors of the windows over one moment, and the events that go on;
so a stream may last for days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.live import LiveMono
from sonovec.audio.pipe import Piped
from sonovec.audio.resample import Resampler
from sonovec.audio.windows import Windows
from sonovec.embedding.encoder import Encoder
from sonovec.errors import AudioError
from sonovec.learn.detection import Panel
from sonovec.learn.events import Detection


class Live:
    """What detectors hear in a stream: iterate over it for the events, each as soon as it is known.

    Parameters
    ----------
    sound : Piped
        See `sonovec.audio.pipe.open_pipe`.
    *panels : Panel
        Detectors, those that take the vectors of one encoder in one panel.

    Attributes
    ----------
    seconds : float
        Of sound that was heard so far.
    """

    def __init__(self, sound: Piped, *panels: Panel) -> None:
        self._mono = LiveMono(sound)
        self._ears = [_Ear(panel, sound.rate) for panel in panels]

    @property
    def seconds(self) -> float:
        """Seconds of sound that were heard so far."""
        return self._mono.seconds

    @property
    def notes(self) -> list[str]:
        """What is odd about the stream; complete once it has ended."""
        of_cleaning = (note for ear in self._ears for note in ear.notes)
        return [*self._mono.notes, *dict.fromkeys(of_cleaning)]

    def __iter__(self) -> Iterator[Detection]:
        """Give the events of the stream up to its end.

        Raises
        ------
        AudioError
            If the samples are too large for a vector.
        """
        for block in self._mono:
            for ear in self._ears:
                yield from ear.push(block)
        for ear in self._ears:
            yield from ear.rest()
        yield from self.finish()

    def finish(self) -> list[Detection]:
        """The events that are not told yet, where no more of the stream will be heard."""
        return [event for ear in self._ears for event in ear.finish()]


class _Ear:
    """One encoder, and the detectors that take its vectors."""

    def __init__(self, panel: Panel, rate: int) -> None:
        self._encoder = panel.encoder
        self._trackers = panel.trackers()
        self._resampler = Resampler(rate, panel.encoder.rate)
        # What comes for days has no end to be trimmed, and its beginning is told at once.
        self._cleaner = replace(panel.encoder.settings.cleaning, trim=False).begin(panel.encoder.rate)
        self._framer = self._cleaner.framer(panel.encoder.window, max_windows=1)

    @property
    def notes(self) -> list[str]:
        """What cleaning says of the stream."""
        return self._cleaner.notes

    def push(self, samples: NDArray[np.float32]) -> Iterator[Detection]:
        """Take the next samples of the stream."""
        yield from self._heard(self._framer.push(self._resampler.process(samples)))

    def rest(self) -> Iterator[Detection]:
        """Hear what is left where the stream has ended."""
        yield from self._heard(self._framer.push(self._resampler.flush()))
        yield from self._heard(self._framer.finish())

    def finish(self) -> list[Detection]:
        """The events that are not told yet."""
        return [event for tracker in self._trackers for event in tracker.finish()]

    def _heard(self, groups: Iterable[Windows]) -> Iterator[Detection]:
        for windows in groups:
            vectors = _embedded(self._encoder, windows)
            times = np.stack([windows.starts, windows.ends], axis=1) / self._encoder.rate
            for tracker in self._trackers:
                yield from tracker.push(times, vectors, windows.silent)


def _embedded(encoder: Encoder, windows: Windows) -> NDArray[np.float32]:
    """The vectors of windows, at once and by nobody else's leave: the engine would wait for more of them."""
    rows: Any = encoder.model.features(windows.samples, windows.coverage)
    if encoder.network is not None:
        rows = encoder.network.run(rows, quick=True)
    vectors: NDArray[np.float32] = encoder.model.finish(rows, windows.coverage)[:, : encoder.dim]
    if not np.isfinite(vectors).all():
        raise AudioError("standard input: samples are too large for a vector; scale them to -1..1")
    return vectors
