from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest

import sonovec
from sonovec.errors import UsageError, WeightsError
from sonovec.evaluation.conformance import breaches, check
from sonovec.models import musicnn, registry
from tests.conftest import data_folder
from tests.golden import make_musicnn as made
from tests.models import tf_files
from tests.promises import assert_card_is_complete

RATE = musicnn.FRONT_END.rate


@pytest.fixture(scope="module")
def golden():
    with np.load(made.GOLDEN) as arrays:
        return dict(arrays)


def shapes(golden, name):
    found = (re.fullmatch(r"(\S+) \[(.*)\]", line) for line in golden[f"{name}/names"])
    return {told[1]: tuple(map(int, filter(None, told[2].split(", ")))) for told in found}


def checkpoints(golden):
    """Random weights for all of the checkpoints, with what an optimiser keeps beside them."""
    for name, theirs in made.NAMES.items():
        arrays = made.weights(shapes(golden, name))
        extra = {f"{key}/Adam": array for key, array in arrays.items() if key.endswith("bias")}
        yield f"musicnn/{theirs}", {**arrays, **extra, "beta1_power": np.array(0.9, np.float32)}


@pytest.fixture(scope="module")
def weights(golden, tmp_path_factory):
    """Which weights there are, and their folder: the authors' own where they lie beside the repository, else random ones."""
    real = data_folder() / "weights"
    if (real / musicnn.WHEEL.name).exists():
        return "real", real
    folder = tmp_path_factory.mktemp("musicnn")
    tf_files.wheel(folder / musicnn.WHEEL.name, dict(checkpoints(golden)))
    return "random", folder


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()), rtol=0)


def test_equals_the_reference_front_end(golden):
    for name, samples in made.sounds().items():
        found = musicnn.spectrograms(samples[None], np.ones(1, np.float32))
        assert found.shape == (1, 187, 96) and found.dtype == np.float32
        expected = golden[f"spectrogram/{name}"]
        found = found.reshape(-1)[:: made.STEP]
        # A number between two of half precision may fall to either: it is one step off then.
        step = np.spacing(np.abs(expected).astype(np.float16)).astype(np.float32)
        assert (np.abs(found - expected) <= np.maximum(1e-4, step)).all(), name
        assert np.mean(np.abs(found - expected) > 1e-4) < 0.005, name


DEFAULTS = [("musicnn-mtt", "penultimate"), ("musicnn-mtt-vgg", "pool5")]


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        pytest.param(name, layer, marks=() if (name, layer) in DEFAULTS else pytest.mark.slow)
        for name in made.NAMES
        for layer in made.LAYERS["vgg" if "vgg" in name else "musicnn"]
    ],
)
def test_equals_the_reference_network(golden, weights, name, layer):
    kind, folder = weights
    encoder = sonovec.load(name, weights=folder, precision="f32", layer=layer)
    for sound, samples in made.sounds().items():
        e = encoder.embed((samples, RATE))
        assert e.windows.shape == (1, encoder.dim)
        close(e.windows[0], golden[f"{name}/{kind}/{layer}/{sound}"])
        close(e.scores[0], golden[f"{name}/{kind}/scores/{sound}"])


def test_a_loud_sound_goes_on_where_half_precision_ends():
    t = np.arange(musicnn.WINDOW.length) / RATE
    tone = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    loud, soft = (musicnn.spectrograms(gain * tone[None], np.ones(1, np.float32))[0] for gain in (1, 0.01))
    assert np.isfinite(loud).all()
    band = soft.mean(axis=0).argmax()
    np.testing.assert_allclose(loud[50, band] - soft[50, band], 4, atol=0.01)  # 40 dB


def test_a_short_sound_is_repeated():
    samples = np.zeros((1, musicnn.WINDOW.length), np.float32)
    samples[0, :8000] = made.sounds()["noise"][:8000]
    found = musicnn.spectrograms(samples, np.array([8000 / musicnn.WINDOW.length], np.float32))[0]
    assert np.array_equal(found[:32], found[32:64])
    assert musicnn.spectrograms(samples, np.array([1e-6], np.float32)).shape == (1, 187, 96)


def test_tags_are_the_authors(weights):
    encoder = sonovec.load("musicnn-mtt", weights=weights[1])
    assert encoder.classes[:2] == ("guitar", "classical") and len(set(musicnn.MTT)) == len(set(musicnn.MSD)) == 50


@pytest.mark.slow
def test_conforms(weights):
    results = check(lambda **how: sonovec.load("musicnn-mtt", weights=weights[1], **how), quick=True)
    assert breaches(results) == []


def test_an_unknown_layer_is_refused(weights):
    with pytest.raises(
        UsageError, match="option layer='pool5' of model 'musicnn-mtt'; give one of: penultimate, max_pool"
    ):
        sonovec.load("musicnn-mtt", weights=weights[1], layer="pool5")


def embed(folder):
    return sonovec.load("musicnn-mtt", weights=folder).embed((np.zeros(RATE, np.float32), RATE))


def test_a_wheel_that_is_damaged_or_another_is_refused(tmp_path, golden):
    wheel = tmp_path / musicnn.WHEEL.name
    wheel.write_bytes(b"<html>not found</html>")
    with pytest.raises(WeightsError, match=r"\.whl: not a whole archive"):
        embed(tmp_path)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("musicnn/__init__.py", "")
    with pytest.raises(WeightsError, match=r"\.whl: holds no musicnn/MTT_musicnn/\.index"):
        embed(tmp_path)
    arrays = made.weights(shapes(golden, "musicnn-mtt"))
    arrays["dense/kernel"] = arrays["dense/kernel"][:, :7]
    tf_files.wheel(wheel, {"musicnn/MTT_musicnn": arrays})
    with pytest.raises(WeightsError, match=r"\.whl: not weights of musicnn-mtt \(differs in dense\.weight\)"):
        embed(tmp_path)


@pytest.mark.parametrize("name", musicnn.KINDS)
def test_the_card_is_complete(name):
    card = registry.card(name)
    assert_card_is_complete(card, "licence", "published_scores", "n_classes")
    assert card.weights[0].url.endswith("/" + card.weights[0].name) and len(card.weights[0].sha256) == 64
