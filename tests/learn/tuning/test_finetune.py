"""Fine-tuning from the command line to an encoder that is like any other; killed, it goes on to the same bits."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec.cli.main import run
from sonovec.errors import PassportError, TrainingError, UsageError
from sonovec.learn.detector import Detector
from sonovec.learn.tuning.finetune import DETECTOR, finetune
from sonovec.learn.tuning.folders import LAST_GOOD, PARTIAL
from sonovec.learn.tuning.plan import Plan
from sonovec.models import scratch
from tests.learn.tuning import sounds
from tests.learn.tuning.kills import killed_and_resumed
from tests.models import tiny

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes and background."""
    return sounds.write(tmp_path_factory.mktemp("sounds") / "sounds", per_class=5)


def state(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "network.pt", weights_only=True)


def same(one: Path, other: Path) -> bool:
    a, b = state(one), state(other)
    heads = [Detector.load(each / DETECTOR).head.arrays() for each in (one, other)]
    return all(torch.equal(a[name], b[name]) for name in a | b) and all(
        np.array_equal(heads[0][name], heads[1][name]) for name in heads[0]
    )


@pytest.mark.slow
def test_the_result_is_an_encoder_like_any_other(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path / "sounds")
    command = "finetune sounds -o mine --epochs 3 --batch 6 --rate 0.001 --plot curves.png --json --quiet"
    assert run(command.split()) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["base"] == "sonovec-1" and told["classes"] == ["high", "low"] and len(told["epochs"]) == 4
    assert 0 < told["trained_weights"] < told["all_weights"] and told["layers"][-1] == "encoder.vector"
    assert told["stretches"] + told["held_out"] == 15
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG") and not Path("mine" + PARTIAL).exists()
    encoder = sonovec.load("mine")
    base = sonovec.load("default")
    assert encoder.card.name == "mine" and encoder.passport.weights != base.passport.weights
    detector = Detector.load(Path("mine", DETECTOR))
    assert detector.classes == ("high", "low")
    detector.check(encoder.passport)
    with pytest.raises(PassportError):
        detector.check(base.passport)
    for row, name in enumerate(detector.classes):
        found = detector.probabilities(encoder.embed(folder / name / "0.wav").windows)
        assert (found.argmax(1) == row).all()
    # By its folder, everywhere.
    assert run(["index", "sounds", "-l", "library", "-m", "mine", "--quiet"]) == 0
    assert run(["search", "sounds/low/0.wav", "-l", "library", "--quiet"]) == 0
    assert run(["models", "check", "mine", "--quick"]) == 0, capsys.readouterr()
    assert run(["detect", "sounds/low/0.wav", "-d", f"mine/{DETECTOR}", "--quiet"]) == 0
    assert "low" in capsys.readouterr().out
    # It can be trained on, and is not written over.
    assert run(["finetune", "sounds", "-o", "mine"]) == 2
    assert "is there and not empty; give a new folder" in capsys.readouterr().err
    again = "finetune sounds -o again -m mine --epochs 1 --from-layer encoder.vector --quiet"
    assert run(again.split()) == 0
    # The detector finds the encoder that it lies in.
    Path("mine").rename("moved")
    capsys.readouterr()
    assert run(["detect", "sounds/low/0.wav", "-d", f"moved/{DETECTOR}", "--quiet"]) == 0
    assert "low" in capsys.readouterr().out
    changed = {name for name, each in state(Path("again")).items() if not torch.equal(each, state(Path("moved"))[name])}
    assert changed <= {"encoder.vector.weight", "encoder.vector.bias"}


@pytest.mark.slow
def test_a_transformer_is_trained(folder, tmp_path):
    base = sonovec.load(str(tiny.waveform("wav2vec2-layer", tmp_path / "base")))
    plan = Plan(layers="network.encoder.layers.1", epochs=2, batch=6, rate=1e-3, layer_decay=0.5)
    result = finetune(folder, tmp_path / "mine", base, plan=plan)
    assert result.layers == ("network.encoder.layers.1", "network.encoder.layers.2", "network.encoder.layer_norm")
    tuned = sonovec.load(tmp_path / "mine", precision="f32")
    assert tuned.card.name == "mine"
    assert np.isfinite(tuned.embed(folder / "low" / "0.wav").vector).all()
    before = base.module().state_dict()
    after = state(tmp_path / "mine") if result.best else before
    moved = {
        name.split(".")[3] for name in before if "encoder.layers" in name and not torch.equal(before[name], after[name])
    }
    assert moved <= {"1", "2"}


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_bits(folder, tmp_path):
    command = [
        *(sys.executable, "-m", "sonovec", "finetune", str(folder), "--epochs", "6", "--batch", "3", "--rate", "0.001"),
        *("--precision", "f32", "--quiet", "-o"),
    ]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    killed_and_resumed(command, tmp_path / "killed")
    assert same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
def test_a_network_with_random_weights_is_trained_and_saved(folder, tmp_path):
    plan = Plan(epochs=2, batch=6, rate=1e-3, layer_decay=1.0, precision="f32")
    result = finetune(folder, tmp_path / "mine", "panns-mobilenetv1", plan=plan, from_scratch=True)
    assert result.base == "panns-mobilenetv1" and len(result.layers) == 16
    encoder = sonovec.load(tmp_path / "mine", precision="f32")
    assert encoder.card.name == "mine" and np.isfinite(encoder.embed(folder / "low" / "0.wav").vector).all()
    if result.best:  # its normalisations have learned what goes through them
        assert state(tmp_path / "mine")["bn0.running_mean"].any()


@pytest.mark.slow
def test_a_run_that_diverges_leaves_its_last_good_state_as_an_encoder(folder, tmp_path):
    plan = Plan(epochs=2, batch=3, rate=1e18, head_rate=1e18, layer_decay=1.0)
    with pytest.raises(
        TrainingError, match=r"step \d+ of \d+: .*of epoch 0, is kept as the encoder .*last-good; give a lower rate"
    ):
        finetune(folder, tmp_path / "mine", plan=plan)
    assert not (tmp_path / "mine").exists()
    good = sonovec.load(tmp_path / ("mine" + PARTIAL) / LAST_GOOD)
    assert np.isfinite(good.embed(folder / "low" / "0.wav").vector).all()


def test_random_weights_are_the_same_for_a_seed_and_keep_the_power_of_what_goes_through(tmp_path):
    files = [scratch.write("panns-mobilenetv1", tmp_path / str(n), seed) for n, seed in enumerate((0, 0, 1))]
    one, same_seed, other = (torch.load(file, weights_only=True) for file in files)
    assert files[0].read_bytes() == files[1].read_bytes(), "a run that goes on knows its encoder by them"
    assert all(torch.equal(one[name], same_seed[name]) for name in one)
    assert not torch.equal(one["fc1.weight"], other["fc1.weight"])
    assert float(one["fc1.weight"].std()) == pytest.approx((2 / one["fc1.weight"].shape[1]) ** 0.5, rel=0.02)
    encoder = sonovec.load("panns-mobilenetv1", weights=files[0], precision="f32")
    vector = encoder.embed((tiny.sound(1.0, 32000), 32000)).vector
    assert np.isfinite(vector).all() and vector.any()


def test_what_cannot_begin_so_is_told(tmp_path):
    with pytest.raises(UsageError, match="'default' cannot begin from random weights; these can: panns-.*vggish"):
        scratch.write("default", tmp_path)
    with pytest.raises(UsageError, match="from_scratch=True takes the name of a model"):
        finetune(tmp_path, tmp_path / "out", sonovec.load("default"), from_scratch=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--whole --head-only", "three choices; give one"),
        ("--epochs 0", "epochs=0; give a whole number from 1 on"),
        ("--rate -1", "rate=-1.0; give a number above 0"),
        ("--plot curves.jpg", "a picture is written as PNG"),
        ("-m logmel", "'logmel' has no network"),
        ("--from-scratch --weights x", "leave --weights and --option out"),
        ("--from-layer nothing", "has no such layer; give a number from -8 to 7, or one of: encoder.trunk.0"),
    ],
)
def test_what_is_wrong_is_told(folder, tmp_path, words, told, capsys):
    assert run(["finetune", str(folder), "-o", str(tmp_path / "out"), *words.split()]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("module", "name"), [("torch", "PyTorch"), ("sklearn", "scikit-learn")])
def test_a_missing_package_is_named_before_anything_is_heard(tmp_path, monkeypatch, capsys, module, name):
    monkeypatch.setitem(sys.modules, module, None)
    assert run(["finetune", str(tmp_path), "-o", str(tmp_path / "mine")]) == 2
    assert f"fine-tuning needs {name}: pip install 'sonovec[torch,learn]'" in capsys.readouterr().err
