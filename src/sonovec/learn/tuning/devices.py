"""Where a network is trained, and in which precision."""

from __future__ import annotations

import torch

from sonovec.errors import UsageError
from sonovec.runtime.openvino_core import cpu_has_bf16


def settled(device: str, precision: str, hears_samples: bool) -> tuple[str, bool]:
    """The device that is meant, and whether products of matrices are computed in bf16 on it.

    ``"auto"`` takes CUDA where it is, and bf16 where the processor multiplies it in hardware: the network of VGGish learns
    two to three times as fast so, the built-in one 1.4 times. A network that `hears_samples`, and no spectrogram, is trained
    in float32: in bf16, wav2vec 2.0 hardly learned to write digits (the loss stayed at 1.8 where it falls to 0.02). It asks
    for the hardware and measures nothing, so that each run on one machine computes the same. Weights, their gradients and
    their changes are float32 in both.

    Raises
    ------
    UsageError
        If it is not there.
    """
    has_cuda = torch.cuda.is_available()
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device={device!r} is unknown; give one of: auto, cpu, cuda")
    if device == "cuda" and not has_cuda:
        raise UsageError("device='cuda': PyTorch finds no CUDA device here; give device='cpu'")
    found = ("cuda" if has_cuda else "cpu") if device == "auto" else device
    has_bf16 = torch.cuda.is_bf16_supported() if found == "cuda" else cpu_has_bf16()
    if precision == "bf16" and not has_bf16:
        raise UsageError(f"precision='bf16': this {found} has no bf16; give precision='f32'")
    return found, precision == "bf16" or (precision == "auto" and has_bf16 and not hears_samples)
