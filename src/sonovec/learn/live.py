"""Detectors hear a stream while it comes: an event is told less than a window and 200 ms behind its end.

Each window is embedded as soon as its last sample is there, or up to four seconds later where noise is taken out of the
stream. What a stream keeps is the sound of one window, the vectors of the windows over one moment, and the events that go on;
so a stream may last for days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.live import LiveMono
from sonovec.audio.pipe import Piped
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
    panel : Panel
        Detectors that take the vectors of one encoder.

    Attributes
    ----------
    seconds : float
        Of sound that was heard so far.
    """

    def __init__(self, sound: Piped, panel: Panel) -> None:
        self._encoder = panel.encoder
        self._mono = LiveMono(sound, panel.encoder.rate)
        self._trackers = panel.trackers()
        # What comes for days has no end to be trimmed, and its beginning is told at once.
        self._cleaner = replace(self._encoder.settings.cleaning, trim=False).begin(self._encoder.rate)

    @property
    def seconds(self) -> float:
        """Seconds of sound that were heard so far."""
        return self._mono.seconds

    @property
    def notes(self) -> list[str]:
        """What is odd about the stream; complete once it has ended."""
        return [*self._mono.notes, *self._cleaner.notes]

    def __iter__(self) -> Iterator[Detection]:
        """Give the events of the stream up to its end.

        Raises
        ------
        AudioError
            If the samples are too large for a vector.
        """
        rate = self._encoder.rate
        for windows in self._cleaner.windows(self._mono, self._encoder.window, max_windows=1):
            vectors = _embedded(self._encoder, windows)
            times = np.stack([windows.starts, windows.ends], axis=1) / rate
            for tracker in self._trackers:
                yield from tracker.push(times, vectors, windows.silent)
        yield from self.finish()

    def finish(self) -> list[Detection]:
        """The events that are not told yet, where no more of the stream will be heard."""
        return [event for tracker in self._trackers for event in tracker.finish()]


def _embedded(encoder: Encoder, windows: Windows) -> NDArray[np.float32]:
    """The vectors of windows, at once and by nobody else's leave: the engine would wait for more of them."""
    rows: Any = encoder.model.features(windows.samples, windows.coverage)
    if encoder.network is not None:
        rows = encoder.network.run(rows, quick=True)
    vectors: NDArray[np.float32] = encoder.model.finish(rows, windows.coverage)[:, : encoder.dim]
    if not np.isfinite(vectors).all():
        raise AudioError("standard input: samples are too large for a vector; scale them to -1..1")
    return vectors
