"""Write byola.npz: what the authors' own network and torchaudio's spectrograms give for BYOL-A.

    pip install torch torchaudio
    git clone https://github.com/nttcslab/byol-a
    python tests/golden/make_byola.py byol-a

The sounds and the weights are made from seeds, here and in the tests, so that only results are kept. Spectrograms are
computed in float64, the window included: in float32, bands that are empty beside a loud one are off by more than the tests
allow.
"""

from __future__ import annotations

import importlib.util
import sys
import zlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("byola.npz")
RATE = 16000
STEP = 97
DIMS = (512, 1024, 2048)
MEAN, STD = -5.4919195, 5.0389895
#: Seconds of noise that the network hears: a whole window, an odd number, a crop of training.
SECONDS = (10.0, 3.217, 0.95)
#: This one is shorter than a crop, and padded as the authors pad.
SHORT = 0.4
UNIT = 15200


def noise(seconds: float) -> np.ndarray:
    """Noise whose loudness rises and falls, so that frames differ."""
    n = round(RATE * seconds)
    t = np.arange(n) / RATE
    loudness = 0.1 * (1 + np.sin(2 * np.pi * 1.3 * t)) + 1e-3
    return (np.random.default_rng(n).standard_normal(n) * loudness).astype(np.float32)


def sounds() -> dict[str, np.ndarray]:
    """Sounds for the front end: noise, tones, silence, a click."""
    t = np.arange(RATE) / RATE
    click = np.zeros(RATE, np.float32)
    click[5000] = 1
    return {
        "noise": noise(1.5),
        "tone": (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32),
        "sweep": np.sin(2 * np.pi * (50 * t + 3000 * t**2)).astype(np.float32),
        "silence": np.zeros(RATE, np.float32),
        "click": click,
    }


def weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Random weights for a state dict, scaled so that signals neither die nor explode."""
    return {name: _weight(name, shape) for name, shape in shapes.items()}


def _weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if len(shape) > 1:
        gain = 0.5 if name.startswith("fc") else 1.0
        return rng.standard_normal(shape, np.float32) * np.float32(gain * np.sqrt(2 / np.prod(shape[1:])))
    if name.endswith((".running_var", ".weight")):
        return rng.random(shape, np.float32) + np.float32(0.5)
    return rng.standard_normal(shape, np.float32) * np.float32(0.1)


def main() -> None:
    import torch
    import torchaudio

    spec = importlib.util.spec_from_file_location("models", Path(sys.argv[1]) / "byol_a" / "models.py")
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    to_mel = torchaudio.transforms.MelSpectrogram(
        sample_rate=RATE, n_fft=1024, win_length=1024, hop_length=160, n_mels=64, f_min=60, f_max=7800
    ).double()
    to_mel.spectrogram.window = torch.hann_window(1024, dtype=torch.float64)

    def spectrogram(samples: np.ndarray) -> torch.Tensor:
        mel = to_mel(torch.from_numpy(samples)[None].double())
        return (((mel + torch.finfo(torch.float).eps).log() - MEAN) / STD).float()

    golden: dict[str, np.ndarray] = {}
    with torch.inference_mode():
        for name, samples in sounds().items():
            bands = spectrogram(samples).numpy()
            golden[f"bands/{name}"] = bands[0].T.reshape(-1)[::STEP]
            golden[f"frames/{name}"] = np.array(bands.shape[2])
        short = noise(SHORT)
        missing = UNIT - len(short)
        padded = np.pad(short, (missing // 2, missing - missing // 2))
        for dim in DIMS:
            network = models.AudioNTT2020(n_mels=64, d=dim).eval()
            shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
            golden[f"{dim}/names"] = np.array([f"{key} {list(shape)}" for key, shape in shapes.items()])
            made = weights({key: shape for key, shape in shapes.items() if "num_batches" not in key})
            network.load_state_dict({key: torch.from_numpy(array) for key, array in made.items()}, strict=False)
            clips = {str(seconds): noise(seconds) for seconds in SECONDS} if dim == DIMS[0] else {}
            for seconds, samples in {**clips, str(SHORT): padded}.items():
                golden[f"{dim}/{seconds}"] = network(spectrogram(samples)[None])[0].numpy()
    np.savez_compressed(GOLDEN, **golden)
    print(GOLDEN, GOLDEN.stat().st_size, "bytes,", len(golden), "arrays")
    for key, array in golden.items():
        if array.dtype == np.float32:
            print(key, array.shape, float(array.min()), float(array.mean()), float(array.max()))


if __name__ == "__main__":
    main()
