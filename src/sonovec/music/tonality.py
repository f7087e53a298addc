"""The part of the analyser `music` that hears tuning, chroma and key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Field
from sonovec.music import columns
from sonovec.music.chroma import HOP, Chroma
from sonovec.music.key import best, logits, probabilities, trained
from sonovec.music.part import RATE

#: Seconds that have to sound for a key, and for a tuning.
SHORTEST, SHORTEST_TUNING = 6.0, 1.0
#: How well peaks lie on one tuning at least, and how sure a key is at least: below, there is none.
LEAST_CLARITY, LEAST_CONFIDENCE = 0.25, 0.3


class Tonality:
    """Columns `key`, `key_confidence`, `camelot`, `tuning` (A4 in Hz) and `chroma`.

    A key needs 6 s of sound, peaks that lie on the semitones of one tuning (drums, speech, rain and noise have none), and a
    confidence of 0.3: without, `key`, `key_confidence` and `camelot` are empty. The confidence is the probability of the key
    among all 24, by `training/key.py`. Tuning and chroma need a second of sound and such peaks. The chroma is twelve numbers
    from C on with two decimals, separated by spaces; the highest is 1.

    Examples
    --------
    >>> tonality = Tonality()
    >>> tonality.push(np.zeros(10 * RATE, np.float32))
    >>> tonality.finish()["key"] is None
    True
    """

    fields: ClassVar[tuple[Field, ...]] = (
        Field(columns.KEY, str, "scalar"),
        Field(columns.KEY_CONFIDENCE, float, "scalar"),
        Field(columns.CAMELOT, str, "scalar"),
        Field(columns.TUNING, float, "scalar"),
        Field(columns.CHROMA, str),
    )

    def __init__(self) -> None:
        self._chroma = Chroma()

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear the next samples (n,), of any number."""
        self._chroma.push(block)

    def finish(self) -> Mapping[str, Any]:
        """Say what is heard."""
        self._chroma.finish()
        found: dict[str, Any] = dict.fromkeys(field.name for field in self.fields)
        heard, seconds = self._chroma, self._chroma.sounding * HOP / RATE
        if seconds < SHORTEST_TUNING or heard.tuning.clarity < LEAST_CLARITY or not heard.classes.any():
            return found
        found[columns.TUNING] = round(heard.tuning.hertz, 1)
        found[columns.CHROMA] = " ".join(f"{share:.2f}" for share in heard.classes / heard.classes.max())
        chances = probabilities(logits(heard.classes[None] / heard.classes.sum(), trained()))
        confidence = float(chances.max())
        if seconds >= SHORTEST and confidence >= LEAST_CONFIDENCE:
            [key] = best(chances)
            found |= {
                columns.KEY: str(key),
                columns.KEY_CONFIDENCE: round(confidence, 3),
                columns.CAMELOT: key.camelot,
            }
        return found
