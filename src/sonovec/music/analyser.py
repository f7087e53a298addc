"""The analyser `music`: what is heard in the samples of a piece, part by part, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Analyser, Field, Findings
from sonovec.embedding.source import Sound, open_source, source_of
from sonovec.extras import require
from sonovec.music import columns
from sonovec.music.character import Character
from sonovec.music.edges import Edges
from sonovec.music.part import RATE, Part
from sonovec.music.rhythm import Rhythm
from sonovec.music.tonality import Tonality

#: What is heard, each by a class that takes no argument.
PARTS: tuple[type[Part], ...] = (Rhythm, Tonality, Character, Edges)


class Music(Analyser):
    """Columns of `sonovec.music.columns`, but for moods, which the vectors tell."""

    name, version, rate = "music", "3", RATE
    fields = tuple(field for part in PARTS for field in part.fields)
    file_tags = (Field(columns.FILE_TEMPO, float, "scalar"), Field(columns.FILE_KEY, str, "scalar"))
    limit = 300.0  # beats of an hour are found at its end

    def begin(self, rate: int, channels: int) -> None:
        """Make the parts."""
        for module in ("scipy.fft", "scipy.ndimage", "scipy.signal"):
            require(module, "hearing music", "music")
        self._parts = [part() for part in PARTS]

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear a block (n,)."""
        for part in self._parts:
            part.push(block)

    def finish(self) -> Findings:
        """Put together what the parts heard."""
        return Findings({name: value for part in self._parts for name, value in part.finish().items()})


def hear(sound: Sound, start: float = 0.0, end: float | None = None) -> Mapping[str, Any]:
    """What is heard in one piece of music, without a library.

    Parameters
    ----------
    sound
        A path, a `Waveform`, or a tuple of samples and their rate in Hz.
    start, end
        In seconds: the part that is heard; `end` None is the end of the sound.

    Returns
    -------
    mapping
        Values by the names of `sonovec.music.columns`; None where nothing can be said.

    Raises
    ------
    AudioError
        If it cannot be decoded.
    UsageError
        If it is no sound, or the range is none.
    MissingExtraError
        Without SciPy: ``pip install 'sonovec[music]'``.

    Examples
    --------
    >>> import numpy as np
    >>> hear((np.zeros(44100), 44100))["tempo"] is None
    True
    """
    music = Music()
    music.begin(RATE, 1)
    with open_source(source_of(sound, start, end), RATE) as stream:
        for block in stream:
            music.push(block)
    return music.finish().columns
