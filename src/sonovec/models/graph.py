"""A network as something to execute, without saying how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Graph:
    """A network that a runtime can execute: a PyTorch module, or a file that OpenVINO reads as it is.

    Attributes
    ----------
    key : str
        Names everything that shapes the result: family, code version, hash of the weights, options. What a runtime
        makes of the graph is cached under it.
    input_shape : tuple of int
        Of one row, without the batch. -1 is any length; such rows are run one at a time, as long as they are.
    torch_module : callable, optional
        Builds the network as a ``torch.nn.Module`` in evaluation mode, with its weights. Only called when the runtime
        has nothing cached, so that torch is not imported otherwise.
    file : Path, optional
        ONNX, TFLite, TensorFlow SavedModel or TorchScript, in place of `torch_module`.
    outputs : tuple of str
        Tensors of the file to read, in this order; empty for its first output. Several are joined along the last axis.
    bf16 : bool
        Whether the model's card allows bf16.
    rows : int
        Rows that are run at once; 1 for a file that is made for one.
    input_type : {"float32", "int64"}
    example_length : int
        What a dimension of any length is while the module is traced.
    """

    key: str
    input_shape: tuple[int, ...]
    torch_module: Callable[[], Any] | None = None
    file: Path | None = None
    outputs: tuple[str, ...] = ()
    bf16: bool = False
    rows: int = 16
    input_type: str = "float32"
    example_length: int = 16000

    def __post_init__(self) -> None:
        if (self.torch_module is None) == (self.file is None):
            raise ValueError("a graph is either a torch_module or a file")
        if -1 in self.input_shape:
            object.__setattr__(self, "rows", 1)
