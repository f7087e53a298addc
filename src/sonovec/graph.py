"""A network as something to execute, without saying how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Graph:
    """A network that a runtime can execute: a PyTorch module, a file that OpenVINO reads as it is, or the same as both.

    Models make graphs and runtimes execute them; neither knows the other.

    Attributes
    ----------
    key : str
        Names everything that shapes the result: family, code version, hash of the weights, options. What a runtime
        makes of the graph is cached under it.
    input_shape : tuple of int
        Of one row, without the batch. -1 is any length; such rows are run one at a time, as long as they are.
    torch_module : callable, optional
        Builds the network as a ``torch.nn.Module`` in evaluation mode, with its weights. Called to train it, to run it on
        CUDA, and, where there is no file, to convert it when nothing is cached; torch is not imported otherwise.
    file : Path, optional
        ONNX, TFLite, TensorFlow SavedModel or TorchScript; the CPU runs it where there is one.
    outputs : tuple of str
        Tensors of the file to read, in this order; empty for its first output. Several are joined along the last axis.
    bf16 : bool
        Whether the model's card allows bf16.
    rows : int
        Rows that are run at once; 1 for a file that is made for one.
    input_type : {"float32", "int64"}
    example_length : int
        What a dimension of any length is while the module is traced.
    check : callable, optional
        Raises if the files that the graph is of are no longer what `key` was made of; called after they were read.
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
    check: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if self.torch_module is None and self.file is None:
            raise ValueError("a graph is a torch_module, a file, or both")
        if -1 in self.input_shape:
            object.__setattr__(self, "rows", 1)

    def checked(self, read: T) -> T:
        """What was read of the graph's files, if they are still what they were."""
        if self.check is not None:
            self.check()
        return read
