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
        If a name is unknown, or the device or the precision is not to be had here.
    MissingExtraError
        If PyTorch is needed, to convert a graph for the first time or for CUDA, and not installed.
    """
    # A library asks for the calibration that it was made with: int8 and a hash.
    for name, value, known in (("precision", precision.split("-")[0], PRECISIONS), ("device", device, DEVICES)):
        if value not in known:
            raise UsageError(f"{name}={value!r} is unknown; give one of: {', '.join(known)}")
    if device == "cuda" or (
        device == "auto" and not precision.startswith("int8") and graph.torch_module and _cuda_is_usable()
    ):
        from sonovec.runtime.torch_runtime import TorchNetwork

        return TorchNetwork(graph, precision, "cuda")
    from sonovec.runtime.openvino_runtime import OpenVinoNetwork

    return OpenVinoNetwork(graph, precision, jobs=jobs)


def _cuda_is_usable() -> bool:
    """Looks for a driver first, so that PyTorch is not imported in vain: that takes a second or more."""
    driver = find_library("cuda") or find_library("nvcuda") or shutil.which("nvidia-smi")
    if not driver or find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())
