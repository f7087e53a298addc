"""OpenVINO itself, the one core of a process, and what its processor can do."""

from __future__ import annotations

import sys
import threading
from functools import cache
from typing import Any

import numpy as np

from sonovec import forks


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


_CORE = _Core()


def core() -> Any:
    """The core of this process."""
    return _CORE.open()


def cpu_has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
