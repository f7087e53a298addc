"""Choose the runtime for a graph: CUDA where there is one and PyTorch can use it, else OpenVINO on the CPU."""

from __future__ import annotations

import shutil
from ctypes.util import find_library
from importlib.util import find_spec

from sonovec.errors import UsageError
from sonovec.graph import Graph
from sonovec.runtime.network import DEVICES, PRECISIONS, Network


def open_network(graph: Graph, precision: str = "auto", device: str = "auto", jobs: int | None = None) -> Network:
    """Make a graph ready to run.

    Parameters
    ----------
    graph : Graph
    precision : {"auto", "f32", "bf16", "int8"}
        ``"auto"`` takes bf16 where the device has it and the graph allows it, else float32.
    jobs : int, optional
        Calls that run at once on the CPU; without it `sonovec.runtime.network.settle_jobs` says how many.
    device : {"auto", "cpu", "cuda"}
        ``"auto"`` takes CUDA where there is an NVIDIA driver and a PyTorch that can use it.

    Raises
    ------
    UsageError
        If a name is unknown, or the device or the precision is not available here.
    MissingExtraError
        If PyTorch is needed, to convert a graph for the first time or for CUDA, and not installed.
    """
    _check_known(precision, device)
    if _is_for_cuda(graph, precision, device):
        from sonovec.runtime.torch_runtime import TorchNetwork

        return TorchNetwork(graph, precision, "cuda")
    from sonovec.runtime.openvino_runtime import OpenVinoNetwork

    return OpenVinoNetwork(graph, precision, jobs=jobs)


def check_settings(graph: Graph | None, precision: str = "auto", device: str = "auto") -> None:
    """Refuse settings that a graph cannot be run with here, without opening it: as `open_network`, whose errors it raises.

    Without a graph, the model computes in float32 on the CPU, whatever is asked for.
    """
    _check_known(precision, device)
    if graph is None:
        if precision not in ("auto", "f32"):
            raise UsageError(
                f"precision={precision!r}: this model has no network and computes in float32; leave precision out"
            )
        if device == "cuda":
            raise UsageError("device='cuda': this model has no network that could run there; give device='cpu'")
    elif device == "cuda" or precision not in ("auto", "f32"):
        if _is_for_cuda(graph, precision, device):
            from sonovec.runtime import torch_runtime

            torch_runtime.settled(graph, precision, "cuda")
        else:
            from sonovec.runtime import openvino_runtime

            openvino_runtime.settled(graph, precision)


def computes_in_bf16(graph: Graph, precision: str = "auto", device: str = "auto") -> bool:
    """Whether these settings mean bf16 on this processor; False for CUDA.

    Raises
    ------
    UsageError
        As `open_network`.
    """
    from sonovec.runtime import openvino_runtime

    return not _is_for_cuda(graph, precision, device) and openvino_runtime.settled(graph, precision) == "bf16"


def _check_known(precision: str, device: str) -> None:
    # A library asks for the calibration that it was made with: int8 and a hash.
    known_precisions = {*PRECISIONS, precision} if str(precision).startswith("int8-") else PRECISIONS
    for name, value, known in (("precision", precision, known_precisions), ("device", device, DEVICES)):
        if value not in known:
            raise UsageError(f"{name}={value!r} is unknown; give one of: {', '.join(known)}")


def _is_for_cuda(graph: Graph, precision: str, device: str) -> bool:
    if device == "auto":
        return not precision.startswith("int8") and graph.torch_module is not None and _cuda_is_usable()
    return device == "cuda"


def _cuda_is_usable() -> bool:
    """Looks for a driver first, so that PyTorch is not imported in vain: that takes a second or more."""
    driver = find_library("cuda") or find_library("nvcuda") or shutil.which("nvidia-smi")
    if not driver or find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())
