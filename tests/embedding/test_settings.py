"""What `load` refuses at once, and what it says that a value would lose."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

import sonovec
from sonovec.embedding.encoder import load_with, settings_of
from sonovec.errors import UsageError
from sonovec.models import custom, registry
from sonovec.runtime.openvino_core import cpu_has_bf16


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"precision": "f16"}, "precision='f16' is unknown; give one of: auto, f32, bf16, int8"),
        ({"precision": None}, "precision=None is unknown"),
        ({"precision": "bf16"}, "card does not allow it.*give precision='f32'"),
        ({"precision": "int8"}, "not quantised yet; run: sonovec models quantize"),
        ({"precision": "int8-12345678"}, "not quantised yet"),
        ({"device": "tpu"}, "device='tpu' is unknown; give one of: auto, cpu, cuda"),
        ({"hop": 3}, "1 of every 3 s of sound would not be heard; give a hop of at most 2"),
        ({"hop": 2.001}, "would not be heard"),
        ({"hop": float("nan")}, "hop=nan"),
        ({"hop": float("inf")}, "hop=inf"),
        ({"hop": "0.5"}, "hop='0.5'"),
        ({"hop": True}, "hop=True"),
        ({"hop": -1}, "hop=-1"),
        ({"tail": "cut"}, "tail='cut'"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_is_refused_when_the_encoder_is_loaded(settings, says):
    with pytest.raises(UsageError, match=says):
        sonovec.load("default", **settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"precision": "bf16"}, "has no network and computes in float32; leave precision out"),
        ({"precision": "int8"}, "leave precision out"),
        ({"device": "cuda"}, "no network that could run there"),
    ],
    ids=str,
)
def test_a_model_without_a_network_does_not_take_what_would_have_no_effect(settings, says):
    with pytest.raises(UsageError, match=says):
        sonovec.load("logmel", **settings)
    assert sonovec.load("logmel", precision="f32", device="cpu").passport.precision == "f32"


def test_a_device_without_cuda_is_refused_at_once():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        assert sonovec.load("default", device="cuda").network.device == "cuda"
        return
    with pytest.raises(UsageError, match="device='cuda': PyTorch finds no CUDA device here; give device='cpu'"):
        sonovec.load("default", device="cuda")


@pytest.mark.slow
def test_a_precision_that_the_card_allows_is_taken_where_the_processor_has_it(vggish_weights):
    if cpu_has_bf16():
        assert (
            sonovec.load("vggish", weights=vggish_weights, precision="bf16", device="cpu").settings.precision == "bf16"
        )
        return
    with pytest.raises(UsageError, match="this processor has no bf16"):
        sonovec.load("vggish", weights=vggish_weights, precision="bf16", device="cpu")


def test_nothing_is_opened_to_find_out():
    assert not sonovec.load("default", precision="f32")._networks


@pytest.mark.parametrize("hop", [2, np.float32(0.5), 1 / 32_000])
def test_a_hop_up_to_the_window_is_taken(hop):
    assert sonovec.load("default", hop=hop).window.hop == round(hop * 32_000)


def test_a_card_of_ones_own_is_held_to_it(tmp_path, monkeypatch):
    model = registry.build("logmel", {})
    gap = replace(model, window=replace(model.window, hop=2 * model.window.length))
    monkeypatch.setattr(registry, "build", lambda *arguments: gap)
    with pytest.raises(UsageError, match="1 of every 2 s of sound would not be heard"):
        sonovec.load("logmel")
    assert custom.FIELDS["hop"], "a card can say so"


def test_what_a_library_of_a_former_version_was_made_with_still_loads():
    encoder = load_with("logmel", settings_of(hop=2.5))
    e = encoder.embed((np.ones(16_000 * 4, np.float32) / 10, 16_000))
    assert e.times[:, 0].tolist() == [0.0, 2.5]
    assert pickle.loads(pickle.dumps(encoder)).window.hop == encoder.window.hop


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "10", True])
def test_parts_have_a_length(seconds):
    e = sonovec.load("logmel").embed((np.ones(16_000, np.float32) / 10, 16_000))
    with pytest.raises(UsageError, match="is not a length; give seconds above 0"):
        e.parts(seconds)


@pytest.mark.parametrize("limit", [0, -1])
def test_tags_are_at_least_one(limit):
    e = sonovec.load("logmel").embed((np.ones(16_000, np.float32) / 10, 16_000))
    with pytest.raises(UsageError, match=f"limit={limit}"):
        e.top_tags(limit)
