"""The steps that clean a sound between decoding and windows, and what is left of its windows.

The order is fixed. Voices are listened for in the sound as it came, because what a denoiser leaves may sound like one; then
noise is taken out, and what is silent then is trimmed. Windows keep their places in the source whatever is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import Windows, WindowSpec, frame
from sonovec.cleaning import denoise, silero, trim, voice
from sonovec.cleaning.voiced import Voiced
from sonovec.errors import UsageError

#: What the passport calls each step.
NAMES: Mapping[str, str] = {"vad": voice.NAME, "trim": trim.NAME, "denoise": denoise.NAME}


@dataclass(frozen=True)
class Cleaning:
    """Which steps are taken; none, unless they are asked for.

    Attributes
    ----------
    vad : bool
        Windows in which nobody speaks are left out.
    trim : bool
        Silence at the beginning and the end is cut off.
    denoise : bool
        Steady noise is taken out.

    Raises
    ------
    UsageError
        If a step is neither on nor off.

    Examples
    --------
    >>> Cleaning(trim=True).passport
    {'trim': '-40dB'}
    >>> cleaner = Cleaning().begin(16000)
    >>> [len(windows) for windows in cleaner.windows([np.ones(16000, np.float32)], WindowSpec(4000, 4000))]
    [4]
    """

    vad: bool = False
    trim: bool = False
    denoise: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, bool):
                raise UsageError(
                    f"{field.name}={value!r} is neither on nor off; give {field.name}=True, or leave it out"
                )

    @property
    def passport(self) -> dict[str, str]:
        """The fields of the passport: each step that is taken, by the name of its method."""
        return {name: method for name, method in NAMES.items() if getattr(self, name)}

    def check(self) -> None:
        """Say which package is missing for a step.

        Raises
        ------
        MissingExtraError
            With the line that installs it.
        """
        if self.vad:
            silero.file()
        if self.denoise:
            denoise.check()

    def begin(self, rate: int) -> Cleaner:
        """What cleans one sound, mono, of `rate` samples a second."""
        return Cleaner(self, rate)


#: No step at all.
AS_IT_IS = Cleaning()


class Cleaner:
    """Cleans one sound while it comes; made by `Cleaning.begin`.

    Attributes
    ----------
    start : int
        Samples that were cut off at the beginning; known once the first block was given.
    """

    def __init__(self, steps: Cleaning, rate: int) -> None:
        self._denoiser = denoise.Denoiser(rate) if steps.denoise else None
        self._trimmer = trim.Trimmer(rate) if steps.trim else None
        self._voiced = Voiced(rate) if steps.vad else None

    @property
    def start(self) -> int:
        """Samples that were cut off at the beginning; known once the first block was given."""
        return self._trimmer.start if self._trimmer else 0

    @property
    def notes(self) -> list[str]:
        """What was left out, and what was not done and why; complete behind the last block."""
        steps = (self._denoiser, self._trimmer, self._voiced)
        return [note for step in steps if step is not None for note in step.notes]

    def blocks(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Give the stream denoised and trimmed, as it is asked for: float32 ``(n,)`` each, the first from `start` on."""
        for step in (self._denoiser, self._trimmer):
            blocks = blocks if step is None else step.blocks(blocks)
        return iter(blocks)

    def windows(
        self, blocks: Iterable[NDArray[np.float32]], spec: WindowSpec, max_windows: int = 32
    ) -> Iterator[Windows]:
        """Cut the clean stream into windows, as `sonovec.audio.windows.frame` does; their places are those in the source."""
        if self._voiced is not None:
            blocks = self._voiced.listened(blocks)
        found = (
            replace(windows, starts=windows.starts + self.start, ends=windows.ends + self.start)
            for windows in frame(self.blocks(blocks), spec, max_windows)
        )
        return found if self._voiced is None else self._voiced.kept(found)
