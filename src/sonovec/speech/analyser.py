"""Transcription as an analyser: a library keeps what is said in its tracks as passages, which `Library.said` finds."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Analyser, Field, Findings, Spoken
from sonovec.errors import UsageError
from sonovec.speech.recogniser import RATE, Recogniser
from sonovec.speech.transcribing import VERSION, Transcribing
from sonovec.speech.transcript import Segment
from sonovec.words import listed

#: Its passages, and its columns, are those of this name, whichever model wrote them: a track has one transcript.
NAME = "transcript"
LANGUAGE, SECONDS = "spoken_language", "speech_seconds"
#: Seconds that a block of sound may wait: a large model on a busy machine takes minutes for half a minute of speech, and
#: tracks that are heard at once wait for each other.
LIMIT = 3600.0


def analyser(recogniser: Recogniser, language: str | None = None) -> type[Analyser]:
    """The class of an analyser that writes down what is said; for `Library.add` and `Library.analyse`.

    What it hears becomes passages of the track, with the source ``transcript@MODEL:VERSION``, and two columns:
    `spoken_language`, that of the most speech, and `speech_seconds`. What another model or version wrote is replaced.

    Parameters
    ----------
    recogniser : Recogniser
        One network for all tracks, which hear with it in turn.
    language : str, optional
        A code that the recogniser knows; without it a model that can tells the language itself.

    Raises
    ------
    UsageError
        If the recogniser does not know the language.

    Examples
    --------
    ``library.add("recordings", analysers=[analyser(recogniser)])``, and then ``library.said("open the door")``.
    """
    if language is not None and language not in recogniser.languages:
        known = (
            f"it knows: {listed(recogniser.languages)}" if recogniser.languages else "it has no choice: leave it out"
        )
        raise UsageError(f"language={language!r}: not one of {recogniser.name}'s; {known}")
    network = _InTurn(recogniser)
    spoken_in = f":{language}" if language else ""

    class Writing(Analyser):
        name, between, rate, limit = NAME, "@", RATE, LIMIT
        fields = (Field(LANGUAGE, str, "scalar"), Field(SECONDS, float))

        def begin(self, rate: int, channels: int) -> None:
            self._stream = Transcribing(network, language)
            self._segments: list[Segment] = []

        def push(self, block: NDArray[np.float32]) -> None:
            self._segments += self._stream.push(block)

        def finish(self) -> Findings:
            return findings([*self._segments, *self._stream.finish()])

    version = f"{_one_word(recogniser.name)}:{recogniser.version}{spoken_in}:{VERSION}"
    return type("Writing", (Writing,), {"version": version})


def findings(segments: Sequence[Segment]) -> Findings:
    """What a library keeps of a transcript.

    Examples
    --------
    >>> found = findings([Segment(1.0, 3.0, "Open the door.", language="en"), Segment(5.0, 6.0, "")])
    >>> found.columns, found.passages
    ({'spoken_language': 'en', 'speech_seconds': 2.0}, [Spoken(start=1.0, end=3.0, text='Open the door.', language='en')])
    """
    said = [each for each in segments if each.text.strip()]
    seconds: dict[str, float] = {}
    for each in said:
        seconds[each.language] = seconds.get(each.language, 0.0) + each.end - each.start
    language = max((name for name in seconds if name), key=seconds.__getitem__, default=None)
    return Findings(
        {LANGUAGE: language, SECONDS: round(sum(seconds.values(), 0.0), 3)},
        passages=[Spoken(each.start, each.end, each.text.strip(), each.language) for each in said],
    )


class _InTurn:
    """A recogniser that several threads may ask: one at a time."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser, self._lock = recogniser, threading.Lock()
        self.name, self.version = recogniser.name, recogniser.version
        self.longest, self.languages = recogniser.longest, recogniser.languages

    def hear(self, stretches: Sequence[NDArray[np.float32]], language: str | None = None) -> list[list[Segment]]:
        """As of the recogniser."""
        with self._lock:
            return self._recogniser.hear(stretches, language)


def _one_word(text: str) -> str:
    """A name as a version has it, which has no spaces."""
    return "_".join(text.split())
