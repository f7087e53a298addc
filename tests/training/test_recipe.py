"""The recipe of the built-in encoder: its parts, and all of it in small, broken off and resumed."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.augment.spectrogram import Augment
from sonovec.models.builtin import FRAMES, FRONT_END
from sonovec.models.networks.sonovec_1 import STEPS, Encoder, Windows, mean_of_steps, weights_of_steps
from sonovec.runtime.openvino_core import core
from training.config import Config
from training.corpus import Clip, Corpus, group, held_out
from training.export import export
from training.lessons import LENGTH, _between
from training.loss import relations
from training.mixes import shard_file, start_workers, wait
from training.mixing import LENGTH as SAMPLES
from training.mixing import Mixer, even
from training.muon import Muon, orthogonal
from training.start import load
from training.synthesis import KINDS, synthesise
from training.train import share

pytestmark = pytest.mark.slow

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
    changed = Augment(FRONT_END, torch.device("cpu"))(given_)
    torch.testing.assert_close(given_, before, rtol=0, atol=0)
    assert changed.shape == given_.shape
    assert torch.isfinite(changed).all()
    assert changed.min() >= FRONT_END.silence - 1e-3
    assert (changed != given_).flatten(1).any(1).float().mean() > 0.7


@pytest.mark.parametrize("n", [1, 2, 3])
def test_changes_may_befall_none_of_a_few(n: int) -> None:
    change = Augment(FRONT_END, torch.device("cpu"))
    for seed in range(20):
        torch.manual_seed(seed)
        assert torch.isfinite(change(spectrograms(n))).all()


def test_a_room_sounds_on_but_not_before() -> None:
    torch.manual_seed(0)
    power = torch.zeros(8, FRAMES, FRONT_END.n_mels)
    power[:, 50] = 1e4
    heard = Augment(FRONT_END, torch.device("cpu"))._in_room(power)
    assert heard[:, :50].max() < 1e-6
    torch.testing.assert_close(heard[:, 50], power[:, 50])
    tail = heard[:, 51:, 0]
    assert (tail[:, 0] > 1).all()
    assert (tail[:, 1:] <= tail[:, :-1] * 1.001 + 1e-6).all(), "it dies away"


def test_a_coder_leaves_the_loudest_as_it_is() -> None:
    torch.manual_seed(0)
    power = torch.rand(8, FRAMES, FRONT_END.n_mels) ** 8
    coded = Augment(FRONT_END, torch.device("cpu"))._coded(power)
    torch.testing.assert_close(coded.amax(2), power.amax(2))
    assert ((coded == power) | (coded == 0)).all()
    assert 0.05 < (coded == 0).float().mean() < 0.95


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


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16)])
def test_orthogonal_keeps_directions_and_evens_sizes(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    made = orthogonal(matrix)
    assert made.shape == matrix.shape
    assert torch.linalg.svdvals(made).min() > 0.6
    assert torch.linalg.svdvals(made).max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inner = left.T @ made @ right.T
    torch.testing.assert_close(inner, torch.diag(torch.diagonal(inner)), atol=0.05, rtol=0)


def test_muon_learns_and_goes_on_where_it_was() -> None:
    torch.manual_seed(0)
    wanted, weight = torch.randn(4, 3, 3, 3) / 3, torch.nn.Parameter(torch.zeros(4, 3, 3, 3))
    muon = Muon([weight], lr=0.02)

    def step() -> float:
        loss = ((weight - wanted) ** 2).sum()
        weight.grad = torch.autograd.grad(loss, weight)[0]
        muon.step()
        return float(loss.detach())

    losses = [step() for _ in range(150)]
    assert losses[-1] < 0.05 * losses[0]
    kept = weight.detach().clone()
    state = copy.deepcopy(muon.state_dict())
    step()
    after = weight.detach().clone()
    with torch.no_grad():
        weight.copy_(kept)
    muon = Muon([weight], lr=0.5)
    muon.load_state_dict(state)
    step()
    torch.testing.assert_close(weight.detach(), after)


def test_learning_rates_rise_stay_and_fall() -> None:
    config = Config(steps=100, warmup=10, cooldown=40)
    assert [share(config, step) for step in (0, 4, 9, 30, 60, 80, 100)] == [0.1, 0.5, 1, 1, 1, 0.5, 0]
    longer = Config(steps=500, warmup=10, cooldown=40)
    assert all(share(config, step) == share(longer, step) for step in range(61)), "a run can be made longer"


def test_a_run_begins_where_an_exported_encoder_stands(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first, second, sound = Encoder(), Encoder(), spectrograms(6)
    first(sound + torch.randn_like(sound))  # so that normalisations have statistics of their own
    for module in first.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias)
    export(first, tmp_path / "first.onnx")
    load(second.train(), tmp_path / "first.onnx", sound)
    assert second.training
    with torch.no_grad():
        wanted, given_ = Windows(first.eval())(sound), Windows(second.eval())(sound)
        again = Windows(second.train())(sound)
    # Weights were rounded to float16.
    torch.testing.assert_close(given_, wanted, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(again, wanted, atol=2e-2, rtol=2e-2, msg="statistics are those of the sound")


def test_the_exported_network_is_the_trained_one(tmp_path: Path) -> None:

    torch.manual_seed(0)
    encoder = Encoder().eval()
    sound = spectrograms(3)
    with torch.no_grad():
        wanted = Windows(encoder)(sound).numpy()
    export(encoder, tmp_path / "encoder.onnx")
    run = core().compile_model(str(tmp_path / "encoder.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(run(sound.numpy())[0], wanted, atol=2e-3)
    assert (tmp_path / "encoder.onnx").stat().st_size <= 8_000_000


def test_mixes_that_nobody_makes_are_not_waited_for(tmp_path: Path) -> None:
    makers = start_workers(tmp_path, tmp_path, seed=0, shards=1, workers=1)  # there are no recordings
    with pytest.raises(RuntimeError, match="the processes that make mixes have ended"):
        wait(shard_file(tmp_path, 0, 0))
    assert makers[0].exitcode == 1


@pytest.mark.slow
def test_all_of_it_in_small_broken_off_and_resumed(shared_data: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    after = tmp_path / "after.yaml"
    after.write_text((ROOT / "training" / "smoke.yaml").read_text() + "start: smoke\n")
    command = [sys.executable, "-m", "training", "training/smoke.yaml", str(after), "--device", "cpu"]
    command += ["--data", str(shared_data), "--work", str(work), "--out", str(tmp_path / "encoder.onnx")]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while not (work / "smoke" / "checkpoint.pt").exists():
        assert first.poll() is None, "it ended before its first checkpoint"
        time.sleep(0.05)
    makers = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()
    _, left = psutil.wait_procs(makers, timeout=60)
    assert not left, "makers of mixes outlive what they work for"
    with (work / "smoke" / "log.jsonl").open("a") as log:
        log.write('{"step": 8, "loss": {}}\n{"ste')
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    lines, more = (
        [json.loads(line) for line in (work / run / "log.jsonl").read_text().splitlines()] for run in ("smoke", "after")
    )
    assert sum("config" in line for line in lines) == 1, "the second run began anew"
    steps = [line["step"] for line in lines if "loss" in line]
    assert steps == sorted(set(steps)), "what was done again stands twice"
    losses = [line["loss"] for line in lines if line.get("step") == 12 and "loss" in line]
    assert losses
    assert all(np.isfinite(value) for value in losses[-1].values())
    assert [line["step"] for line in lines if "held_out" in line] == [6, 12]
    before, then = (each[-1]["held_out"]["cosine"] for each in (lines, more))
    assert then > before, "the second run does not go on where the first ended"
    assert (work / "after" / "curves.png").stat().st_size > 10_000
    assert (tmp_path / "encoder.onnx").read_bytes() == (work / "after" / "encoder.onnx").read_bytes()
    assert (tmp_path / "encoder.onnx").stat().st_size <= 8_000_000
