"""PyTorch on CUDA; any device of PyTorch's will do."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import MissingExtraError, UsageError
from sonovec.runtime.network import Graph, padded

#: Rows of the shapes that are run: a window, a clip, a folder.
BATCH_SIZES = (1, 16, 128)


class TorchNetwork:
    """A graph on a device of PyTorch's: a few fixed shapes, one call at a time."""

    streams = 1

    def __init__(
        self, graph: Graph, precision: str = "auto", device: str = "cuda", batch_sizes: tuple[int, ...] = BATCH_SIZES
    ) -> None:
        try:
            import torch
        except ImportError:
            raise MissingExtraError(f"device={device!r} needs PyTorch: pip install 'sonovec[torch]'") from None
        if device == "cuda" and not torch.cuda.is_available():
            raise UsageError("device='cuda': PyTorch finds no CUDA device here; give device='cpu'")
        has_bf16 = device != "cuda" or torch.cuda.is_bf16_supported()
        if precision == "bf16" and not (has_bf16 and graph.bf16):
            raise UsageError(f"precision='bf16' is not to be had for this model on {device}; give precision='f32'")
        self.precision = precision if precision != "auto" else "bf16" if graph.bf16 and has_bf16 else "f32"
        self.device = device
        self.batch_sizes = batch_sizes
        self._network = graph.torch_module().to(device)
        self._lock = threading.Lock()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run rows (n, *input_shape); see `sonovec.runtime.Network`."""
        import torch

        low = self.precision == "bf16"
        exact = torch.backends.cudnn.flags(allow_tf32=False)  # its default, TF32, is no float32
        results = []
        with self._lock, torch.inference_mode(), exact, torch.autocast(self.device, torch.bfloat16, enabled=low):
            for rows, count in padded(batch, self.batch_sizes):
                result = self._network(torch.from_numpy(rows).to(self.device))
                results.append(result[:count].float().cpu().numpy())
        return np.concatenate(results)
