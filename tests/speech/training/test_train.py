"""From recordings to a recogniser that is like any other; killed, it goes on to the same bits; what is odd is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run
from sonovec.errors import TrainingError, UsageError
from sonovec.learn.tuning.folders import LAST_GOOD, PARTIAL
from sonovec.speech.training.plan import Plan
from sonovec.speech.training.train import train
from tests.learn.tuning.kills import killed_and_resumed
from tests.models import tiny
from tests.speech.training import spoken

pytest.importorskip("jiwer")
pytest.importorskip("transformers")
pytest.importorskip("torch")
import transformers
from safetensors.torch import load_file

#: Settings with which the words of `spoken` are learned in seconds.
QUICK = Plan(epochs=1, batch=8, rate=2e-3, head_rate=5e-3, dropout=0.0, mask=0.0, front_end="trained", precision="f32")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return spoken.write(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.waveform("wav2vec2-layer", tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def trained(words, base, tmp_path_factory):
    """A recogniser after one epoch, with what is known of it."""
    return train(words, tmp_path_factory.mktemp("trained") / "mine", str(base), plan=QUICK, test=None)


def weights(folder: Path):
    return load_file(folder / "model.safetensors")


@pytest.mark.slow
def test_the_result_is_a_folder_that_transformers_opens_and_decodes_the_same(trained, words):
    folder = trained.recogniser
    assert not folder.with_name("mine" + PARTIAL).exists()
    assert trained.utterances + trained.held_out == 24 and len(trained.held_out_groups) >= 1
    assert json.loads((folder / "finetune.json").read_text()) == json.loads(json.dumps(trained.to_json()))
    assert trained.vocabulary == ("<pad>", "<s>", "</s>", "<unk>", "|", "a", "b", "c", "d")
    network = transformers.AutoModelForCTC.from_pretrained(folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    recogniser = sonovec.speech.load(str(folder), precision="f32")
    for number in range(4):
        samples, rate = soundfile.read(words.parent / f"{number:02}.wav", dtype="float32")
        logits = network(processor(samples, sampling_rate=rate, return_tensors="pt").input_values).logits
        theirs = processor.batch_decode(logits.argmax(-1))[0]
        [segments] = recogniser.hear([samples])
        assert " ".join(segment.text for segment in segments) == theirs
    # An encoder by its folder, like any other.
    assert np.isfinite(sonovec.load(str(folder), precision="f32").embed(words.parent / "00.wav").vector).all()


@pytest.mark.slow
def test_it_goes_on_from_its_own_head(trained, words, tmp_path):
    again = train(words, tmp_path / "again", str(trained.recogniser), plan=QUICK)
    assert again.base == "mine" and again.vocabulary == trained.vocabulary
    assert again.epochs[0]["held_out"] == trained.epochs[trained.best]["held_out"]
    # A vocabulary that is not that of its head.
    (tmp_path / "vocab.json").write_text(json.dumps({"<pad>": 0, "|": 1, "d": 2, "c": 3, "b": 4, "a": 5}))
    other = train(words, tmp_path / "other", str(trained.recogniser), plan=QUICK, vocabulary=tmp_path / "vocab.json")
    assert "mine writes with 9 tokens, and the vocabulary is another one, of 6: its head is made anew" in other.notes


def test_what_is_odd_is_counted_and_nothing_is_lost(words, base, tmp_path):
    folder = tmp_path / "words"
    shutil.copytree(words.parent, folder)
    soundfile.write(folder / "short.wav", np.zeros(200, np.float32), 16000)
    (folder / "damaged.wav").write_bytes(b"RIFF0000WAVE")
    soundfile.write(folder / "none.wav", np.zeros(0, np.float32), 16000)
    with (folder / "list.csv").open("a") as file:
        file.write("short.wav,a,s1\ndamaged.wav,ab,s2\nnone.wav,a,s2\n00.wav,...,s3\n01.wav,,s1\ngone.wav,a,s1\n")
        file.write(f"02.wav,{'abab' * 20},speaker-2\n03.wav,abz,speaker-3\n")
    (tmp_path / "vocab.json").write_text(json.dumps({"<pad>": 0, "|": 1, "a": 2, "b": 3, "c": 4, "d": 5}))
    plan = replace(QUICK, held_out=0.2, seed=1)
    result = train(folder, tmp_path / "mine", str(base), plan=plan, vocabulary=tmp_path / "vocab.json")
    notes = "\n".join(result.notes)
    for told in (
        "1 transcript empty, left out",
        "1 recording not there, left out",
        "1 transcript without a letter or figure, left out",
        "2 recordings not read, left out",
        "with more characters than the sound has frames for, whose loss would be infinite, not trained on",
        "1 transcript with characters that the vocabulary lacks, left out ('z' 1)",
    ):
        assert told in notes, notes
    assert result.held_out >= 2 and len(result.vocabulary) == 6


def test_what_cannot_be_trained_is_told(words, base, trained, tmp_path):
    with pytest.raises(UsageError, match="give one of two"):
        train(words, tmp_path / "mine", None)
    with pytest.raises(UsageError, match="cannot be trained to write; give the folder or the hub id"):
        train(words, tmp_path / "mine", "vggish")
    with pytest.raises(UsageError, match="size='huge' is unknown; give one of: tiny"):
        train(words, tmp_path / "mine", size="huge")
    with pytest.raises(UsageError, match="is there and not empty; give a new folder"):
        train(words, trained.recogniser, str(base))
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(words.parent / "00.wav", one)
    (one / "00.txt").write_text("ab")
    with pytest.raises(UsageError, match="1 utterance in 1 recording: nothing can be held out"):
        train(one, tmp_path / "mine", str(base))
    with pytest.raises(UsageError, match="1 recording to be tested on are among those to be trained on|1 recording"):
        train(words, tmp_path / "mine", str(base), test=_list(words, tmp_path))
    (tmp_path / "vocab.json").write_text(json.dumps({"<pad>": 0, "|": 1, "x": 2}))
    with pytest.raises(UsageError, match=r"nothing is left to train on: .*characters that the vocabulary lacks"):
        train(words, tmp_path / "mine", str(base), vocabulary=tmp_path / "vocab.json")
    assert not (tmp_path / "mine").exists() and not (tmp_path / ("mine" + PARTIAL)).exists()


def _list(words: Path, place: Path) -> Path:
    """A table of one recording of the words."""
    (place / "test.csv").write_text(f"path,text\n{words.parent / '00.wav'},a\n")
    return place / "test.csv"


@pytest.mark.slow
def test_a_recogniser_that_writes_nothing_says_so(words, base, tmp_path):
    # One letter in as many frames as there are: blanks are nearly always right.
    lines = [f"{words.parent / f'{number:02}.wav'},a" for number in range(24)]
    (tmp_path / "list.csv").write_text("\n".join(["path,text", *lines]))
    result = train(tmp_path / "list.csv", tmp_path / "mine", str(base), plan=replace(QUICK, epochs=3))
    last = result.epochs[-1]["held_out"]
    assert last["silent"] == 1 and last["wer"] == 1 and last["cer"] == 1
    assert result.notes[-1].startswith("it writes nothing: after 3 epochs there are only blanks in all 2 utterances")


def test_a_run_that_diverges_leaves_its_last_good_state(words, base, tmp_path):
    plan = replace(QUICK, rate=1e18, head_rate=1e18, epochs=3)
    with pytest.raises(
        TrainingError, match=r"step \d+ of \d+: .*of epoch 0, is kept as the recogniser .*last-good; give a lower rate"
    ):
        train(words, tmp_path / "mine", str(base), plan=plan)
    folder = tmp_path / ("mine" + PARTIAL) / LAST_GOOD
    assert all(bool(each.isfinite().all()) for each in weights(folder).values())
    transformers.AutoModelForCTC.from_pretrained(folder)


@pytest.mark.slow
def test_words_are_learned_from_random_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    spoken.write(tmp_path / "words", count=60)
    spoken.write(tmp_path / "others", count=12, seed=1)
    base = tiny.waveform("wav2vec2-layer", tmp_path / "base")
    command = (
        f"finetune words -o mine --task ctc -m {base} --test others --front-end trained --epochs 30 --batch 6 --rate 0.002 "
        "--mask 0 --dropout 0 --head-first 0 --patience 30 --plot curves.png --quiet"
    )
    assert run([*command.split(), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["test_scores"]["cer"]["value"] < 0.1, told["epochs"]
    assert told["best"] > 0 and Path("curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_bits(words, tmp_path):
    command = [
        *(sys.executable, "-m", "sonovec", "finetune", str(words), "--task", "ctc", "--from-scratch", "--epochs", "3"),
        *("--batch", "4", "--mask", "0.2", "--augment", "0.3", "--dropout", "0.1", "--quiet", "-o"),
    ]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    killed_and_resumed(command, tmp_path / "killed")
    whole, killed = (weights(tmp_path / name) for name in ("whole", "killed"))
    assert whole.keys() == killed.keys() and all(bool((whole[name] == killed[name]).all()) for name in whole)


def test_the_command_refuses_options_of_the_other_task(words, tmp_path, capsys):
    for options, told in (
        ("--task ctc --from-scratch --head-only", "--head-only serves --task classes, and the task is ctc"),
        ("--size tiny", "--size serves --task ctc, and the task is classes"),
        ("--task ctc", "give what to begin from"),
        ("--task ctc --from-scratch -m x", "give what to begin from"),
        ("--task ctc --from-scratch --mask 2", "mask=2.0; give a number from 0 to 0.9"),
    ):
        assert run(["finetune", str(words), "-o", str(tmp_path / "mine"), *options.split()]) == 2
        assert told in capsys.readouterr().err
