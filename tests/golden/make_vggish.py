"""Write vggish.npz: what the reference implementation of VGGish, the PyPI package torchvggish 0.2, gives.

    pip install torch torchvggish==0.2
    python tests/golden/make_vggish.py [CLIP.ogg ...]

The sounds and the weights are made from seeds, here and in the tests, so that only results are kept. Of real clips, which
are not ours to keep, every 97th number of the spectrogram of the first 10 s (at whatever rate, taken as 16 kHz) is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("vggish.npz")
SHAPES = {
    "features.0": (64, 1, 3, 3),
    "features.3": (128, 64, 3, 3),
    "features.6": (256, 128, 3, 3),
    "features.8": (256, 256, 3, 3),
    "features.11": (512, 256, 3, 3),
    "features.13": (512, 512, 3, 3),
    "embeddings.0": (4096, 12288),
    "embeddings.2": (4096, 4096),
    "embeddings.4": (128, 4096),
}
CLIP_SAMPLES, CLIP_STEP = 160_000, 97


def sounds() -> dict[str, np.ndarray]:
    """Sounds at 16 kHz, float32: noise, tones, silence, a click, and noise that is far too loud."""
    rng = np.random.default_rng(0)
    t = np.arange(40_000) / 16000
    click = np.zeros(16_000, np.float32)
    click[5000] = 1
    return {
        "noise": (rng.standard_normal(50_000) * 0.1).astype(np.float32),
        "low tone": (0.5 * np.sin(2 * np.pi * 130 * t)).astype(np.float32),
        "high tone": (0.9 * np.sin(2 * np.pi * 7400 * t)).astype(np.float32),
        "sweep": np.sin(2 * np.pi * (50 * t + 1500 * t**2)).astype(np.float32),
        "silence": np.zeros(16_000, np.float32),
        "click": click,
        "loud": (rng.standard_normal(16_000) * 30).astype(np.float32),
    }


def weights() -> dict[str, np.ndarray]:
    """A state dict of random weights, scaled so that signals neither die nor explode."""
    rng = np.random.default_rng(1)
    state = {}
    for name, shape in SHAPES.items():
        fan_in = int(np.prod(shape[1:]))
        state[f"{name}.weight"] = rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / fan_in))
        state[f"{name}.bias"] = rng.standard_normal(shape[0], np.float32) * np.float32(0.1)
    return state


def components() -> dict[str, np.ndarray]:
    """Random PCA parameters of a size that uses the range of the quantisation, and its limits."""
    rng = np.random.default_rng(2)
    return {
        "pca_eigen_vectors": rng.standard_normal((128, 128), np.float32) * np.float32(0.03),
        "pca_means": rng.standard_normal((128, 1), np.float32),
    }


def clip_start(path: Path) -> np.ndarray:
    """The first samples of a clip, mono float32, at its own rate."""
    import soundfile

    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1)[:CLIP_SAMPLES]


def main() -> None:
    import torch
    from torchvggish import torchvggish
    from torchvggish.vggish_input import waveform_to_examples

    network = torchvggish.VGG(torchvggish.make_layers(), postprocess=False)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights().items()})
    network.eval()
    without_relu = torch.nn.Sequential(*list(network.embeddings)[:-1])
    processor = torchvggish.Postprocessor.__new__(torchvggish.Postprocessor)

    processor._pca_matrix = torch.from_numpy(components()["pca_eigen_vectors"])
    processor._pca_means = torch.from_numpy(components()["pca_means"])

    golden: dict[str, np.ndarray] = {}
    for name, samples in sounds().items():
        examples = waveform_to_examples(samples, 16000, return_tensor=False)
        golden[f"examples/{name}"] = examples.astype(np.float32)[:1]
        with torch.inference_mode():
            patches = torch.from_numpy(examples[:, None].astype(np.float32))
            after = network(patches)
            network.embeddings, kept = without_relu, network.embeddings
            before = network(patches)
            network.embeddings = kept
            golden[f"before/{name}"] = before.numpy()
            golden[f"after/{name}"] = after.numpy()
            golden[f"pca/{name}"] = processor.postprocess(before).numpy().reshape(-1, 128)
    for path in map(Path, sys.argv[1:]):
        examples = waveform_to_examples(clip_start(path), 16000, return_tensor=False)
        golden[f"clip/{path.parent.name}/{path.name}"] = examples.astype(np.float32).reshape(-1)[::CLIP_STEP]
    np.savez_compressed(GOLDEN, **golden)
    print(GOLDEN, GOLDEN.stat().st_size, "bytes,", len(golden), "arrays")


if __name__ == "__main__":
    main()
