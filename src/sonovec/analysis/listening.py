"""Several analysers hear one decode: one resampler for each rate that is asked for, a thread for each analyser.

Those that hear vectors take them where they arise, or from what is stored.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Analyser, Findings, VectorAnalyser
from sonovec.analysis.checks import checked
from sonovec.audio.decode import AudioInfo
from sonovec.audio.mix import mix_or_first
from sonovec.audio.resample import Resampler
from sonovec.embedding.gather import Tap
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooled import Listener, Windows
from sonovec.embedding.source import Source, open_source
from sonovec.errors import AnalyserError, SonovecError
from sonovec.log import LOGGER

Block = NDArray[np.float32]
#: Blocks that may wait for an analyser.
WAITING = 8
Kinds = Iterable[type[Analyser]]


@dataclass(frozen=True)
class Heard:
    """What came of one analyser on one track: its findings, or, where they are none, the reason."""

    version: str
    findings: Findings | None
    reason: str | None = None


class _Ear:
    """One analyser at work, in a thread of its own."""

    def __init__(self, kind: type[Analyser], *beginning: Any) -> None:
        self.kind = kind
        self._blocks: queue.Queue[Any] = queue.Queue(WAITING)
        self._result: Future[Findings] = Future()
        self._abandoned = False
        # A daemon, for one that hangs would keep the program from ending.
        thread = threading.Thread(target=self._hear, args=beginning, name=f"sonovec_{kind.name}", daemon=True)
        thread.start()

    def _hear(self, *beginning: Any) -> None:
        try:
            analyser = self.kind()
            analyser.begin(*beginning)
            while (block := self._blocks.get()) is not None:
                analyser.push(block)
                if self._abandoned:
                    return
            if self._abandoned:
                return
            found = checked(self.kind, analyser.finish())
        except BaseException as error:  # noqa: BLE001 - it costs the columns of this analyser
            with suppress(InvalidStateError):  # it was given up before
                self._result.set_exception(error)
        else:
            with suppress(InvalidStateError):
                self._result.set_result(found)

    def push(self, block: Block | Windows | None) -> None:
        """Let it hear a block or vectors, or with None that the track ends; nothing more once it failed."""
        try:
            if not self._result.done():
                self._blocks.put(block, timeout=self.kind.limit)
        except queue.Full:
            self._fail()

    def abandon(self) -> None:
        """End the thread: the track came to no end."""
        self._abandoned = True
        with suppress(queue.Full):  # then it hears of it behind the next block
            self._blocks.put_nowait(None)

    def _fail(self) -> None:
        late = f"{self.kind.name}: took more than {self.kind.limit:g} seconds for a block of sound"
        with suppress(InvalidStateError):  # it came to an end in this very moment
            self._result.set_exception(AnalyserError(late))

    def result(self) -> Heard:
        """What it gave, once it was told of the end."""
        try:
            return Heard(self.kind.version, self._result.result(timeout=self.kind.limit))
        except Late:
            return Heard(
                self.kind.version, None, f"{self.kind.name}: took more than {self.kind.limit:g} seconds to end"
            )
        except SonovecError as error:
            return Heard(self.kind.version, None, _one_line(str(error)))
        except BaseException as error:  # noqa: BLE001 - of the analyser's own code
            LOGGER.error("analyser %s failed", self.kind.name, exc_info=error)
            reason = _one_line(f"{type(error).__name__}: {error}")[:200]
            return Heard(self.kind.version, None, f"{self.kind.name}: {reason}")


def _one_line(text: str) -> str:
    """A text without line breaks, that can be stored."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())


class Listening(Listener):
    """What hears one track: analysers of its sound, by the rates that they ask for, and of the vectors of its windows."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = list(kinds)
        self._ears: dict[int | None, list[_Ear]] = {}
        self._of_windows: list[_Ear] = []
        self._resamplers: dict[int, Resampler] = {}
        self._found: Mapping[str, Heard] = {}

    def begin(self, info: AudioInfo, passport: Passport | None = None) -> Tap | None:
        """Begin a track; the passport is that of the vectors, where there will be some."""
        for kind in self._kinds:
            if issubclass(kind, VectorAnalyser):
                self._of_windows.append(_Ear(kind, passport))
            else:
                ear = _Ear(kind, kind.rate or info.rate, info.channels if kind.rate is None else 1)
                self._ears.setdefault(kind.rate, []).append(ear)
        self._resamplers = {rate: Resampler(info.rate, rate) for rate in self._ears if rate is not None}
        return self._push if self._ears else None

    def _push(self, block: Block) -> None:
        self._give(None, block)
        if self._resamplers:
            mono = mix_or_first(block)
            for rate, resampler in self._resamplers.items():
                self._give(rate, resampler.process(mono))

    def _give(self, rate: int | None, block: Block) -> None:
        if len(block) and rate in self._ears:
            for ear in self._ears[rate]:
                ear.push(_locked(block))  # the encoder and others hear it too

    def hear(self, windows: Windows) -> None:
        """Take the vectors of the next windows."""
        for ear in self._of_windows:
            ear.push(replace(windows, vectors=_locked(windows.vectors)))

    def __del__(self) -> None:
        for ear in self._all():
            ear.abandon()

    def _all(self) -> list[_Ear]:
        return [*(ear for ears in self._ears.values() for ear in ears), *self._of_windows]

    def end(self) -> None:
        """Let those that hear sound come to their end, and wait for them."""
        for rate, resampler in self._resamplers.items():
            self._give(rate, resampler.flush())
        self._found = _results([ear for ears in self._ears.values() for ear in ears])

    def finish(self) -> Mapping[str, Heard]:
        """What came of each analyser, by name."""
        return {**self._found, **_results(self._of_windows)}


def _results(ears: Sequence[_Ear]) -> Mapping[str, Heard]:
    """Tell some of the end, and wait for what they gave."""
    for ear in ears:
        ear.push(None)
    return {ear.kind.name: ear.result() for ear in ears}


def _locked(array: Block) -> Block:
    """The same numbers, that may not be written to."""
    seen = array.view()
    seen.flags.writeable = False
    return seen


def of_segments(kinds: Kinds) -> list[type[Analyser]]:
    """Those that hear the segments that a library stores, and need no sound."""
    return [kind for kind in kinds if issubclass(kind, VectorAnalyser) and kind.unit == "segments"]


def of_windows(kinds: Kinds) -> list[type[Analyser]]:
    """Those that hear what the encoder makes of the sound."""
    return [kind for kind in kinds if issubclass(kind, VectorAnalyser) and kind.unit == "windows"]


def suited(kinds: Kinds, passport: Passport) -> list[type[Analyser]]:
    """The classes that do what some analysers do where vectors have a passport.

    Raises
    ------
    PassportError
        If one hears vectors, and those of the passport mean nothing to it.
    """
    found = [kind.suited(passport) for kind in kinds]
    for kind in found:
        if issubclass(kind, VectorAnalyser):
            kind.check(passport)
    return found


def hear(
    source: Source, kinds: Kinds, *, isolate: bool = False, watch: Callable[[float], None] = lambda seconds: None
) -> Mapping[str, Heard]:
    """Let analysers of sound hear a source that nothing embeds.

    `watch` is called with the seconds that were heard, block by block; what it raises ends it.

    Raises
    ------
    AudioError
        If it cannot be decoded.
    """
    listening = Listening(kinds)
    with open_source(source, None, isolate) as stream:
        stream.tap = listening.begin(stream.info)
        for _ in stream:
            watch(stream.source_frames / stream.info.rate)
    listening.end()
    return listening.finish()


def hear_vectors(segments: Windows, passport: Passport, kinds: Kinds) -> Mapping[str, Heard]:
    """Let analysers of segments hear those of a track."""
    ears = [_Ear(kind, passport) for kind in kinds]
    for ear in ears:
        ear.push(replace(segments, vectors=_locked(segments.vectors)))
    return _results(ears)
