"""Write panns.npz: what the authors' own code gives for the PANNs.

    pip install torch torchlibrosa panns_inference
    git clone https://github.com/qiuqiangkong/audioset_tagging_cnn
    python tests/golden/make_panns.py audioset_tagging_cnn/pytorch

CNN14 at 32 kHz is panns_inference's, the others are those of the repository, of which panns_inference is a part. The sounds
and the weights are made from seeds, here and in the tests, so that only results are kept.

Front ends are computed in float64: the authors' is a convolution in float32, which is off by decibels in bands that are
empty beside a loud one.
"""

from __future__ import annotations

import importlib
import sys
import zlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("panns.npz")
STEP = 97

FRONT_ENDS = {
    32000: {"window_size": 1024, "hop_size": 320, "mel_bins": 64, "fmin": 50, "fmax": 14000},
    16000: {"window_size": 512, "hop_size": 160, "mel_bins": 64, "fmin": 50, "fmax": 8000},
}
RATES = {"panns-cnn14": 32000, "panns-cnn14-16k": 16000, "panns-mobilenetv1": 32000}
CLASSES = {"panns-cnn14-16k": "Cnn14_16k", "panns-mobilenetv1": "MobileNetV1"}
#: Seconds of noise that each network hears: all frames of a window, an odd number, the fewest.
SECONDS = {
    "panns-cnn14": (0.31, 2.345),
    "panns-cnn14-16k": (10.0, 3.217, 0.31),
    "panns-mobilenetv1": (10.0, 3.217, 0.31),
}


def noise(rate: int, seconds: float) -> np.ndarray:
    """Noise whose loudness rises and falls, so that frames differ."""
    n = round(rate * seconds)
    t = np.arange(n) / rate
    loudness = 0.1 * (1 + np.sin(2 * np.pi * 1.3 * t)) + 1e-3
    return (np.random.default_rng(n).standard_normal(n) * loudness).astype(np.float32)


def sounds(rate: int) -> dict[str, np.ndarray]:
    """Sounds for the front end: noise, tones, silence, a click."""
    t = np.arange(rate) / rate
    click = np.zeros(rate, np.float32)
    click[rate // 3] = 1
    return {
        "noise": noise(rate, 1.5),
        "tone": (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32),
        "sweep": np.sin(2 * np.pi * (50 * t + 0.2 * rate * t**2)).astype(np.float32),
        "silence": np.zeros(rate, np.float32),
        "click": click,
    }


def weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Random weights for a state dict, scaled so that signals neither die nor explode."""
    return {name: _weight(name, shape) for name, shape in shapes.items()}


def _weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name == "bn0.running_mean":
        return rng.standard_normal(shape, np.float32) * 5 - 30
    if name == "bn0.running_var":
        return (rng.random(shape, np.float32) + 0.5) * 200
    if len(shape) > 1:
        gain = 0.2 if name.startswith("fc") else 1.0
        return rng.standard_normal(shape, np.float32) * np.float32(gain * np.sqrt(2 / np.prod(shape[1:])))
    if name.endswith((".running_var", ".weight")):
        return rng.random(shape, np.float32) + np.float32(0.5)
    return rng.standard_normal(shape, np.float32) * np.float32(0.1)


def main() -> None:
    import torch
    from panns_inference.models import Cnn14

    sys.path.insert(0, sys.argv[1])
    repository = importlib.import_module("models")
    classes = {"panns-cnn14": Cnn14, **{name: getattr(repository, kind) for name, kind in CLASSES.items()}}
    golden: dict[str, np.ndarray] = {}
    with torch.inference_mode():
        for name, rate in RATES.items():
            network = classes[name](sample_rate=rate, classes_num=527, **FRONT_ENDS[rate]).eval()
            shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
            golden[f"{name}/names"] = np.array([f"{key} {list(shape)}" for key, shape in shapes.items()])
            learnt = {k: s for k, s in shapes.items() if "extractor" not in k and "num_batches" not in k}
            made = {key: torch.from_numpy(array) for key, array in weights(learnt).items()}
            assert not network.load_state_dict(made, strict=False).unexpected_keys
            for seconds in SECONDS[name]:
                result = network(torch.from_numpy(noise(rate, seconds))[None])
                golden[f"{name}/embedding/{seconds}"] = result["embedding"][0].numpy()
                golden[f"{name}/scores/{seconds}"] = result["clipwise_output"][0].numpy()
            if name in ("panns-cnn14", "panns-cnn14-16k"):
                network.double()
                for sound, samples in sounds(rate).items():
                    spectrogram = network.spectrogram_extractor(torch.from_numpy(samples)[None].double())
                    bands = network.logmel_extractor(spectrogram).numpy()
                    golden[f"{rate}/{sound}"] = bands.reshape(-1)[::STEP].astype(np.float32)
                    golden[f"{rate}/{sound}/frames"] = np.array(bands.shape[2])
    np.savez_compressed(GOLDEN, **golden)
    print(GOLDEN, GOLDEN.stat().st_size, "bytes,", len(golden), "arrays")
    for key, array in golden.items():
        if array.dtype == np.float32:
            print(key, array.shape, float(array.min()), float(array.mean()), float(array.max()))


if __name__ == "__main__":
    main()
