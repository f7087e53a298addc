"""Write efficientat.npz: what the reference implementation of EfficientAT gives.

    git clone https://github.com/fschmid56/EfficientAT
    pip install torch
    python tests/golden/make_efficientat.py EfficientAT mn04_as_mAP_432.pt

The reference uses one class of torchvision and one function of torchaudio, which stand below as their documentation has them,
so that neither is needed. The sounds and the weights are made from seeds, here and in the tests, so that only results are
kept; those of the published weights, which are an asset of the reference's release v0.0.1, too.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import sys
import types
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("efficientat.npz")
WIDTHS = {"mn04": 0.4, "mn10": 1.0, "mn40": 4.0, "dymn04": 0.4, "dymn10": 1.0, "dymn20": 2.0}
#: The sounds whose results are kept, for each size; of all sizes, the names and shapes of their weights are.
ALL = ("noise", "sweep", "silence", "click", "shortest", "full")
KEPT = {"mn04": ALL, "mn10": ("noise",), "dymn04": ALL, "dymn10": ("noise",)}
RATE = 32000
#: Every so many numbers of a long spectrogram are kept.
STEP = 41


def sounds() -> dict[str, np.ndarray]:
    """Sounds at 32 kHz, float32, of several lengths, the shortest that the reference takes among them."""
    rng = np.random.default_rng(0)
    t = np.arange(70_001) / RATE
    click = np.zeros(20_000, np.float32)
    click[5000] = 1
    return {
        "noise": (rng.standard_normal(100_000) * 0.1).astype(np.float32),
        "sweep": (0.5 * np.sin(2 * np.pi * (50 * t + 3000 * t**2))).astype(np.float32),
        "silence": np.zeros(16_000, np.float32),
        "click": click,
        "shortest": (rng.standard_normal(514) * 0.3).astype(np.float32),
        "full": (rng.standard_normal(320_000) * np.linspace(0, 1, 320_000) ** 4).astype(np.float32),
    }


def weights(shapes: Mapping[str, tuple[int, ...]], variances: np.ndarray) -> dict[str, np.ndarray]:
    """A state dict of random weights.

    Normalisations take their `variances`, sorted by name, from the golden file: with made-up ones, signals die or explode.
    """
    state = {name: _weight(name, shape) for name, shape in shapes.items() if "num_batches" not in name}
    norms = sorted(name for name in state if name.endswith("running_var"))
    for name, variance in zip(norms, variances, strict=True):
        state[name] *= variance
    return state


def _weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    noise = np.random.default_rng([7, zlib.crc32(name.encode())]).standard_normal(shape, np.float32)
    if name.endswith("lambdas"):
        return np.array([1, 1, 0.5, 0.5], np.float32)
    if name.endswith("init_v"):
        return np.array([1, 0, 0, 0], np.float32)
    if name.endswith("running_var"):
        return np.exp(noise * np.float32(0.2))
    if name.endswith(("running_mean", "bias")):
        return noise * np.float32(0.1)
    if len(shape) == 1:
        return 1 + noise * np.float32(0.1)
    mixed = len(shape) == 4 and shape[:3] == (1, 1, 4)  # the kernels of a dynamic convolution, whatever their shape
    return noise if mixed else noise * np.float32(1 / math.sqrt(math.prod(shape[1:])))


def listing(shapes: Mapping[str, tuple[int, ...]]) -> np.ndarray:
    """CRC-32 of each name of a state dict with its shape, sorted."""
    lines = (f"{name} {tuple(shape)}" for name, shape in shapes.items() if "num_batches" not in name)
    return np.array(sorted(zlib.crc32(line.encode()) for line in lines), np.uint32)


def stand_ins() -> None:
    """Put modules in the place of torchvision and torchaudio."""
    import torch
    from torch import nn

    class ConvNormActivation(nn.Sequential):
        def __init__(
            self, before, after, kernel_size=3, stride=1, groups=1, norm_layer=None, activation_layer=None, dilation=1
        ):
            padding = (kernel_size - 1) // 2 * dilation
            parts = [
                nn.Conv2d(before, after, kernel_size, stride, padding, dilation, groups, bias=False),
                norm_layer(after),
            ]
            super().__init__(*parts, *([activation_layer(inplace=True)] if activation_layer else []))

    def get_mel_banks(n_mels, n_fft, rate, low, high, vtln_low, vtln_high, vtln_warp_factor):
        """Kaldi's triangles, straight over the mel axis, in float32; the highest bin is not among them."""
        ends = [1127.0 * math.log(1.0 + hertz / 700.0) for hertz in (low, high)]
        step = (ends[1] - ends[0]) / (n_mels + 1)
        left = ends[0] + torch.arange(n_mels)[:, None] * step
        mel = 1127.0 * (1.0 + rate / n_fft * torch.arange(n_fft / 2) / 700.0).log()[None]
        rising, falling = (mel - left) / step, (left + 2 * step - mel) / step
        return torch.minimum(rising, falling).clamp(min=0), None

    for name in ("torchvision", "torchvision.ops", "torchvision.ops.misc", "torchaudio", "torchaudio.compliance"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchvision.ops.misc"].ConvNormActivation = ConvNormActivation
    kaldi = types.SimpleNamespace(get_mel_banks=get_mel_banks)
    sys.modules["torchaudio"].compliance = types.SimpleNamespace(kaldi=kaldi)


def reference(name: str):
    from models.dymn.model import get_model as dynamic
    from models.mn.model import get_model as plain

    with contextlib.redirect_stdout(io.StringIO()):
        return (dynamic if name.startswith("dymn") else plain)(width_mult=WIDTHS[name], **_as_published(name)).eval()


def _as_published(name: str) -> dict[str, float]:
    # Published dynamic networks are run at temperature 1, which the reference sets only when it fetches their weights.
    return {"T_max": 1.0} if name.startswith("dymn") else {}


def calibrated(network, spectrogram) -> np.ndarray:
    """Set the variance of each normalisation to what comes to it, about, and give the factors sorted by name."""
    import torch

    factors = {}

    def set_variance(name, norm, given):
        factors[name] = given[0].var()
        norm.running_var *= factors[name]

    norms = {name: module for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    hooks = [norm.register_forward_pre_hook(partial(set_variance, name)) for name, norm in norms.items()]
    with torch.inference_mode():
        network(spectrogram[:, None])
    for hook in hooks:
        hook.remove()
    return np.array([factors[name] for name in sorted(factors, key="{}.running_var".format)], np.float32)


def results(network, spectrogram) -> dict[str, np.ndarray]:
    import torch

    kept = {}
    hook = network.classifier[3].register_forward_hook(lambda module, given, out: kept.update(hidden=out.clone()))
    with torch.inference_mode():
        scores, pooled = network(spectrogram[:, None])
    hook.remove()
    found = {"pooled": pooled, "hidden": kept["hidden"], "scores": torch.sigmoid(scores)}
    return {kind: tensor.reshape(-1).numpy() for kind, tensor in found.items()}


def _fill(network, state: dict[str, np.ndarray]) -> None:
    import torch

    network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()}, strict=False)


def main() -> None:
    checkout, published = (Path(argument).resolve() for argument in sys.argv[1:])
    sys.path.insert(0, str(checkout))
    os.chdir(checkout)
    stand_ins()
    import torch
    from models.preprocess import AugmentMelSTFT

    front_end = AugmentMelSTFT(freqm=0, timem=0).eval()
    golden: dict[str, np.ndarray] = {}
    spectrograms = {name: front_end(torch.from_numpy(samples)[None]) for name, samples in sounds().items()}
    for name, spectrogram in spectrograms.items():
        golden[f"frames/{name}"] = np.array(spectrogram.shape[2])
        golden[f"spectrogram/{name}"] = spectrogram.numpy().reshape(-1)[::STEP]
    for size in WIDTHS:
        network = reference(size)
        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        golden[f"listing/{size}"] = listing(shapes)
        if size not in KEPT:
            continue
        ones = np.ones(sum(name.endswith("running_var") for name in shapes), np.float32)
        _fill(network, weights(shapes, ones))
        golden[f"variances/{size}"] = calibrated(network, spectrograms["noise"])
        _fill(network, weights(shapes, golden[f"variances/{size}"]))
        for name in KEPT[size]:
            for kind, array in results(network, spectrograms[name]).items():
                golden[f"{kind}/{size}/{name}"] = array
    network = reference("mn04")
    network.load_state_dict(torch.load(published, weights_only=True))
    for kind, array in results(network, spectrograms["sweep"]).items():
        golden[f"{kind}/published/sweep"] = array
    np.savez_compressed(GOLDEN, **golden)
    print(GOLDEN, GOLDEN.stat().st_size, "bytes,", len(golden), "arrays")


if __name__ == "__main__":
    main()
