"""From folders to an encoder that is like any other, here and in transformers; killed, it goes on to the same bits."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import sonovec  # noqa: E402
from sonovec.cli.main import run as command_line  # noqa: E402
from sonovec.errors import TrainingError, UsageError  # noqa: E402
from sonovec.learn.tuning.folders import PARTIAL  # noqa: E402
from sonovec.speech.pretraining.plan import Plan  # noqa: E402
from sonovec.speech.pretraining.pretrain import NOTHING_HELD_OUT, pretrain  # noqa: E402
from tests.learn.tuning.kills import killed_and_resumed  # noqa: E402
from tests.speech.pretraining import small  # noqa: E402


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return small.checkpoint(tmp_path_factory.mktemp("checkpoint") / "small")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small.sounds(tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="module")
def made(start, folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "mine"
    return pretrain(folder, place, continue_from=start, plan=small.PLAN)


def test_it_is_an_encoder_here(made, folder):
    sound = folder / "0.wav"
    vector = sonovec.load(made.encoder, precision="f32").embed(sound).vector
    assert vector.shape == (16,) and np.isfinite(vector).all()
    assert not (made.encoder.parent / ("mine" + PARTIAL)).exists()


def test_transformers_opens_it_whole(made):
    _, report = transformers.Wav2Vec2ForPreTraining.from_pretrained(made.encoder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    _, report = transformers.Wav2Vec2Model.from_pretrained(made.encoder, output_loading_info=True)
    assert not report["missing_keys"]
    assert transformers.AutoFeatureExtractor.from_pretrained(made.encoder).sampling_rate == 16000


def test_both_give_the_same_vectors(made, folder):
    samples, _ = soundfile.read(folder / "0.wav", dtype="float32")
    heard = transformers.AutoFeatureExtractor.from_pretrained(made.encoder)(
        samples, sampling_rate=16000, return_tensors="pt"
    )
    with torch.no_grad():
        frames = transformers.Wav2Vec2Model.from_pretrained(made.encoder)(heard.input_values).last_hidden_state
    vector = sonovec.load(made.encoder, precision="f32").embed(folder / "0.wav").vector
    expected = frames[0].mean(0).numpy()
    cosine = vector @ expected / np.linalg.norm(vector) / np.linalg.norm(expected)
    assert cosine > 0.9999


def test_weights_have_moved(made, start):
    before = transformers.Wav2Vec2ForPreTraining.from_pretrained(start).state_dict()
    after = transformers.Wav2Vec2ForPreTraining.from_pretrained(made.encoder).state_dict()
    assert sum(not torch.equal(before[name], after[name]) for name in before) > len(before) / 2


def test_a_checkpoint_without_a_quantiser_gets_one_and_says_so(folder, tmp_path):
    begun = small.checkpoint(tmp_path / "ctc", "Wav2Vec2ForCTC", vocab_size=5)
    result = pretrain(folder, tmp_path / "mine", continue_from=begun, plan=Plan(steps=1, every=1, batch=10.0))
    assert any("has no quantiser" in note for note in result.notes)


def test_one_with_a_quantiser_says_nothing(made):
    assert not any("quantiser" in note for note in made.notes)


@pytest.mark.parametrize("kind", ["HubertModel", "WavLMModel"])
def test_a_checkpoint_of_another_architecture_is_refused(folder, tmp_path, kind):
    begun = small.checkpoint(tmp_path / "other", kind)
    with pytest.raises(UsageError, match=rf"architecture '{kind[:-5].lower()}'.*only 'wav2vec2'"):
        pretrain(folder, tmp_path / "mine", continue_from=begun)
    assert not (tmp_path / ("mine" + PARTIAL)).exists()


def test_one_short_file_is_learned_from_and_nothing_is_held_out(start, tmp_path):
    small.sounds(tmp_path / "one", count=1)
    result = pretrain(tmp_path / "one", tmp_path / "mine", continue_from=start, plan=Plan(steps=2, every=1))
    assert NOTHING_HELD_OUT in result.notes
    assert result.rows[-1]["accuracy"] is None and result.rows[-1]["learned_accuracy"] is not None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"steps": 250}, "steps=250; give a multiple of every=100, such as 200"),
        ({"span": 1}, "span=1; give a whole number from 2 on"),
        ({"mask": 1.0}, "mask=1.0; give a number between 0 and 1"),
        ({"batch": 5.0}, "batch=5.0; give at least longest=10"),
        ({"rate": float("nan")}, "rate=nan; give a number above 0"),
        ({"hottest": 0.1}, "hottest=0.1; give at least coldest=0.5"),
    ],
)
def test_a_bad_setting_is_refused_with_a_good_one(settings, told):
    with pytest.raises(UsageError, match=told):
        Plan(**settings)


@pytest.mark.slow
def test_a_run_that_diverges_names_its_last_good_state(folder, start, tmp_path):
    plan = Plan(steps=8, every=2, batch=10.0, rate=1e30, warmup=0.0, clip=1e30, precision="f32")
    with pytest.raises(TrainingError, match=r"step \d of 8: .* is kept as the encoder (.*latest); to begin anew"):
        pretrain(folder, tmp_path / "mine", continue_from=start, plan=plan)
    kept = tmp_path / ("mine" + PARTIAL) / "latest"
    assert np.isfinite(sonovec.load(kept).embed(folder / "0.wav").vector).all()


def test_the_command_prints_a_table_and_draws(start, folder, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "curves.png"
    code = command_line(
        [
            *("pretrain", str(folder), "-o", str(tmp_path / "mine"), "--continue-from", str(start), "--steps", "4"),
            *("--every", "2", "--batch", "10", "--plot", str(picture)),
        ]
    )
    assert code == 0
    printed = capsys.readouterr().out
    assert "held-out loss" in printed and "encoder: " in printed and "by guessing" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_size_and_checkpoint_are_a_choice(folder, tmp_path, capsys):
    code = command_line(
        ["pretrain", str(folder), "-o", str(tmp_path / "mine"), "--size", "tiny", "--continue-from", "x"]
    )
    assert code == 2 and "give one of them" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_bits(start, folder, tmp_path):
    command = [
        *(sys.executable, "-m", "sonovec", "pretrain", str(folder), "--continue-from", str(start), "--steps", "100"),
        *("--every", "10", "--batch", "10", "--precision", "f32", "--quiet", "-o"),
    ]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    assert killed_and_resumed(command, tmp_path / "killed", latest=0.5)
    whole, killed = (tmp_path / name / "model.safetensors" for name in ("whole", "killed"))
    assert whole.read_bytes() == killed.read_bytes()


@pytest.mark.slow
def test_it_keeps_its_promises_as_an_encoder(made, capsys):
    assert command_line(["models", "check", str(made.encoder), "--quick"]) == 0
    assert "0 breaches" in capsys.readouterr().out
