"""A network as something to execute, without saying how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Graph:
    """A network that a runtime can execute.

    Attributes
    ----------
    key : str
        Names everything that shapes the result: family, code version, hash of the weights, options. What a runtime
        makes of the graph is cached under it.
    input_shape : tuple of int
        Of one row, without the batch; float32.
    torch_module : callable
        Builds the network as a ``torch.nn.Module`` in evaluation mode, with its weights. Only called when the runtime
        has nothing cached, so that torch is not imported otherwise.
    bf16 : bool
        Whether the model's card allows bf16.
    """

    key: str
    input_shape: tuple[int, ...]
    torch_module: Callable[[], Any]
    bf16: bool = False
