"""OpenVINO on the CPU. A PyTorch network is converted once and kept; afterwards PyTorch is not imported."""

from __future__ import annotations

import hashlib
import json
import queue
import tempfile
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import MissingExtraError, UsageError
from sonovec.paths import cache_dir
from sonovec.runtime.network import Graph, available_cores, padded

#: Rows of the one compiled shape, so that the bits of a row never depend on how many came with it. Each further shape
#: would keep its own copy of the weights (0.55 GiB resident for VGGish in float32).
BATCH_SIZES = (16,)


class OpenVinoNetwork:
    """A graph on the CPU: one thread for each call, as many calls at once as there are cores.

    One thread for each call keeps all cores busy with a folder of files as well as several threads for one call would,
    and a result cannot depend on how many there are.
    """

    device = "cpu"

    def __init__(self, graph: Graph, precision: str = "auto", batch_sizes: tuple[int, ...] = BATCH_SIZES) -> None:
        self.precision = _settle(graph, precision)
        self.batch_sizes = batch_sizes
        self.streams = available_cores()
        self._file = converted(graph)
        self._input_shape = graph.input_shape
        self._requests: dict[int, queue.SimpleQueue[Any]] = {}
        self._compiling = threading.Lock()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run rows (n, *input_shape); see `sonovec.runtime.Network`."""
        results = []
        for rows, count in padded(batch, self.batch_sizes):
            idle = self._idle(len(rows))
            request = idle.get()
            try:
                results.append(request.infer({0: rows}, share_inputs=True)[0][:count].copy())
            finally:
                idle.put(request)
        return np.concatenate(results)

    def _idle(self, size: int) -> queue.SimpleQueue[Any]:
        """Requests of one compiled shape that nobody uses at the moment."""
        with self._compiling:
            if size not in self._requests:
                self._requests[size] = self._compile(size)
            return self._requests[size]

    def _compile(self, size: int) -> queue.SimpleQueue[Any]:
        core = _core()
        model = core.read_model(self._file)
        model.reshape([size, *self._input_shape])
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": self.precision,
                "NUM_STREAMS": str(self.streams),
                "INFERENCE_NUM_THREADS": str(self.streams),
                "ENABLE_CPU_PINNING": False,
            },
        )
        idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.streams):
            idle.put(compiled.create_infer_request())
        return idle


@cache
def _core() -> Any:
    import openvino

    return openvino.Core()


def cpu_has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _settle(graph: Graph, precision: str) -> str:
    if precision == "auto":
        return "bf16" if graph.bf16 and cpu_has_bf16() else "f32"
    if precision == "bf16" and not cpu_has_bf16():
        raise UsageError("precision='bf16': this processor has no bf16; give precision='f32'")
    if precision == "bf16" and not graph.bf16:
        raise UsageError("precision='bf16': the model's card does not allow it; give precision='f32'")
    return precision


def converted(graph: Graph) -> Path:
    """The graph in OpenVINO's format, float32; converted if it is not there yet, or not whole."""
    folder = cache_dir() / "graphs" / graph.key
    if not _is_whole(folder):
        _convert(graph, folder)
    return folder / "graph.xml"


def _is_whole(folder: Path) -> bool:
    """A file that was cut short would crash the process, and a damaged one would give other vectors without a word."""
    try:
        sums = json.loads((folder / "sums.json").read_text())
        return all(_sum(folder / name) == expected for name, expected in sums.items())
    except (OSError, ValueError):
        return False


def _sum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _convert(graph: Graph, folder: Path) -> None:
    import openvino

    try:
        import torch
    except ImportError:
        raise MissingExtraError(
            f"{graph.key} needs PyTorch once, to be converted: pip install 'sonovec[torch]'"
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # OpenVINO's way into PyTorch, which is not ours to change
        model = openvino.convert_model(graph.torch_module(), example_input=torch.zeros(2, *graph.input_shape))
    model.reshape([-1, *graph.input_shape])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".converting-") as scratch:
        made = Path(scratch, "graph")
        made.mkdir()
        openvino.save_model(model, made / "graph.xml", compress_to_fp16=False)
        sums = {file.name: _sum(file) for file in made.iterdir()}
        (made / "sums.json").write_text(json.dumps(sums))
        if folder.exists() and not _is_whole(folder):
            folder.rename(Path(scratch, "broken"))
        try:
            made.rename(folder)
        except OSError:
            # Another process was quicker; what it made is as good.
            if not _is_whole(folder):
                raise
