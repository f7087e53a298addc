"""The probabilities of speech are those of the reference runtime, however the sound comes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.audio.stream import load
from sonovec.cleaning import silero
from sonovec.cleaning.silero import CONTEXT, HOP, Listener
from sonovec.errors import MissingExtraError

SOUND = np.random.default_rng(0).standard_normal(50_001).astype(np.float32) / 10


def heard(sound, cuts=()):
    listener = Listener()
    parts = [listener.push(part) for part in np.split(sound, sorted(cuts))]
    return np.concatenate([*parts, listener.finish()])


def of_onnxruntime(sound):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(silero.file()), providers=["CPUExecutionProvider"])
    whole = np.pad(sound, (CONTEXT, -len(sound) % HOP))
    blocks = np.lib.stride_tricks.sliding_window_view(whole, CONTEXT + HOP)[::HOP]
    state = np.zeros((1, 1, 128), np.float32)
    return session.run(None, {"input": np.ascontiguousarray(blocks), "h": state, "c": state})[0]


def test_probabilities_are_those_of_the_reference():
    np.testing.assert_allclose(heard(SOUND), of_onnxruntime(SOUND), atol=1e-4)


def test_probabilities_of_speech_are_those_of_the_reference(shared_data):
    speech = load(shared_data / "music" / "198-209-0000.ogg", 16000).samples
    found = heard(speech)
    np.testing.assert_allclose(found, of_onnxruntime(speech), atol=1e-4)
    assert np.mean(found > 0.5) > 0.7


@given(st.lists(st.integers(0, len(SOUND)), max_size=8))
def test_blocks_of_any_size_give_the_same_bits(cuts):
    assert np.array_equal(heard(SOUND, cuts), heard(SOUND))


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 32 * 512])
def test_each_block_that_has_begun_has_a_probability(length):
    assert len(heard(SOUND[:length])) == -(-length // HOP)


def test_the_package_that_brings_the_network_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sonovec\[speech\]'"):
        silero.file()
