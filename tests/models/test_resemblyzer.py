from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest

import sonovec
from sonovec.errors import WeightsError
from sonovec.evaluation.conformance import breaches, check
from sonovec.models import registry, resemblyzer
from tests.conftest import data_folder
from tests.golden import make_resemblyzer as made
from tests.promises import assert_card_is_complete

RATE = resemblyzer.FRONT_END.rate


@pytest.fixture(scope="module")
def golden():
    with np.load(made.GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def checkpoint(golden, tmp_path_factory):
    """Random weights in the authors' format."""
    import torch

    told = (re.fullmatch(r"(\S+) \[(.*)\]", line) for line in golden["names"])
    shapes = {line[1]: tuple(map(int, line[2].split(", "))) for line in told}
    state = {name: torch.from_numpy(array) for name, array in made.weights(shapes).items()}
    state |= {"similarity_weight": torch.ones(1), "similarity_bias": torch.ones(1)}
    file = tmp_path_factory.mktemp("checkpoint") / "pretrained.pt"
    torch.save({"step": 1, "model_state": state}, file)
    return file


@pytest.fixture(scope="module")
def weights(checkpoint, tmp_path_factory):
    """Which weights there are, and their folder: the authors' own where they lie beside the repository, else random ones."""
    real = data_folder() / "weights"
    if (real / resemblyzer.WHEEL.name).exists():
        return "real", real
    folder = tmp_path_factory.mktemp("resemblyzer")
    with zipfile.ZipFile(folder / resemblyzer.WHEEL.name, "w") as archive:
        archive.write(checkpoint, resemblyzer.MEMBER)
    return "random", folder


def test_equals_the_reference_front_end(golden):
    for name, samples in made.sounds().items():
        padded = np.pad(samples, (0, made.SAMPLES - len(samples)))[None]
        found = resemblyzer.spectrograms(padded, np.ones(1, np.float32), loudness=False)
        assert found.shape == (1, 160, 40) and found.dtype == np.float32
        expected = golden[f"spectrogram/{name}"]
        np.testing.assert_allclose(
            found.reshape(-1)[:: made.STEP], expected, atol=1e-4 * max(1, np.abs(expected).max()), rtol=0
        )


@pytest.mark.parametrize(("loudness", "told"), [(True, ""), (False, "as it is/")])
def test_equals_the_reference_network(golden, weights, loudness, told):
    kind, folder = weights
    encoder = sonovec.load("resemblyzer", weights=folder, precision="f32", loudness=loudness)
    for name, samples in made.sounds().items():
        found = encoder.embed((samples, RATE)).windows[0]
        np.testing.assert_allclose(found, golden[f"{kind}/{told}{name}"], atol=1e-4, rtol=0, err_msg=name)
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_rows_run_together_as_alone(weights):
    encoder = sonovec.load("resemblyzer", weights=weights[1], precision="f32")
    noise = np.random.default_rng(1).standard_normal(20 * RATE).astype(np.float32) / 10
    e = encoder.embed((noise, RATE))
    alone = [
        encoder.embed((noise[start : start + made.SAMPLES], RATE)).windows[0]
        for start in np.rint(e.times[e.coverage == 1, 0] * RATE).astype(int)[::5]
    ]
    assert np.array_equal(e.windows[e.coverage == 1][::5], np.stack(alone))
    np.testing.assert_allclose(np.diff(e.times[:, 0]), 0.77)


def test_silence_and_a_row_of_zeros_have_vectors(weights):
    encoder = sonovec.load("resemblyzer", weights=weights[1])
    assert np.isfinite(encoder.embed((np.zeros(RATE, np.float32), RATE)).windows).all()
    assert not resemblyzer._of_length_one(np.zeros((2, 3), np.float32)).any()


def test_loudness_does_not_count_below_the_level(weights):
    encoder = sonovec.load("resemblyzer", weights=weights[1])
    voice = made.sounds()["voice"]
    soft, softer = (encoder.embed((gain * voice, RATE)).vector for gain in (1e-2, 1e-4))
    np.testing.assert_allclose(soft, softer, atol=1e-4)


@pytest.mark.slow
def test_the_checkpoint_itself_is_taken_too(checkpoint, golden):
    encoder = sonovec.load("resemblyzer", weights=checkpoint, precision="f32")
    found = encoder.embed((made.sounds()["voice"], RATE)).windows[0]
    np.testing.assert_allclose(found, golden["random/voice"], atol=1e-4, rtol=0)


@pytest.mark.slow
def test_tells_speakers_apart(shared_data):
    """Six speakers of digits, four clips of each joined: the nearest of another recording is the same speaker's."""
    wheel = shared_data / "weights" / resemblyzer.WHEEL.name
    if not wheel.exists():
        return  # random weights tell nothing
    speakers = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    sounds = []
    for speaker in speakers:
        for first in (0, 10):
            clips = [shared_data / "fsdd" / f"{digit}_{speaker}_{first + digit % 5}.flac" for digit in range(10)]
            sounds.append((np.concatenate([sonovec.audio.stream.load(clip, RATE).samples for clip in clips]), RATE))
    vectors = np.stack([e.vector for e in sonovec.load("resemblyzer", weights=wheel).embed_many(sounds)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = vectors @ vectors.T - 2 * np.eye(len(vectors))
    assert (similarity.argmax(axis=1) // 2 == np.arange(len(vectors)) // 2).all()


@pytest.mark.slow
def test_conforms(weights):
    results = check(lambda **how: sonovec.load("resemblyzer", weights=weights[1], **how), quick=True)
    assert breaches(results) == []


def test_what_is_no_checkpoint_of_it_is_refused(tmp_path):
    import torch

    file = tmp_path / "other.pt"
    torch.save({"state": {}}, file)
    with pytest.raises(WeightsError, match=r"other\.pt: not a checkpoint of resemblyzer; give weights= the published"):
        sonovec.load("resemblyzer", weights=file).embed((np.zeros(RATE, np.float32), RATE))


def test_the_card_is_complete():
    card = registry.card("resemblyzer")
    assert_card_is_complete(card, "licence")
    assert "pauses are not cut out" in card.front_end
