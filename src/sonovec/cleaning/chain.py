"""The steps that clean a sound between decoding and windows, and what is left of its windows.

The order is fixed. Voices are listened for in the sound as it came, because what a denoiser leaves may sound like one; then
noise is taken out, and what is silent then is trimmed. Windows keep their places in the source whatever is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import Framer, Windows, WindowSpec
from sonovec.cleaning import denoise, silero, trim, voice
from sonovec.cleaning.step import Step
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


class Cleaner(Step):
    """Cleans one sound while it comes; made by `Cleaning.begin`.

    Attributes
    ----------
    start : int
        Samples that were cut off at the beginning; known once the first block was given.
    """

    def __init__(self, steps: Cleaning, rate: int) -> None:
        self._trimmer = trim.Trimmer(rate) if steps.trim else None
        self._steps: list[Step] = [denoise.Denoiser(rate)] if steps.denoise else []
        self._steps += [self._trimmer] if self._trimmer else []
        self._voiced = Voiced(rate) if steps.vad else None

    @property
    def start(self) -> int:
        """Samples that were cut off at the beginning; known once the first block was given."""
        return self._trimmer.start if self._trimmer else 0

    @property
    def notes(self) -> list[str]:
        """What was left out, and what was not done and why; complete behind the last block."""
        found = [note for step in self._steps for note in step.notes]
        return found + (self._voiced.notes if self._voiced else [])

    def windows(
        self, blocks: Iterable[NDArray[np.float32]], spec: WindowSpec, max_windows: int = 32
    ) -> Iterator[Windows]:
        """Cut the clean stream into windows, as `sonovec.audio.windows.frame` does; their places are those in the source."""
        framer = self.framer(spec, max_windows)
        for block in blocks:
            yield from framer.push(block)
        yield from framer.finish()

    def framer(self, spec: WindowSpec, max_windows: int = 32) -> CleanFramer:
        """What cuts blocks into clean windows as they come, as `windows` does, which takes them all."""
        return CleanFramer(self, spec, max_windows)

    def push(self, block: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take the next samples, and give what is clean."""
        if self._voiced is not None:
            self._voiced.hear(block)
        return self._through(iter((block,)), self._steps)

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Give the rest, at the end of the sound."""
        if self._voiced is not None:
            self._voiced.end()
        for number, step in enumerate(self._steps, start=1):
            yield from self._through(step.finish(), self._steps[number:])

    @staticmethod
    def _through(blocks: Iterator[NDArray[np.float32]], steps: Sequence[Step]) -> Iterator[NDArray[np.float32]]:
        if not steps:
            return blocks
        first, *others = steps
        return Cleaner._through((clean for block in blocks for clean in first.push(block)), others)

    def kept(self, groups: Iterable[Windows]) -> Iterator[Windows]:
        """Give windows of the clean stream their places in the source, and leave those out in which nobody speaks."""
        for group in groups:
            moved = replace(group, starts=group.starts + self.start, ends=group.ends + self.start)
            if self._voiced is None:
                yield moved
            else:
                yield from self._voiced.push(moved)

    def rest(self) -> Iterator[Windows]:
        """Give the windows that waited for what follows, where nothing does."""
        if self._voiced is not None:
            yield from self._voiced.finish()


class CleanFramer:
    """Cuts the blocks of one sound into clean windows; made by `Cleaner.framer`."""

    def __init__(self, cleaner: Cleaner, spec: WindowSpec, max_windows: int) -> None:
        self._cleaner, self._framer = cleaner, Framer(spec, max_windows)

    def push(self, block: NDArray[np.float32]) -> Iterator[Windows]:
        """Take the next samples, and give the groups of windows that are complete; read all of them."""
        for clean in self._cleaner.push(block):
            yield from self._cleaner.kept(self._framer.push(clean))

    def finish(self) -> Iterator[Windows]:
        """The windows behind the last group, where no block follows."""
        for clean in self._cleaner.finish():
            yield from self._cleaner.kept(self._framer.push(clean))
        yield from self._cleaner.kept(self._framer.finish())
        yield from self._cleaner.rest()
