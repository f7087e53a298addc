"""From a PyTorch module or somebody's file to OpenVINO's format, once; afterwards PyTorch is not imported."""

from __future__ import annotations

import difflib
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sonovec.errors import MissingExtraError, WeightsError
from sonovec.graph import Graph
from sonovec.memory import enough_memory
from sonovec.paths import display
from sonovec.runtime.graph_cache import GRAPH, is_whole, keep, place
from sonovec.runtime.openvino_core import core, openvino

_LOG = logging.getLogger(__name__)


def converted(graph: Graph) -> Path:
    """The graph in OpenVINO's format, float32; converted if it is not there yet, or not whole."""
    folder = place(graph.key)
    if not is_whole(folder):
        _LOG.info("%s: converting the network", graph.key)
        with enough_memory(graph.key, "convert"):
            keep(graph.checked(_of_file(graph) if graph.file else _of_torch(graph)), folder)
    return folder / GRAPH


def _of_torch(graph: Graph) -> Any:
    torch = _torch(graph)
    rows = 1 if -1 in graph.input_shape else 2
    lengths = [graph.example_length if length < 0 else length for length in graph.input_shape]
    assert graph.torch_module is not None
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns of every constant; that the result is right is tested
        example = torch.zeros(rows, *lengths, dtype=getattr(torch, graph.input_type))
        module = graph.torch_module()  # imports transformers, which sets its level
        with _unheard("transformers"):
            # Tracing twice, to compare, is most of the time; the tests compare what comes out.
            traced = torch.jit.trace(module, example, check_trace=False, strict=False)
        return _of_torchscript(traced, graph, 1 if rows == 1 else -1)


@contextmanager
def _unheard(name: str) -> Iterator[None]:
    """Let a package log errors alone within the block: tracing asks for every property of a network, its loss among them."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _of_torchscript(module: Any, graph: Graph, rows: int) -> Any:
    """What `openvino.convert_model` does, but for its report of each use to OpenVINO's makers."""
    ov = openvino()
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    frontend = ov.frontend.FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(module, shared_memory=False)  # has a name, for the frontend does not keep it
    model = frontend.convert(frontend.load(decoder))
    for parameter in model.get_parameters():
        parameter.set_element_type(ov.Type(np.dtype(graph.input_type)))
        parameter.set_partial_shape(ov.PartialShape([rows, *graph.input_shape]))
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
    file = graph.file
    assert file is not None
    try:
        if file.suffix in (".pt", ".ts"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript itself, which people still have
                model = _of_torchscript(_torch(graph).jit.load(file, map_location="cpu").eval(), graph, -1)
        else:
            model = core().read_model(file)
    except Exception as error:  # OpenVINO raises many kinds for a file that is not what its name says
        raise WeightsError(
            f"{display(file)}: cannot be read as a network ({_first_line(error)}); give a whole file of ONNX, TFLite, "
            "TorchScript or a TensorFlow SavedModel folder"
        ) from error
    parameter = model.inputs[0]
    if len(model.inputs) != 1:
        raise WeightsError(f"{display(file)}: has {len(model.inputs)} inputs; give a network with one")
    model = openvino().Model(_outputs(model, graph, file), [parameter.get_node()], "graph")
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
    unpacked: set[str] = set()
    for node in model.get_ordered_ops():
        inputs = [node.input_value(i).get_node() for i in range(node.get_input_size())]
        if node.get_type_name() not in UNPACKING or any(source.get_type_name() != "Constant" for source in inputs):
            continue
        first, *others = [source.get_data() for source in inputs]
        if first.dtype in (np.int8, np.uint8) or inputs[0].get_friendly_name() in unpacked:
            value = UNPACKING[node.get_type_name()](first.astype(np.float32), *others)
            constant = openvino().opset13.constant(np.asarray(value, np.float32))
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
