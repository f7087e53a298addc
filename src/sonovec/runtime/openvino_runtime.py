"""OpenVINO on the CPU."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec import forks
from sonovec.errors import UsageError
from sonovec.graph import Graph
from sonovec.memory import enough_memory, free_memory
from sonovec.runtime.convert import converted
from sonovec.runtime.int8 import INT8, quantized
from sonovec.runtime.network import FORBIDDEN, Row, padded, settle_jobs
from sonovec.runtime.openvino_core import core, cpu_has_bf16, requests

#: OpenVINO 2026.4 keeps fused kernels by shape, and one that was made for a single frame gives wrong numbers for more.
ANY_LENGTH = {"SNIPPETS_MODE": "DISABLE"}


#: Bytes of weights up to which a network is light: it runs as fast with few rows at a time as with many.
LIGHT = 32 << 20
#: Rows of the small shape of a light network, and of another.
FEW_LIGHT, FEW = 2, 4
#: The small shape is compiled where its copy of the weights takes no more than this share of the free memory.
SHARE = 1 / 32


class OpenVinoNetwork:
    """A graph on the CPU: one thread for each call, as many calls at once as there are cores.

    One thread for each call keeps all cores busy with a folder of files as well as several threads for one call would,
    and a result cannot depend on how many there are. Beside the shape that full batches run in there is a small one, for
    single sounds that somebody waits for; it is compiled at the first of them, for it keeps its own copy of the weights
    (40 MB in all for the built-in encoder, 0.4 GiB for VGGish in bf16), and only where memory allows it. Rows of any
    length run one at a time, unpadded.

    A child that is forked compiles the graph anew when it first runs it.
    """

    device = "cpu"

    def __init__(
        self,
        graph: Graph,
        precision: str = "auto",
        batch_sizes: tuple[int, ...] | None = None,
        jobs: int | None = None,
    ) -> None:
        self.precision = settled(graph, precision)
        self._file = quantized(graph, precision)[0] if precision.startswith(INT8) else converted(graph)
        self.batch_sizes = batch_sizes or _shapes(graph.rows, _weight(self._file))
        self.streams = settle_jobs(jobs)
        self._key = graph.key
        self._input_shape = graph.input_shape
        self._requests: dict[int, queue.SimpleQueue[Any]] = {}
        self._compiling = threading.Lock()
        forks.watch(self)

    def after_fork(self) -> None:
        """In a child: the requests wait for threads that stayed with the parent."""
        forks.abandon(self._requests)
        self._requests, self._compiling = {}, threading.Lock()

    @property
    def rows(self) -> int:
        """Rows of a full batch."""
        return self.batch_sizes[-1]

    @property
    def quick_rows(self) -> int:
        """Rows of the small shape; of the only one where there is none."""
        return self.batch_sizes[0]

    def run(self, rows: Sequence[Row], quick: bool = False) -> list[NDArray[np.float32]]:
        """Run rows, each of the graph's input shape; see `sonovec.runtime.Network`."""
        results: list[NDArray[np.float32]] = []
        for piece, count in padded(rows, self.batch_sizes if quick else (self.rows,)):
            idle = self._idle(len(piece))
            request = idle.get()
            try:
                with forks.unforked():
                    outputs = request.infer({0: piece}, share_inputs=True).to_tuple()
                results.extend(np.concatenate([output[:count] for output in outputs], axis=-1))
            finally:
                idle.put(request)
        return results

    def _idle(self, size: int) -> queue.SimpleQueue[Any]:
        """Requests of one compiled shape that nobody uses at the moment."""
        with self._compiling:
            if size not in self._requests:
                with enough_memory(self._key, "run"), forks.unforked():
                    self._requests[size] = self._compile(size)
            return self._requests[size]

    def _compile(self, size: int) -> queue.SimpleQueue[Any]:
        model = core().read_model(self._file)
        model.reshape([size, *self._input_shape])
        # What is not quantised is computed in float32.
        hint = {"INFERENCE_PRECISION_HINT": "f32" if self.precision.startswith(INT8) else self.precision}
        return requests(model, self.streams, {**hint, **(ANY_LENGTH if -1 in self._input_shape else {})})


def _weight(file: Path) -> int:
    """Bytes of a converted graph's weights."""
    return file.with_suffix(".bin").stat().st_size


def _shapes(rows: int, weight: int) -> tuple[int, ...]:
    """Rows of the shapes that a graph runs in, the small one first; one shape where a second would take too much.

    Examples
    --------
    >>> _shapes(16, 7 << 20), _shapes(16, 1 << 60), _shapes(1, 0)
    ((2, 16), (16,), (1,))
    """
    few = FEW_LIGHT if weight <= LIGHT else FEW
    return (few, rows) if few < rows and weight <= SHARE * free_memory() else (rows,)


def settled(graph: Graph, precision: str) -> str:
    """The precision that `precision` means for a graph on this processor.

    Raises
    ------
    UsageError
        If the processor, or the model's card, does not have it, or the graph was not quantised yet.
    """
    if precision.startswith(INT8):
        return quantized(graph, precision)[1]
    if precision == "auto":
        return "bf16" if graph.bf16 and cpu_has_bf16() else "f32"
    if precision == "bf16" and not graph.bf16:
        raise UsageError(FORBIDDEN)
    if precision == "bf16" and not cpu_has_bf16():
        raise UsageError("precision='bf16': this processor has no bf16; give precision='f32'")
    return precision
