"""OpenVINO on the CPU. A PyTorch network is converted once and kept; afterwards PyTorch is not imported."""

from __future__ import annotations

import difflib
import hashlib
import json
import queue
import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import MissingExtraError, UsageError, WeightsError
from sonovec.paths import cache_dir, display
from sonovec.runtime.network import Graph, Row, available_cores, padded

#: OpenVINO 2026.4 keeps fused kernels by shape, and one that was made for a single frame gives wrong numbers for more.
ANY_LENGTH = {"SNIPPETS_MODE": "DISABLE"}


class OpenVinoNetwork:
    """A graph on the CPU: one thread for each call, as many calls at once as there are cores.

    One thread for each call keeps all cores busy with a folder of files as well as several threads for one call would,
    and a result cannot depend on how many there are. There is one compiled shape, so that the bits of a row never depend on
    how many came with it; each further one would keep its own copy of the weights (0.55 GiB for VGGish in float32). Rows
    of any length run one at a time, unpadded.
    """

    device = "cpu"

    def __init__(self, graph: Graph, precision: str = "auto", batch_sizes: tuple[int, ...] | None = None) -> None:
        self.precision = _settle(graph, precision)
        self.batch_sizes = batch_sizes or (graph.rows,)
        self.streams = available_cores()
        self._file = converted(graph)
        self._input_shape = graph.input_shape
        self._requests: dict[int, queue.SimpleQueue[Any]] = {}
        self._compiling = threading.Lock()

    def run(self, rows: Sequence[Row]) -> list[NDArray[np.float32]]:
        """Run rows, each of the graph's input shape; see `sonovec.runtime.Network`."""
        results: list[NDArray[np.float32]] = []
        for piece, count in padded(rows, self.batch_sizes):
            idle = self._idle(len(piece))
            request = idle.get()
            try:
                outputs = request.infer({0: piece}, share_inputs=True).to_tuple()
                results.extend(np.concatenate([output[:count] for output in outputs], axis=-1))
            finally:
                idle.put(request)
        return results

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
                **(ANY_LENGTH if -1 in self._input_shape else {}),
            },
        )
        idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.streams):
            idle.put(compiled.create_infer_request())
        return idle


@cache
def _core() -> Any:
    import openvino

    # The first conversion of an array in the bindings can lock up if two threads come to it at once (2026.4).
    _ = openvino.Tensor(np.zeros(1, np.float32)).data
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

    model = _of_file(graph) if graph.file else _of_torch(graph)
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


def _of_torch(graph: Graph) -> Any:
    torch = _torch(graph)
    rows = 1 if -1 in graph.input_shape else 2
    lengths = [graph.example_length if length < 0 else length for length in graph.input_shape]
    assert graph.torch_module is not None
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns of every constant; that the result is right is tested
        example = torch.zeros(rows, *lengths, dtype=getattr(torch, graph.input_type))
        # Tracing twice, to compare, is most of the time; the tests compare what comes out.
        traced = torch.jit.trace(graph.torch_module(), example, check_trace=False, strict=False)
        return _of_torchscript(traced, graph, 1 if rows == 1 else -1)


def _of_torchscript(module: Any, graph: Graph, rows: int) -> Any:
    """What `openvino.convert_model` does, but for its report of each use to OpenVINO's makers."""
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(module, shared_memory=False)  # has a name, for the frontend does not keep it
    model = frontend.convert(frontend.load(decoder))
    for parameter in model.get_parameters():
        parameter.set_element_type(openvino.Type(np.dtype(graph.input_type)))
        parameter.set_partial_shape(openvino.PartialShape([rows, *graph.input_shape]))
    model.validate_nodes_and_infer_types()
    return model


def _torch(graph: Graph) -> Any:
    try:
        import torch
    except ImportError:
        raise MissingExtraError(
            f"{graph.key} needs PyTorch once, to be converted: pip install 'sonovec[torch]'"
        ) from None
    return torch


def _of_file(graph: Graph) -> Any:
    import openvino

    file = graph.file
    assert file is not None
    try:
        if file.suffix in (".pt", ".ts"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript itself, which people still have
                model = _of_torchscript(_torch(graph).jit.load(file, map_location="cpu").eval(), graph, -1)
        else:
            model = _core().read_model(file)
    except Exception as error:  # OpenVINO raises many kinds for a file that is not what its name says
        raise WeightsError(
            f"{display(file)}: cannot be read as a network ({_first_line(error)}); give a whole file of ONNX, TFLite, "
            "TorchScript or a TensorFlow SavedModel folder"
        ) from error
    parameter = model.inputs[0]
    if len(model.inputs) != 1:
        raise WeightsError(f"{display(file)}: has {len(model.inputs)} inputs; give a network with one")
    model = openvino.Model(_outputs(model, graph, file), [parameter.get_node()], "graph")
    _unpack(model)
    shape = [graph.rows if graph.rows == 1 else -1, *graph.input_shape]
    try:
        model.reshape(shape)
    except RuntimeError as error:
        raise WeightsError(
            f"{display(file)}: its input is {parameter.get_partial_shape()} and cannot be {shape}; change the card's window, "
            "front end or layout"
        ) from error
    return model


#: How 8-bit weights are multiplied out.
UNPACKING: dict[str, Callable[..., Any]] = {
    "Convert": lambda first: first,
    "Subtract": np.subtract,
    "Multiply": np.multiply,
}


def _unpack(model: Any) -> None:
    """Turn 8-bit weights, which a network multiplies out as it runs, into float32.

    OpenVINO 2026.4 packs them by several threads at once, and now and then wrongly: a quarter of the times that YAMNet was
    compiled for two threads, it gave other numbers.
    """
    from openvino import opset13

    unpacked: set[str] = set()
    for node in model.get_ordered_ops():
        inputs = [node.input_value(i).get_node() for i in range(node.get_input_size())]
        if node.get_type_name() not in UNPACKING or any(source.get_type_name() != "Constant" for source in inputs):
            continue
        first, *others = [source.get_data() for source in inputs]
        if first.dtype in (np.int8, np.uint8) or inputs[0].get_friendly_name() in unpacked:
            value = UNPACKING[node.get_type_name()](first.astype(np.float32), *others)
            constant = opset13.constant(np.asarray(value, np.float32))
            unpacked.add(constant.get_friendly_name())
            node.output(0).replace(constant.output(0))


def _outputs(model: Any, graph: Graph, file: Path) -> list[Any]:
    """Outputs by tensor name, those inside the network included."""
    if not graph.outputs:
        return [model.outputs[0].get_node().input_value(0)]
    tensors = {name: output for node in model.get_ops() for output in node.outputs() for name in output.get_names()}
    for name in graph.outputs:
        if name not in tensors:
            near = difflib.get_close_matches(name, tensors, n=3) or [
                next(iter(o.get_names()), "?") for o in model.outputs
            ]
            raise WeightsError(f"{display(file)}: has no tensor {name!r}; the nearest are: {', '.join(near)}")
    return [tensors[name] for name in graph.outputs]


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:160]
