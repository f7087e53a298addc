"""OpenVINO itself, the one core of a process, and what its processor can do."""

from __future__ import annotations

import queue
import sys
import threading
from functools import cache
from typing import Any
from weakref import WeakSet

import numpy as np

from sonovec import forks

#: Seconds in which a tiny network is compiled, even where much else runs; and threads of networks that a child may inherit.
PATIENCE, MOST_TRIED = 2.0, 64


@cache
def openvino() -> Any:
    """The module `openvino`, imported without its report to its makers.

    Merely importing it (2026.4) forks a process that sends a report by `openvino_telemetry`. It does without that package
    where it cannot be imported, which is what None in its place says.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class _Core:
    """OpenVINO's core, opened on first use; in a forked child another one, for this one's threads are not there."""

    def __init__(self) -> None:
        self._opened: Any = None
        self._opening = threading.Lock()
        forks.watch(self)

    def open(self) -> Any:
        with self._opening:
            if self._opened is None:
                # The first conversion of an array in the bindings can lock up if two threads come to it at once (2026.4).
                _ = openvino().Tensor(np.zeros(1, np.float32)).data
                self._opened = openvino().Core()
            return self._opened

    def after_fork(self) -> None:
        forks.abandon(self._opened)
        self._opened, self._opening = None, threading.Lock()


class _Executors:
    """Keeps children from waiting for threads that stayed with the parent.

    OpenVINO keeps the threads of a network that was freed for the next that wants as many, and in a child they would be
    taken although they are not there. So in the parent a tiny network takes them before a fork. A network that was freed a
    moment before the fork may still hold its own then, so a child lets tiny networks try first.
    """

    def __init__(self) -> None:
        self._inherits = False
        self._begin()
        forks.watch(self)

    def _begin(self) -> None:
        self._held: list[Any] = []
        self._users: dict[int, WeakSet[Any]] = {}
        self._most: dict[int, int] = {}  # that ran at once

    def note(self, streams: int, user: object) -> None:
        """Count in a network that has threads for so many streams, until `user` is freed."""
        users = self._users.setdefault(streams, WeakSet())
        users.add(user)
        self._most[streams] = max(self._most.get(streams, 0), len(users))

    def prepare(self, streams: int) -> None:
        """In a child, before its first network of so many streams: leave threads that are not there to who waits for them."""
        if self._inherits and streams not in self._users:
            for _ in range(MOST_TRIED):
                if _answers(streams):
                    break

    def before_fork(self) -> None:
        for streams, most in self._most.items():
            for _ in range(most - len(self._users[streams])):
                self._held.append(core().compile_model(_tiny(), "CPU", _threads(streams)))

    def after_fork_in_parent(self) -> None:
        self._held.clear()

    def after_fork(self) -> None:
        forks.abandon(self._held)
        self._inherits = True
        self._begin()


def _answers(streams: int) -> bool:
    """Whether a tiny network gets threads that are there; one that does not waits for ever, and takes them with it."""
    ended, opened, model = threading.Event(), core(), _tiny()

    def compile() -> None:
        try:
            opened.compile_model(model, "CPU", _threads(streams))
        finally:
            ended.set()

    threading.Thread(target=compile, name="sonovec_probe", daemon=True).start()
    return ended.wait(PATIENCE)


def _tiny() -> Any:
    from openvino import opset13

    number = opset13.parameter([1], np.float32)
    return openvino().Model([opset13.relu(number)], [number])


def _threads(streams: int) -> dict[str, Any]:
    return {"NUM_STREAMS": str(streams), "INFERENCE_NUM_THREADS": str(streams), "ENABLE_CPU_PINNING": False}


_CORE = _Core()
_EXECUTORS = _Executors()


def core() -> Any:
    """The core of this process."""
    return _CORE.open()


def requests(model: Any, streams: int, settings: dict[str, Any]) -> queue.SimpleQueue[Any]:
    """Compile a model for so many calls at once, of one thread each, and give what makes them."""
    _EXECUTORS.prepare(streams)
    compiled = core().compile_model(model, "CPU", {**_threads(streams), **settings})
    idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for _ in range(streams):
        idle.put(compiled.create_infer_request())
    _EXECUTORS.note(streams, idle)
    return idle


def cpu_has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
