from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from sonovec.evaluation.conformance import breaches, check
from sonovec.models import builtin, registry

RATE = builtin.FRONT_END.rate


@pytest.fixture(scope="module")
def encoder() -> sonovec.Encoder:
    return sonovec.load("default")


def noise(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(round(seconds * rate)).astype(np.float32) / 10


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_default_is_the_built_in_encoder(encoder: sonovec.Encoder) -> None:
    assert encoder.card.name == builtin.NAME == registry.DEFAULT
    assert encoder.passport == sonovec.load(builtin.NAME).passport
    assert not encoder.card.weights, "it needs no download"
    assert not encoder.card.extras, "it needs no extra"


def test_ten_seconds_give_one_vector_and_one_for_each_window(encoder: sonovec.Encoder) -> None:
    e = encoder.embed((noise(10), RATE))
    assert e.vector.shape == (512,)
    assert e.windows.shape == (5, 512)
    assert e.scores.shape == (5, 527)
    np.testing.assert_array_equal(e.times, [[0, 2], [2, 4], [4, 6], [6, 8], [8, 10]])


def test_the_file_is_small_and_holds_halves() -> None:
    onnx = pytest.importorskip("onnx")
    assert builtin.FILE.stat().st_size <= 8_000_000
    weights = onnx.load(builtin.FILE).graph.initializer
    large = [weight for weight in weights if np.prod(weight.dims) > 2000]
    assert large
    assert all(weight.data_type == onnx.TensorProto.FLOAT16 for weight in large)


@pytest.mark.slow
def test_conforms() -> None:
    assert breaches(check(partial(sonovec.load, "default"), quick=True)) == []


@settings(max_examples=20)
@given(seconds=st.floats(0.0001, 7), seed=st.integers(0, 9))
def test_any_length_gives_a_finite_vector(encoder: sonovec.Encoder, seconds: float, seed: int) -> None:
    samples = noise(seconds, seed)[: round(seconds * RATE)]
    e = encoder.embed((samples if len(samples) else np.zeros(1, np.float32), RATE))
    assert np.isfinite(e.vector).all()
    assert np.linalg.norm(e.vector) > 0


@pytest.mark.parametrize("silence", [0.3, 1.0, 4.0])
def test_digital_silence_after_a_sound_hardly_moves_its_vector(encoder: sonovec.Encoder, silence: float) -> None:
    sound = noise(1.5)
    padded = np.concatenate([sound, np.zeros(round(silence * RATE), np.float32)])
    assert cosine(encoder.embed((sound, RATE)).vector, encoder.embed((padded, RATE)).vector) > 0.99


def test_silence_alone_is_marked_and_has_a_vector(encoder: sonovec.Encoder) -> None:
    e = encoder.embed((np.zeros(3 * RATE, np.float32), RATE))
    assert e.silent.all()
    assert np.linalg.norm(e.vector) > 0


#: Tags that are right, and the least share of the clips in which one of them is among the first three. Steady noises are
#: taken for each other, so rain is the hardest (its teacher mn04: 0.83).
HEARD = {
    "001 - Dog bark": ({"Dog", "Bark", "Bow-wow", "Yip", "Domestic animals, pets", "Animal"}, 0.8),
    "002 - Rain": ({"Rain", "Rain on surface", "Raindrop"}, 0.65),
    "004 - Baby cry": ({"Baby cry, infant cry", "Crying, sobbing"}, 0.8),
}


@pytest.mark.slow
@pytest.mark.parametrize("folder", HEARD)
def test_hears_a_dog_rain_and_a_baby(encoder: sonovec.Encoder, shared_data: Path, folder: str) -> None:
    right, least = HEARD[folder]
    clips = sorted((shared_data / "esc10" / folder).glob("*.ogg"))
    heard = [{name for name, _ in result.top_tags(3)} for result in encoder.embed_many(clips)]
    assert len(heard) == 40
    assert np.mean([bool(right & names) for names in heard]) >= least, heard


def test_hears_speech_over_the_telephone(encoder: sonovec.Encoder, shared_data: Path) -> None:
    """Digits at 8 kHz: nothing above 4 kHz is there."""
    clips = sorted((shared_data / "fsdd").glob("*.flac"))[::150]
    heard = [{name for name, _ in result.top_tags()[:5]} for result in encoder.embed_many(clips)]
    assert np.mean([bool({"Speech", "Male speech, man speaking"} & names) for names in heard]) >= 0.8, heard
