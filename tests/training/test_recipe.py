"""The recipe of the built-in encoder: its parts, and all of it in small, broken off and resumed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.models.builtin import FRAMES, FRONT_END
from training.augment import Augment
from training.corpus import Clip, Corpus, group, held_out
from training.export import export
from training.lessons import LENGTH, _between
from training.loss import relations
from training.mixing import LENGTH as SAMPLES
from training.mixing import Mixer, even
from training.network import STEPS, Encoder, Windows, mean_of_steps, weights_of_steps
from training.synthesis import KINDS, synthesise

ROOT = Path(__file__).parents[2]


def corpus() -> Corpus:
    """Three recordings: long noise, a short one, and one that is held out."""
    rng = np.random.default_rng(0)
    samples = rng.integers(-9000, 9000, 500_000).astype(np.int16)
    clips = (
        Clip("a/long.opus", "a", 0, 400_000, False),
        Clip("a/short.opus", "a", 400_000, 2_000, False),
        Clip("b/kept.opus", "b", 402_000, 98_000, True),
    )
    return Corpus(samples, clips)


def test_variants_of_a_sound_are_held_out_together() -> None:
    names = [group({"set": "s", "path": "x", "source_name": f"dog_bark_{n}.ogg"}) for n in range(50)]
    assert len(set(names)) == 1
    shares = np.mean([held_out(f"s/sound_{n}") for n in range(3000)])
    assert 0.06 < shares < 0.1


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_a_mix_is_finite_even_and_the_same_for_its_seed(seed: int) -> None:
    mixer = Mixer(corpus())
    mix = mixer.mix(np.random.default_rng(seed))
    assert mix.shape == (SAMPLES,)
    assert mix.dtype == np.float32
    assert np.isfinite(mix).all()
    assert np.abs(mix).max() <= 0.901
    assert np.sqrt(np.mean(mix**2)) <= 0.101
    np.testing.assert_array_equal(mix, mixer.mix(np.random.default_rng(seed)))


def test_mixes_never_hold_what_is_held_out() -> None:
    """A corpus whose held-out recording is the only one that sounds gives silence, but for synthesised sounds."""
    quiet = corpus()
    samples = quiet.samples.copy()
    samples[: quiet.clips[2].start] = 0
    mixer = Mixer(Corpus(samples, quiet.clips))
    mixes = [mixer.mix(np.random.default_rng(seed)) for seed in range(24)]
    silent = [mix for mix in mixes if not mix.any()]
    assert len(silent) > 8


@pytest.mark.parametrize("kind", range(len(KINDS)))
@settings(max_examples=10)
@given(seed=st.integers(0, 1000), length=st.integers(4000, 60_000))
def test_synthesised_sounds_are_finite(kind: int, seed: int, length: int) -> None:
    made = KINDS[kind](np.random.default_rng(seed), length)
    assert made.shape == (length,)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert np.abs(synthesise(np.random.default_rng(seed), length)).max() <= 1.0001


def test_an_even_level_keeps_silence() -> None:
    assert not even(np.zeros(10, np.float32)).any()


def spectrograms(n: int = 4, frames: int = FRAMES) -> torch.Tensor:
    sounds = np.random.default_rng(1).standard_normal((n, frames * FRONT_END.hop_length)).astype(np.float32) / 20
    return torch.from_numpy(FRONT_END(sounds)[:, :frames])


def test_changes_are_bounded_and_leave_what_they_are_given() -> None:
    torch.manual_seed(0)
    given_ = spectrograms(32)
    before = given_.clone()
    changed = Augment(torch.device("cpu"))(given_)
    torch.testing.assert_close(given_, before, rtol=0, atol=0)
    assert changed.shape == given_.shape
    assert torch.isfinite(changed).all()
    assert changed.min() >= FRONT_END.silence - 1e-3
    assert (changed != given_).flatten(1).any(1).float().mean() > 0.7


def test_targets_are_read_at_the_students_own_times() -> None:
    """What grows evenly in time is read exactly, whatever the offset."""
    offsets = np.array([0, 7, 26])
    taught = np.arange(22)[None, :, None] * 0.32 * np.ones((3, 1, 1))
    read = _between(offsets, 22) @ taught.astype(np.float32)
    wanted = (offsets[:, None] + 16 * np.arange(LENGTH // 16)) * 500 / 32000
    np.testing.assert_allclose(read[..., 0], wanted, atol=1e-4)


def test_silence_weighs_nothing_in_a_mean() -> None:
    sound = spectrograms(2)
    sound[:, FRAMES // 2 :] = FRONT_END.silence
    weights = weights_of_steps(sound)
    assert weights[:, : STEPS // 2].eq(1).all()
    assert weights[:, STEPS // 2 :].lt(0.01).all()
    steps = torch.randn(2, STEPS, 8)
    torch.testing.assert_close(mean_of_steps(steps, weights), steps[:, : STEPS // 2].mean(1), atol=0.02, rtol=0)


def test_relations_see_neither_scale_nor_rotation() -> None:
    torch.manual_seed(0)
    vectors = torch.randn(16, 12)
    turned = 3 * vectors @ torch.linalg.qr(torch.randn(12, 12)).Q
    assert float(relations(vectors, turned)) < 1e-10
    assert float(relations(vectors, torch.randn(16, 12))) > 0.01


def test_the_exported_network_is_the_trained_one(tmp_path: Path) -> None:
    import openvino

    torch.manual_seed(0)
    encoder = Encoder().eval()
    sound = spectrograms(3)
    with torch.no_grad():
        wanted = Windows(encoder)(sound).numpy()
    export(encoder, tmp_path / "encoder.onnx")
    run = openvino.Core().compile_model(str(tmp_path / "encoder.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(run(sound.numpy())[0], wanted, atol=2e-3)
    assert (tmp_path / "encoder.onnx").stat().st_size <= 8_000_000


@pytest.mark.slow
def test_all_of_it_in_small_broken_off_and_resumed(shared_data: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    command = [sys.executable, "-m", "training", "training/smoke.yaml", "--data", str(shared_data), "--work", str(work)]
    command += ["--device", "cpu", "--out", str(tmp_path / "encoder.onnx")]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while not (work / "checkpoint.pt").exists():
        assert first.poll() is None, "it ended before its first checkpoint"
        time.sleep(0.05)
    first.kill()
    first.wait()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (work / "log.jsonl").read_text().splitlines()]
    assert sum("config" in line for line in lines) == 1, "the second run began anew"
    losses = [line["loss"] for line in lines if line.get("step") == 12 and "loss" in line]
    assert losses
    assert all(np.isfinite(value) for value in losses[-1].values())
    assert [line["step"] for line in lines if "held_out" in line] == [6, 12]
    assert (work / "curves.png").stat().st_size > 10_000
    assert (tmp_path / "encoder.onnx").stat().st_size <= 8_000_000
