from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec.errors import UsageError, WeightsError
from sonovec.features.mel import mel_bank
from sonovec.models import panns, registry
from sonovec.models.audioset import names
from tests.promises import assert_card_is_complete, assert_same_vectors

NAMES = tuple(panns.KINDS)


def _script():
    path = Path(__file__).parents[1] / "golden" / "make_panns.py"
    spec = importlib.util.spec_from_file_location("make_panns", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _script()


@pytest.fixture(scope="module")
def golden():
    with np.load(made.GOLDEN) as arrays:
        return dict(arrays)


def tables(front):
    """Names and shapes of what the authors' front ends keep in a file."""
    bins = front.fft_length // 2 + 1
    kernel = (bins, 1, front.fft_length)
    return {f"spectrogram_extractor.stft.conv_{part}.weight": kernel for part in ("real", "imag")} | {
        panns.MEL_TABLE: (bins, front.n_mels)
    }


def shapes(name):
    """Names and shapes of a network's state dict; on PyTorch's "meta" device, which makes no numbers."""
    import torch

    with torch.device("meta"):
        return {key: tuple(tensor.shape) for key, tensor in panns.KINDS[name].network().state_dict().items()}


def random_weights(name):
    import torch

    learnt = {key: shape for key, shape in shapes(name).items() if "num_batches" not in key}
    return {key: torch.from_numpy(array) for key, array in made.weights(learnt).items()}


def published(name):
    """A checkpoint as the authors saved theirs: with the front end's tables, and the state of the sampler in training."""
    import torch

    kind = panns.KINDS[name]
    model = random_weights(name)
    model |= {key: torch.zeros(shape) for key, shape in tables(kind.front_end).items()}
    model[panns.MEL_TABLE] = torch.from_numpy(mel_bank(kind.front_end)).float()
    sampler = {"indexes_per_class": [np.arange(5), np.arange(3)], "queue": [1, 2], "pointers_of_classes": [0, 1]}
    return {"iteration": 600000, "model": model, "sampler": sampler}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with random weights under the published names; CNN14's at 32 kHz is only made where it is needed."""
    import torch

    folder = tmp_path_factory.mktemp("panns")
    for name in ("panns-cnn14-16k", "panns-mobilenetv1"):
        torch.save(published(name), folder / panns.KINDS[name].file.name)
    return folder


@pytest.fixture(scope="module")
def encoders(folder):
    return cache(lambda name: sonovec.load(name, weights=folder, precision="f32"))


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()), rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_are_the_published_ones(golden, name):
    ours = tables(panns.KINDS[name].front_end) | shapes(name)
    assert sorted(golden[f"{name}/names"]) == sorted(f"{key} {list(shape)}" for key, shape in ours.items())


@pytest.mark.parametrize("front", [panns.FRONT_END, panns.FRONT_END_16K], ids=lambda front: str(front.rate))
def test_equals_the_reference_front_end(golden, front):
    for name, samples in made.sounds(front.rate).items():
        found = front(samples[None])
        assert found.shape[1] == golden[f"{front.rate}/{name}/frames"]
        # The reference's window and tables are rounded to float32, which a band shows that is empty beside a loud tone.
        loud = golden[f"{front.rate}/{name}"] > -60
        different = np.abs(found.reshape(-1)[:: made.STEP] - golden[f"{front.rate}/{name}"])
        assert different[loud].max(initial=0) < 1e-4 and different.max() < 0.05, name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["panns-cnn14-16k", "panns-mobilenetv1"])
def test_equals_the_reference_network_at_any_length(golden, encoders, name):
    encoder = encoders(name)
    for seconds in made.SECONDS[name]:
        e = encoder.embed((made.noise(encoder.rate, seconds), encoder.rate))
        assert e.windows.shape == (1, encoder.dim)
        close(e.windows[0], golden[f"{name}/embedding/{seconds}"])
        close(e.scores[0], golden[f"{name}/scores/{seconds}"])
    assert encoder.classes == names()


@pytest.mark.slow
def test_cnn14_at_32_khz_equals_the_reference_network(golden):
    import torch

    name = "panns-cnn14"
    with torch.device("meta"):
        network = panns.KINDS[name].network()
    state = random_weights(name) | {k: torch.tensor(0) for k in shapes(name) if "num_batches" in k}
    network.load_state_dict(state, assign=True)
    for seconds in made.SECONDS[name]:
        with torch.inference_mode():
            spectrogram = torch.from_numpy(panns.FRONT_END(made.noise(32000, seconds)[None]))
            embedding, scores = network.eval()(spectrogram)
        close(embedding[0].numpy(), golden[f"{name}/embedding/{seconds}"])
        close(scores[0].numpy(), golden[f"{name}/scores/{seconds}"])


@pytest.mark.slow
def test_the_end_of_a_clip_is_embedded_as_long_as_it_is(golden, encoders):
    name = "panns-mobilenetv1"
    encoder = encoders(name)
    parts = [made.noise(encoder.rate, seconds) for seconds in (10.0, 3.217)]
    e = encoder.embed((np.concatenate(parts), encoder.rate))
    np.testing.assert_allclose(e.times, [[0, 10], [10, 13.217]], atol=1e-6)
    close(e.windows, np.stack([golden[f"{name}/embedding/{seconds}"] for seconds in (10.0, 3.217)]))


def test_bf16_is_not_offered(folder):
    assert sonovec.load("panns-mobilenetv1", weights=folder).passport.precision == "f32"
    with pytest.raises(UsageError, match=r"precision='bf16'"):
        _ = sonovec.load("panns-mobilenetv1", weights=folder, precision="bf16").passport


def test_a_vector_does_not_depend_on_what_else_is_embedded(encoders):
    encoder = encoders("panns-mobilenetv1")
    clips = [(made.noise(encoder.rate, seconds), encoder.rate) for seconds in (1.2, 10.0, 0.5, 3.217, 1.2)]
    alone = [encoder.embed(clip).windows for clip in clips]
    for one, other in zip(alone, encoder.embed_many(clips), strict=True):
        assert_same_vectors(one, other.windows, encoder.passport.precision)


@pytest.mark.parametrize("samples", [1, 500, 9919])
def test_a_very_short_sound_is_padded_to_the_shortest(encoders, samples):
    encoder = encoders("panns-mobilenetv1")
    short = made.noise(encoder.rate, samples / encoder.rate)
    e = encoder.embed((short, encoder.rate))
    padded = np.concatenate([short, np.zeros(9920 - samples, np.float32)])
    assert e.windows.shape == (1, 1024) and np.isfinite(e.windows).all()
    assert np.array_equal(e.windows, encoder.embed((padded, encoder.rate)).windows)


def test_silence_gives_a_vector(encoders):
    e = encoders("panns-mobilenetv1").embed((np.zeros(40000, np.float32), 32000))
    assert e.silent.all() and np.isfinite(e.windows).all()


def test_weights_of_the_other_rate_are_refused(folder):
    file = folder / panns.KINDS["panns-cnn14-16k"].file.name
    with pytest.raises(
        WeightsError, match=r"made for another front end than panns-cnn14's \(32000 Hz\); give weights="
    ):
        sonovec.load("panns-cnn14", weights=file).embed((np.zeros(16000, np.float32), 16000))


@pytest.mark.parametrize("content", [{"model": {}}, {"model": 3}, {"bn0.weight": 1}], ids=str)
def test_weights_of_another_network_are_refused(tmp_path, content):
    import torch

    torch.save(content, tmp_path / panns.KINDS["panns-mobilenetv1"].file.name)
    with pytest.raises(
        WeightsError, match=r"MobileNetV1_mAP=0\.389\.pth: not weights of panns-mobilenetv1 \(differs in"
    ):
        sonovec.load("panns-mobilenetv1", weights=tmp_path).embed((np.zeros(16000, np.float32), 16000))


def test_a_truncated_file_is_refused(tmp_path, folder):
    file = panns.KINDS["panns-mobilenetv1"].file.name
    whole = (folder / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"not a file of PyTorch weights"):
        sonovec.load("panns-mobilenetv1", weights=tmp_path).embed((np.zeros(16000, np.float32), 16000))


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_complete(name):
    card = registry.card(name)
    assert_card_is_complete(card, "licence", "published_scores", "n_classes")
    assert card.weights[0].url.startswith("https://zenodo.org/records/3987831/files/") and "%3D" in card.weights[0].url
