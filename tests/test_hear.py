"""The HEAR API: HEAR's own validator, and what it does not look at, such as whether a timestamp is where it says."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import sonovec
from sonovec import hear
from sonovec.errors import AudioError, UsageError
from tests.models import tiny

RATE = 16000


def noise(sounds: int, seconds: float, rate: int = RATE) -> torch.Tensor:
    return torch.rand((sounds, int(seconds * rate)), generator=torch.Generator().manual_seed(0)) - 0.5


def validate(model: str) -> str:
    """Run HEAR's validator as its users do."""
    command = [sys.executable, "-m", "hearvalidator.validate", "sonovec.hear", "--model", model]
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def validator():
    pytest.importorskip("hearvalidator", reason="needs HEAR's validator: pip install hearvalidator")
    return validate


@pytest.mark.slow
def test_the_validator_passes_the_default(validator):
    assert validator("").splitlines()[-1] == "Looks good!"


@pytest.mark.slow
def test_the_validator_passes_a_network(validator, vggish_weights):
    out = validator(f"vggish?weights={vggish_weights}&relu=true")
    assert out.splitlines()[-1] == "Looks good!"
    assert "Interval between timestamps is 50.0ms" in out


@pytest.mark.slow
def test_the_validator_passes_an_encoder_that_hears_a_rate_that_hear_has_not(validator, tmp_path):
    folder = tiny.mert(tmp_path)
    assert sonovec.load(str(folder)).rate == 24000
    out = validator(f"{folder}?layer=mean")
    assert out.splitlines()[-1] == "Looks good!"
    assert "Model sample rate is: 44100" in out


def test_each_timestamp_is_the_middle_of_its_window():
    model = hear.load_model("logmel")  # which hears the rate that it is given: its windows can be cut by hand
    audio = noise(2, 3)
    embeddings, timestamps = hear.get_timestamp_embeddings(audio, model)
    assert embeddings.dtype == timestamps.dtype == torch.float32
    assert timestamps[0].tolist() == [50.0 * i for i in range(61)]
    half = model.encoder.window.length // 2
    for i in (10, 17, 50):  # where a whole window fits
        middle = round(float(timestamps[1, i]) / 1000 * RATE)
        alone = model.encoder.embed((audio[1, middle - half : middle + half].numpy(), RATE)).vector
        np.testing.assert_array_equal(embeddings[1, i], alone)


def test_a_click_is_heard_by_the_windows_around_it():
    audio = torch.zeros(1, 3 * RATE)
    audio[0, RATE * 3 // 2] = 1.0
    embeddings, timestamps = hear.get_timestamp_embeddings(audio, hear.load_model("logmel"))
    heard = timestamps[0][(embeddings[0] != embeddings[0, 0]).any(1)]
    assert heard.min() == pytest.approx(1000, abs=51) and heard.max() == pytest.approx(2000, abs=51)


def test_a_scene_is_the_clip_vector():
    model = hear.load_model("logmel?hop=0.5")
    audio = noise(3, 1.7)
    vectors = hear.get_scene_embeddings(audio, model)
    expected = [sonovec.load("logmel", hop=0.5).embed((sound.numpy(), RATE)).vector for sound in audio]
    np.testing.assert_array_equal(vectors, np.stack(expected))


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_the_grid_is_the_same_at_each_rate_of_hear(rate):
    model = hear.load_model()
    model.sample_rate = rate  # as for an encoder that hears another rate than it is given
    _, timestamps = hear.get_timestamp_embeddings(noise(1, 1.02, rate), model)
    assert timestamps[0].tolist() == [50.0 * i for i in range(21)]


def test_a_setting_reaches_the_encoder(vggish_weights):
    model = hear.load_model(f"vggish?pca=true&precision=f32&weights={vggish_weights}")
    assert dict(model.encoder.options) == {"relu": False, "pca": True}
    assert hear.load_model(f"vggish?pca=True&weights={vggish_weights}").encoder.options["pca"] is True


@pytest.mark.parametrize("text", ["logmel?hop", "logmel?=1", "logmel?hop=1&"])
def test_a_setting_without_name_or_value_is_named(text):
    with pytest.raises(UsageError, match="'vggish\\?relu=true'"):
        hear.load_model(text)


@pytest.mark.parametrize(
    "audio",
    [
        torch.zeros(16000),
        torch.zeros(0, 16000),
        torch.zeros(2, 9, dtype=torch.int16),
        np.zeros((2, 9)),
        [[0.0]],
        "a.wav",
    ],
    ids=repr,
)
def test_audio_of_another_kind_is_refused(audio):
    for function in (hear.get_scene_embeddings, hear.get_timestamp_embeddings):
        with pytest.raises(UsageError, match=r"\(n_sounds, n_samples\)"):
            function(audio, hear.load_model())


def test_sounds_without_samples_are_refused():
    for function in (hear.get_scene_embeddings, hear.get_timestamp_embeddings):
        with pytest.raises(AudioError, match="give samples"):
            function(torch.zeros(2, 0), hear.load_model())


def test_a_tensor_may_need_a_gradient_and_be_of_half_precision():
    audio = noise(1, 1).bfloat16().requires_grad_()
    assert hear.get_scene_embeddings(audio, hear.load_model()).dtype == torch.float32


def test_without_pytorch_it_says_what_to_install():
    code = "import sys; sys.modules['torch'] = None; import sonovec.hear"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr.splitlines()[-1].endswith(
        "MissingExtraError: sonovec.hear needs PyTorch: pip install 'sonovec[torch]'"
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_tensors_on_a_gpu_are_answered_there():
    embeddings, timestamps = hear.get_timestamp_embeddings(noise(2, 1).cuda(), hear.load_model().cuda())
    assert embeddings.is_cuda and timestamps.is_cuda
    assert hear.get_scene_embeddings(noise(2, 1).cuda(), hear.load_model()).is_cuda
