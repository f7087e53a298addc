"""Write musicnn.npz: what the authors' own code gives for the MusiCNN models, by their weights and by random ones.

    pip install tensorflow tf_keras librosa
    pip download --no-deps musicnn==0.1.0
    python tests/golden/make_musicnn.py musicnn-0.1.0-py3-none-any.whl

Their code runs as it is in the wheel, but for librosa's padding, which is put back to what it was when they trained. The
sounds and the random weights are made from seeds, here and in the tests, so that only results are kept.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("musicnn.npz")
STEP = 13
RATE, SAMPLES = 16000, 187 * 256
NAMES = {
    "musicnn-mtt": "MTT_musicnn",
    "musicnn-msd": "MSD_musicnn",
    "musicnn-mtt-vgg": "MTT_vgg",
    "musicnn-msd-vgg": "MSD_vgg",
}
#: What the authors' code returns behind the scores.
LAYERS = {
    "musicnn": ("timbral", "temporal", "cnn1", "cnn2", "cnn3", "mean_pool", "max_pool", "penultimate"),
    "vgg": ("pool1", "pool2", "pool3", "pool4", "pool5"),
}


def sounds() -> dict[str, np.ndarray]:
    """Sounds of one window, none so loud that half precision overflows."""
    t = np.arange(SAMPLES) / RATE
    noise = np.random.default_rng(0).standard_normal(SAMPLES)
    click = np.zeros(SAMPLES)
    click[20_000] = 0.5
    made = {
        "noise": noise * 0.05 * (1 + np.sin(2 * np.pi * 1.3 * t)),
        "chord": 0.03 * sum(np.sin(2 * np.pi * hertz * t) * np.exp(-(t % 0.5) * 4) for hertz in (220, 277, 330, 1760)),
        "click": click,
        "silence": np.zeros(SAMPLES),
    }
    return {name: samples.astype(np.float32) for name, samples in made.items()}


def weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Random values for the variables of a checkpoint, scaled so that signals neither die nor explode."""
    return {name: _weight(name, shape) for name, shape in shapes.items()}


def _weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("kernel"):
        return rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / np.prod(shape[:-1])))
    if name.endswith(("gamma", "moving_variance")):
        return rng.random(shape, np.float32) + np.float32(0.5)
    return rng.standard_normal(shape, np.float32) * np.float32(0.1)


def over_time(layer: str, array: np.ndarray) -> np.ndarray:
    """One vector of what a layer gives (1, frames, ...): the last pooling whole, earlier ones by their mean over places."""
    array = np.asarray(array)
    if layer in ("penultimate", "mean_pool", "max_pool", "pool5"):
        return array.reshape(-1)
    if layer.startswith("pool"):
        return array.mean(axis=(0, 1, 2))
    return array.reshape(array.shape[1], -1).mean(axis=0)


def main() -> None:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    folder = Path(tempfile.mkdtemp())
    zipfile.ZipFile(sys.argv[1]).extractall(folder)
    sys.path.insert(0, str(folder))
    import librosa
    import soundfile
    import tensorflow as tf
    from musicnn import extractor, models

    librosa.feature.melspectrogram = partial(librosa.feature.melspectrogram, pad_mode="reflect")
    golden: dict[str, np.ndarray] = {}
    patches = {}
    for name, samples in sounds().items():
        soundfile.write(folder / "sound.wav", samples, RATE, subtype="FLOAT")
        (patches[name],), _ = extractor.batch_data(folder / "sound.wav", 187, 187)
        assert np.isfinite(patches[name]).all()
        golden[f"spectrogram/{name}"] = patches[name].astype(np.float32).reshape(-1)[::STEP]
    v1 = tf.compat.v1
    for name, theirs in NAMES.items():
        layers = LAYERS[theirs.split("_")[1]]
        with tf.Graph().as_default(), v1.Session() as session:
            x, training = v1.placeholder(tf.float32, [None, 187, 96]), v1.placeholder(tf.bool)
            logits, *outputs = models.define_model(x, training, theirs, 50)
            variables = {variable.op.name: variable for variable in v1.global_variables()}
            shapes = {key: tuple(variable.shape) for key, variable in variables.items()}
            golden[f"{name}/names"] = np.array([f"{key} {list(shape)}" for key, shape in shapes.items()])
            for kind in ("real", "random"):
                if kind == "real":
                    v1.train.Saver().restore(session, f"{folder}/musicnn/{theirs}/")
                else:
                    for key, array in weights(shapes).items():
                        variables[key].load(array, session)
                for sound, patch in patches.items():
                    fed = {x: patch[None], training: False}
                    scores, *results = session.run([tf.nn.sigmoid(logits), *outputs], fed)
                    golden[f"{name}/{kind}/scores/{sound}"] = scores[0]
                    for layer, array in zip(layers, results, strict=True):
                        golden[f"{name}/{kind}/{layer}/{sound}"] = over_time(layer, array).astype(np.float32)
    np.savez_compressed(GOLDEN, **golden)
    print(GOLDEN, GOLDEN.stat().st_size, "bytes,", len(golden), "arrays")


if __name__ == "__main__":
    main()
