"""Several analysers hear one decode: one resampler for each rate that is asked for, a thread for each analyser."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Analyser, Findings, checked
from sonovec.audio.decode import AudioInfo
from sonovec.audio.mix import mix_or_first
from sonovec.audio.resample import Resampler
from sonovec.embedding.gather import Tap
from sonovec.embedding.pooled import Listener
from sonovec.errors import AnalyserError, SonovecError
from sonovec.log import LOGGER

Block = NDArray[np.float32]
#: Blocks that may wait for an analyser.
WAITING = 8


@dataclass(frozen=True)
class Heard:
    """What came of one analyser on one track: its findings, or, where they are none, the reason."""

    version: str
    findings: Findings | None
    reason: str | None = None


class _Ear:
    """One analyser at work, in a thread of its own."""

    def __init__(self, kind: type[Analyser], rate: int, channels: int) -> None:
        self.kind = kind
        self._blocks: queue.Queue[Block | None] = queue.Queue(WAITING)
        self._result: Future[Findings] = Future()
        self._abandoned = False
        # A daemon, for one that hangs would keep the program from ending.
        thread = threading.Thread(target=self._hear, args=(rate, channels), name=f"sonovec_{kind.name}", daemon=True)
        thread.start()

    def _hear(self, rate: int, channels: int) -> None:
        try:
            analyser = self.kind()
            analyser.begin(rate, channels)
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

    def push(self, block: Block | None) -> None:
        """Let it hear a block, or that the track ends; nothing more once it failed."""
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
        """What it gave."""
        try:
            return Heard(self.kind.version, self._result.result(timeout=self.kind.limit))
        except Late:
            return Heard(
                self.kind.version, None, f"{self.kind.name}: took more than {self.kind.limit:g} seconds to end"
            )
        except SonovecError as error:
            return Heard(self.kind.version, None, str(error))
        except BaseException as error:  # noqa: BLE001 - of the analyser's own code
            LOGGER.error("analyser %s failed", self.kind.name, exc_info=error)
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            return Heard(self.kind.version, None, f"{self.kind.name}: {reason}")


class Listening(Listener):
    """What hears one track: analysers, by the rates that they ask for."""

    def __init__(self, kinds: Iterable[type[Analyser]]) -> None:
        self._kinds = list(kinds)
        self._ears: dict[int | None, list[_Ear]] = {}
        self._resamplers: dict[int, Resampler] = {}

    def begin(self, info: AudioInfo) -> Tap:
        """Begin a track."""
        for kind in self._kinds:
            ear = _Ear(kind, kind.rate or info.rate, info.channels if kind.rate is None else 1)
            self._ears.setdefault(kind.rate, []).append(ear)
        self._resamplers = {rate: Resampler(info.rate, rate) for rate in self._ears if rate is not None}
        return self._push

    def _push(self, block: Block) -> None:
        self._give(None, block)
        if self._resamplers:
            mono = mix_or_first(block)
            for rate, resampler in self._resamplers.items():
                self._give(rate, resampler.process(mono))

    def _give(self, rate: int | None, block: Block) -> None:
        if len(block) and rate in self._ears:
            seen = block.view()
            seen.flags.writeable = False  # the encoder and others hear it too
            for ear in self._ears[rate]:
                ear.push(seen)

    def __del__(self) -> None:
        for ear in self._all():
            ear.abandon()

    def _all(self) -> list[_Ear]:
        return [ear for ears in self._ears.values() for ear in ears]

    def finish(self) -> Mapping[str, Heard]:
        """What came of each analyser, by name."""
        for rate, resampler in self._resamplers.items():
            self._give(rate, resampler.flush())
        ears = self._all()
        for ear in ears:
            ear.push(None)
        return {ear.kind.name: ear.result() for ear in ears}
