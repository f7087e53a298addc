"""``sonovec models``: what there is, what is kept of it on this machine, and how it goes away again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec.cli.main import run
from sonovec.models import registry, storage
from tests.models import tiny


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SONOVEC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "weights").mkdir(parents=True)
    return tmp_path / "cache"


@pytest.fixture
def yamnet(cache, shared_data):
    return Path(shutil.copy(shared_data / "weights" / "yamnet.tflite", cache / "weights"))


def told(capsys, *arguments, code=0):
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_the_list_has_every_card_and_what_is_here(cache, yamnet, capsys):
    for command in (["models"], ["models", "list"]):
        listed = {model["name"]: model for model in told(capsys, *command)["models"]}
        assert set(listed) == {card.name for card in registry.cards()}
        assert listed["yamnet"]["bytes_here"] == yamnet.stat().st_size and listed["vggish"]["bytes_here"] == 0
    assert run(["models"]) == 0
    assert "4.1" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("yamnet"))


def test_fetch_converts_and_remove_leaves_nothing(cache, yamnet, capsys):
    [fetched] = told(capsys, "models", "fetch", "yamnet")["fetched"]
    assert fetched["path"].endswith("yamnet.tflite") and fetched["bytes_here"] > yamnet.stat().st_size
    assert [folder.name.split("-")[0] for folder in (cache / "graphs").iterdir()] == ["yamnet"]
    [removed] = told(capsys, "models", "remove", "yamnet")["removed"]
    assert removed["bytes"] == fetched["bytes_here"]
    assert not list((cache / "graphs").iterdir()) and not list((cache / "weights").iterdir())


def test_a_graph_goes_with_weights_that_were_changed_since(cache, yamnet):
    sonovec.load("yamnet").prepare()
    with yamnet.open("ab") as file:
        file.write(b"x")
    storage.remove("yamnet")
    assert not list((cache / "graphs").iterdir()) and not list((cache / "weights").iterdir())


@pytest.mark.slow
def test_files_of_ones_own_are_never_touched(cache, tmp_path, capsys):
    folder = tiny.waveform("hubert", tmp_path / "mine")
    assert run(["models", "fetch", str(folder)]) == 0
    capsys.readouterr()
    assert run(["models", "remove", "--all"]) == 0
    assert (folder / "model.safetensors").exists() and not list((cache / "graphs").iterdir())
    sonovec.load(str(folder)).embed((np.zeros(16000, np.float32), 16000))


def test_what_cannot_be_removed_or_fetched_is_told(cache, capsys):
    for arguments, says in (
        (["remove"], "give the names of encoders, or --all"),
        (["remove", "yamnt"], "did you mean 'yamnet'"),
        (["remove", "facebook/wav2vec2-base"], "nothing of it is kept here; kept are: none"),
        (["fetch", "nonesuch"], "is unknown"),
        (["show", "yamnt"], "did you mean 'yamnet'"),
    ):
        assert run(["models", *arguments]) == 2
        assert says in capsys.readouterr().err
    assert told(capsys, "models", "remove", "yamnet")["removed"] == [{"name": "yamnet", "files": 0, "bytes": 0}]


@pytest.mark.slow
def test_show_tells_a_card_of_any_kind(capsys, tmp_path):
    assert told(capsys, "models", "show", "byola-512")["options"]["std"]["allowed"] == "a number, a whole number"
    folder = tiny.waveform("hubert", tmp_path / "mine")
    assert told(capsys, "models", "show", str(folder))["family"] == "hubert"
    assert run(["models", "show", "logmel"]) == 0
    assert "licence\tMIT" in capsys.readouterr().out
