"""PyTorch on CUDA; any device of PyTorch's will do."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec import forks
from sonovec.errors import MissingExtraError, UsageError
from sonovec.graph import Graph
from sonovec.runtime.network import FORBIDDEN, Row, padded

#: Rows of the shapes that are run: a window, a clip, a folder; the larger ones only while memory allows them.
BATCH_SIZES = (1, 16, 128)


def settled(graph: Graph, precision: str, device: str) -> str:
    """The precision that `precision` means for a graph on a device of PyTorch's.

    Raises
    ------
    UsageError
        If the graph cannot run there, or not so.
    MissingExtraError
        If PyTorch is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError(f"device={device!r} needs PyTorch: pip install 'sonovec[torch]'") from None
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device='cuda': PyTorch finds no CUDA device here; give device='cpu'")
    if graph.torch_module is None:
        raise UsageError(f"device={device!r}: {graph.key} is a file that only the CPU can run; give device='cpu'")
    has_bf16 = device != "cuda" or torch.cuda.is_bf16_supported()
    if precision.startswith("int8"):
        raise UsageError(f"precision={precision!r} runs on the CPU alone; give device='cpu', or precision='f32'")
    if precision == "bf16" and not has_bf16:
        raise UsageError(f"precision='bf16': {device} has no bf16 here; give precision='f32'")
    if precision == "bf16" and not graph.bf16:
        raise UsageError(FORBIDDEN)
    return precision if precision != "auto" else "bf16" if graph.bf16 and has_bf16 else "f32"


class TorchNetwork:
    """A graph on a device of PyTorch's: a few fixed shapes, one call at a time."""

    streams = 1

    def __init__(
        self, graph: Graph, precision: str = "auto", device: str = "cuda", batch_sizes: tuple[int, ...] = BATCH_SIZES
    ) -> None:
        self.precision = settled(graph, precision, device)
        self.device = device
        self.batch_sizes = batch_sizes
        assert graph.torch_module is not None  # or it would have been refused
        self._network = graph.checked(graph.torch_module()).to(device)
        self._lock = threading.Lock()
        self._forked = False
        forks.watch(self)

    def after_fork(self) -> None:
        """In a child: PyTorch can use neither its device nor its threads there."""
        self._lock, self._forked = threading.Lock(), True

    @property
    def rows(self) -> int:
        """Rows of the largest shape."""
        return self.batch_sizes[-1]

    @property
    def quick_rows(self) -> int:
        """All that wait: each call takes the smallest shape that they fit in."""
        return self.rows

    def run(self, rows: Sequence[Row], quick: bool = False) -> list[NDArray[np.float32]]:
        """Run rows, each of the graph's input shape; see `sonovec.runtime.Network`.

        Rows of any length run together where they are equally long, so that none is padded.
        """
        import torch

        if self._forked:
            raise UsageError(
                f"this process was forked after the encoder was used on {self.device}, which PyTorch cannot do; start "
                "processes with multiprocessing.get_context('spawn')"
            )
        low = self.precision == "bf16"
        exact = torch.backends.cudnn.flags(allow_tf32=False)  # its default, TF32, is no float32
        results: list[NDArray[np.float32]] = []
        with self._lock, torch.inference_mode(), exact, torch.autocast(self.device, torch.bfloat16, enabled=low):
            for _, alike in groupby(rows, key=lambda row: row.shape):
                results += self._run_alike(list(alike))
        return results

    def _run_alike(self, rows: list[Row]) -> list[NDArray[np.float32]]:
        """Run rows of one shape; batches that do not fit the device's memory are given up for smaller ones for good."""
        import torch

        results: list[NDArray[np.float32]] = []
        while len(results) < len(rows):
            piece, count = padded(rows[len(results) :], self.batch_sizes)[0]
            try:
                results.extend(self._forward(piece)[:count])
            except torch.OutOfMemoryError:
                if len(self.batch_sizes) == 1:
                    raise UsageError(
                        f"one row of shape {piece.shape[1:]} does not fit the memory of {self.device}; give device='cpu'"
                    ) from None
                self.batch_sizes = self.batch_sizes[:-1]
                torch.cuda.empty_cache()
        return results

    def _forward(self, piece: NDArray[Any]) -> NDArray[np.float32]:
        import torch

        batch = torch.from_numpy(piece)
        if self.device == "cuda":
            batch = batch.pin_memory()  # what is pinned is copied while the device computes
        outputs = self._network(batch.to(self.device, non_blocking=True))
        joined = torch.cat(outputs, dim=-1) if isinstance(outputs, tuple) else outputs
        return np.asarray(joined.float().cpu().numpy(), np.float32)
