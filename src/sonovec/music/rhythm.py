"""The part of the analyser `music` that hears rhythm: tempo, its other readings and its curve, beats, downbeats, onsets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Field
from sonovec.music import columns
from sonovec.music.beats import beats
from sonovec.music.curve import tempo_curve
from sonovec.music.downbeats import downbeats
from sonovec.music.onsets import Onsets
from sonovec.music.periodicity import onset_density
from sonovec.music.tempo import tempo


class Rhythm:
    """Hears rhythm: columns `tempo` to `onset_density` of `sonovec.music.columns`.

    Without a tempo (speech, rain, silence, less than 3.5 s, fewer than 6 onsets, or no tempo that is likely) all but
    `tempo_confidence` and `onset_density` are None.
    """

    fields: ClassVar[tuple[Field, ...]] = (
        Field(columns.TEMPO, float, "scalar"),
        Field(columns.TEMPO_CONFIDENCE, float, "scalar"),
        Field(columns.TEMPO_ALTERNATIVES, list[str]),
        Field(columns.TEMPO_CURVE, str),
        Field(columns.BEATS, str),
        Field(columns.DOWNBEATS, str),
        Field(columns.ONSET_DENSITY, float, "scalar"),
    )

    def __init__(self) -> None:
        self._onsets = Onsets()

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear the next samples (n,)."""
        self._onsets.push(block)

    def finish(self) -> Mapping[str, Any]:
        """Give the columns."""
        curve = self._onsets.finish()
        heard = tempo(curve)
        found: dict[str, Any] = {
            columns.TEMPO: None if heard.bpm is None else round(heard.bpm, 2),
            columns.TEMPO_CONFIDENCE: round(heard.confidence, 3),
            columns.ONSET_DENSITY: round(onset_density(curve), 3),
        }
        if heard.bpm is None:
            return found
        times = beats(curve, heard.path)
        bars, _ = downbeats(curve, times)
        moves = tempo_curve(times)
        return {
            **found,
            columns.TEMPO_ALTERNATIVES: [f"{bpm:.1f}:{chance:.2f}" for bpm, chance in heard.alternatives],
            columns.TEMPO_CURVE: " ".join(f"{second:.2f}:{bpm:.1f}" for second, bpm in moves) or None,
            columns.BEATS: _seconds(times),
            columns.DOWNBEATS: _seconds(bars),
        }


def _seconds(times: NDArray[np.float64]) -> str | None:
    return " ".join(f"{time:.2f}" for time in times) or None
