"""What every recogniser takes and gives, whichever engine is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sonovec.speech.transcript import Segment

#: Samples a second that every recogniser hears.
RATE = 16000


class Recogniser(Protocol):
    """Text from stretches of speech.

    Attributes
    ----------
    name : str
        The model, such as "tiny.en" or "facebook/wav2vec2-base-960h"; of a folder, its own name.
    version : str
        A fingerprint of all that shapes the text: weights, precision, decoding, language model, hot words.
    longest : float
        Seconds of the longest stretch that it hears at once.
    languages : tuple of str
        Codes of the languages that it can be asked for; empty where there is no choice.
    """

    name: str
    version: str
    longest: float
    languages: tuple[str, ...]

    def hear(self, stretches: Sequence[NDArray[np.float32]], language: str | None = None) -> list[list[Segment]]:
        """Give the segments of each stretch.

        Parameters
        ----------
        stretches : sequence of arrays, float32, shape (n,)
            Mono at 16 kHz, each of at most `longest` seconds. What is heard in one does not depend on the others.
        language : str, optional
            A code of `languages`; without it a model that can tells the language of each stretch itself.

        Returns
        -------
        list
            For each stretch its segments; times are in seconds from the beginning of that stretch.
        """
