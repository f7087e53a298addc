"""Write openl3.npz: what the authors' own Keras model gives, front end and network, in float64.

    git clone https://github.com/marl/openl3
    pip install tensorflow tf-keras librosa resampy scikit-learn soundfile
    pip install --no-deps kapre==0.3.7
    python tests/golden/make_openl3.py openl3

(The package itself cannot be installed without its weights.) The sounds and the weights are made from seeds, here and in the
tests, so that only results are kept. In float32 the reference is off by decibels in bands that are empty beside a loud
one; how far is printed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("openl3.npz")
RATE = 48000
HOP = 0.5
#: Which numbers of a spectrogram, and of a vector of 6144, are kept.
STEP, STEP_6144 = 97, 7
#: Channels of the convolutions, the input's first.
CHANNELS = (1, 64, 64, 128, 128, 256, 256, 512, 512)


def sounds() -> dict[str, np.ndarray]:
    """Sounds at 48 kHz, float32: of several windows, of one, shorter; noise, tones, silence, a click."""
    rng = np.random.default_rng(0)
    t = np.arange(RATE) / RATE
    click = np.zeros(RATE, np.float32)
    click[20_000] = 1
    return {
        "noise": (rng.standard_normal(112_800) * 0.1 * (1.1 + np.sin(np.arange(112_800) / 5000))).astype(np.float32),
        "tone": (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32),
        "sweep": np.sin(2 * np.pi * (50 * t + 10_000 * t**2)).astype(np.float32),
        "short": (rng.standard_normal(19_200) * 1e-3).astype(np.float32),
        "click": click,
        "silence": np.zeros(RATE, np.float32),
    }


def weights() -> list[tuple[str, list[np.ndarray]]]:
    """Random arrays of the layers that have any, in Keras's order, under names such as it gives in a later model."""
    layers = [("batch_normalization_9", _normalisation(np.random.default_rng(100), 1, -40, 500))]
    for i, (before, after) in enumerate(pairwise(CHANNELS)):
        rng = np.random.default_rng(101 + i)
        kernel = rng.standard_normal((3, 3, before, after), np.float32) * np.float32(np.sqrt(2 / (9 * before)))
        last = i == len(CHANNELS) - 2
        name = "audio_embedding_layer" if last else f"conv2d_{8 + i}"
        layers.append((name, [kernel, rng.standard_normal(after, np.float32) * np.float32(0.1)]))
        if not last:
            layers.append((f"batch_normalization_{10 + i}", _normalisation(rng, after, 0, 1)))
    return layers


def _normalisation(rng: np.random.Generator, n: int, mean: float, variance: float) -> list[np.ndarray]:
    """Scale, shift, mean and variance."""
    arrays = (
        rng.uniform(0.8, 1.2, n),
        rng.standard_normal(n) * 0.1,
        mean + rng.standard_normal(n) * 0.1,
        variance * rng.uniform(0.5, 1.5, n),
    )
    return [array.astype(np.float32) for array in arrays]


def write(file, layers: list[tuple[str, list[np.ndarray]]]) -> None:
    """A file of Keras weights such as the published ones, which list layers without weights, too."""
    import h5py

    kept = {
        1: ("real_kernels:0",),
        2: ("kernel:0", "bias:0"),
        4: ("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0"),
    }
    with h5py.File(file, "w") as opened:
        names = ["input_3", *(name for name, _ in layers), "max_pooling2d_5"]
        opened.attrs["layer_names"] = np.array(names, "S")
        opened.attrs["backend"], opened.attrs["keras_version"] = b"tensorflow", b"2.0.9"
        for name, arrays in [("input_3", []), *layers, ("max_pooling2d_5", [])]:
            group = opened.create_group(name)
            inside = [f"{name}/{part}" for part in kept.get(len(arrays), ())]
            group.attrs["weight_names"] = np.array(inside, "S")
            for part, array in zip(inside, arrays, strict=True):
                group[part] = array


def reference(floats: str, file: Path) -> dict[str, np.ndarray]:
    """What the authors' code gives: spectrograms, and vectors of both lengths."""
    import tf_keras
    from openl3 import core, models

    tf_keras.backend.set_floatx(floats)
    found: dict[str, np.ndarray] = {}
    loaded = {dim: models.load_audio_embedding_model_from_path(str(file), "mel256", dim) for dim in (512, 6144)}
    front_end = tf_keras.Model(loaded[512].input, loaded[512].layers[2].input)
    for name, samples in sounds().items():
        windows = core.preprocess_audio(samples, RATE, hop_size=HOP, center=False)
        found[f"spectrogram/{name}"] = front_end.predict(windows, verbose=0)[..., 0].swapaxes(1, 2)
        for dim, model in loaded.items():
            found[f"{dim}/{name}"], _ = core.get_audio_embedding(
                samples, RATE, model=model, center=False, hop_size=HOP, verbose=0
            )
    return found


def main() -> None:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    sys.path.insert(0, sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.h5"
        write(file, weights())
        found, single = (reference(floats, file) for floats in ("float64", "float32"))
    golden = {}
    for name, array in found.items():
        print(
            f"{name}: {array.shape}, {array.dtype}, float32 differs by up to {np.abs(array - single[name]).max():.1e}"
        )
        kept = {"spectrogram": array.reshape(len(array), -1)[:, ::STEP], "6144": array[:, ::STEP_6144]}
        golden[name] = kept.get(name.split("/")[0], array).astype(np.float32)
    np.savez_compressed(GOLDEN, **golden)
    print(GOLDEN, GOLDEN.stat().st_size, "bytes,", len(golden), "arrays")


if __name__ == "__main__":
    main()
