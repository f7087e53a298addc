"""Write resemblyzer.npz: what the authors' own code gives for Resemblyzer, by their weights and by random ones.

    pip install torch librosa scipy webrtcvad-wheels
    pip download --no-deps resemblyzer==0.1.4
    python tests/golden/make_resemblyzer.py Resemblyzer-0.1.4-py3-none-any.whl

The sounds and the random weights are made from seeds, here and in the tests, so that only results are kept.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("resemblyzer.npz")
STEP = 7
RATE, SAMPLES = 16000, 160 * 160


def sounds() -> dict[str, np.ndarray]:
    """Sounds of one window and shorter: something like a voice, noise, a quiet one, a click."""
    t = np.arange(SAMPLES) / RATE
    noise = np.random.default_rng(0).standard_normal(SAMPLES)
    pitch = np.cumsum(120 + 30 * np.sin(2 * np.pi * 2 * t)) / RATE
    voice = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 20)) * (1 + np.sin(2 * np.pi * 4 * t)) / 8
    click = np.zeros(SAMPLES)
    click[9_000] = 0.9
    made = {
        "voice": voice,
        "noise": noise * 0.1,
        "quiet": voice * 0.01,
        "short": voice[:9_876],
        "click": click,
    }
    return {name: samples.astype(np.float32) for name, samples in made.items()}


def weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """A state dict of random weights."""
    return {
        name: np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32) * np.float32(0.1)
        for name, shape in shapes.items()
    }


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    zipfile.ZipFile(sys.argv[1]).extractall(folder)
    sys.path.insert(0, str(folder))
    import scipy.ndimage
    import torch

    sys.modules.setdefault("scipy.ndimage.morphology", scipy.ndimage)  # its name before SciPy 1.15
    from resemblyzer import VoiceEncoder, normalize_volume, wav_to_mel_spectrogram

    golden: dict[str, np.ndarray] = {}
    network = VoiceEncoder("cpu", verbose=False)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    golden["names"] = np.array([f"{name} {list(shape)}" for name, shape in shapes.items()])
    for kind in ("real", "random"):
        if kind == "random":
            network.load_state_dict({name: torch.from_numpy(array) for name, array in weights(shapes).items()})
        for name, samples in sounds().items():
            raised = normalize_volume(samples, -30, increase_only=True).astype(np.float32)
            golden[f"{kind}/{name}"] = network.embed_utterance(raised)
            golden[f"{kind}/as it is/{name}"] = network.embed_utterance(samples)
            padded = np.pad(samples, (0, SAMPLES - len(samples)))
            golden[f"spectrogram/{name}"] = wav_to_mel_spectrogram(padded)[:160].reshape(-1)[::STEP]
    np.savez_compressed(GOLDEN, **golden)
    print(GOLDEN, GOLDEN.stat().st_size, "bytes,", len(golden), "arrays")


if __name__ == "__main__":
    main()
