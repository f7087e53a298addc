"""How probable it is that somebody speaks, 31 times a second, by Silero's network (version 6, MIT).

Its file comes in the wheel of faster-whisper, which is not imported: the network runs in OpenVINO.
"""

from __future__ import annotations

import importlib.util
import queue
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec import forks
from sonovec.errors import MissingExtraError
from sonovec.models.weights import sha256_of
from sonovec.runtime.network import settle_jobs
from sonovec.runtime.openvino_core import core, requests

#: Samples a second that the network hears, and samples of one probability.
RATE, HOP = 16000, 512
#: Samples before a block that the network hears with it.
CONTEXT = 64
#: Blocks of one run: always as many, so that a probability does not depend on how the sound came.
RUN = 32
STATE = (1, 1, 128)

Block = NDArray[np.float32]


def file() -> Path:
    """Where the network lies.

    Raises
    ------
    MissingExtraError
        The package that brings it is not installed, or is of a version that brings another one.
    """
    found = importlib.util.find_spec("faster_whisper")
    places = [] if found is None else list(found.submodule_search_locations or ())
    path = next((path for place in places if (path := Path(place, "assets", "silero_vad_v6.onnx")).is_file()), None)
    if path is None:
        raise MissingExtraError(
            "voice activity needs silero_vad_v6.onnx of the package faster-whisper (1.2.1 or later): "
            "pip install 'sonovec[speech]'"
        )
    return path


def sha256() -> str:
    """The hash of the network's file, for passports."""
    return sha256_of(file())


class _Network:
    """The network, compiled once for a process; as many calls at once as there are cores, one thread each."""

    def __init__(self) -> None:
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        """In a child: what was compiled waits for threads that stayed with the parent."""
        forks.abandon(getattr(self, "_idle", None))
        self._idle: queue.SimpleQueue[Any] | None = None
        self._compiling = threading.Lock()

    def run(self, blocks: Block, hidden: Block, cell: Block) -> tuple[Block, Block, Block]:
        """Probabilities ``(RUN,)`` of blocks ``(RUN, CONTEXT + HOP)``, and the state behind them."""
        with self._compiling:
            if self._idle is None:
                with forks.unforked():
                    self._idle = self._compiled()
            idle = self._idle
        request = idle.get()
        try:
            with forks.unforked():
                given = request.infer({"input": blocks, "h": hidden, "c": cell}).to_tuple()
            return given[0].copy(), given[1].copy(), given[2].copy()
        finally:
            idle.put(request)

    @staticmethod
    def _compiled() -> queue.SimpleQueue[Any]:
        model = core().read_model(file())
        model.reshape({"input": [RUN, CONTEXT + HOP]})
        return requests(model, settle_jobs(), {"INFERENCE_PRECISION_HINT": "f32"})


@cache
def _network() -> _Network:
    return _Network()


class Listener:
    """Listens to one stream: blocks of any size give the same probabilities, bit by bit.

    A probability comes with the 31 after it, and so up to a second behind its sound.

    Examples
    --------
    >>> listener = Listener()
    >>> silence = np.zeros(16000, np.float32)
    >>> len(listener.push(silence)), len(listener.push(silence)), len(listener.finish())
    (0, 32, 31)
    """

    def __init__(self) -> None:
        self._waiting: list[Block] = [np.zeros(CONTEXT, np.float32)]  # the context, and what is not heard yet
        self._have = 0  # samples of the latter
        self._hidden = self._cell = np.zeros(STATE, np.float32)

    def push(self, block: Block) -> Block:
        """Take samples, float32 ``(n,)`` at 16 kHz, and give the probabilities that are known now."""
        self._waiting.append(block)
        self._have += len(block)
        given = [self._heard() for _ in range(self._have // (RUN * HOP))]
        return np.concatenate(given) if given else np.zeros(0, np.float32)

    def finish(self) -> Block:
        """The probabilities of the rest; the last block is filled up with zeros."""
        blocks = -(-self._have // HOP)
        if not blocks:
            return np.zeros(0, np.float32)
        self._waiting.append(np.zeros(RUN * HOP - self._have, np.float32))
        self._have = RUN * HOP
        return self._heard()[:blocks]

    def _heard(self) -> Block:
        """The probabilities of the next run."""
        samples = np.concatenate(self._waiting)
        length = RUN * HOP
        blocks = np.lib.stride_tricks.sliding_window_view(samples[: CONTEXT + length], CONTEXT + HOP)[::HOP]
        given, self._hidden, self._cell = _network().run(np.ascontiguousarray(blocks), self._hidden, self._cell)
        self._waiting = [samples[length:]]
        self._have -= length
        return given
