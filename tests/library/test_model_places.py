"""Libraries and models of the user's own, which move: known by what they are made of, wherever they lie."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run
from sonovec.errors import LibraryError, PassportError
from sonovec.library import binding, model_places
from sonovec.library.spaces import space_of
from tests.models.test_custom import onnx_file, write


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    """Each test has a machine that has seen no model."""
    monkeypatch.setenv("SONOVEC_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def model(tmp_path):
    (tmp_path / "birds").mkdir()
    write(tmp_path / "birds", file=onnx_file(tmp_path / "birds"))
    return tmp_path / "birds"


@pytest.fixture
def sound(tmp_path):
    (tmp_path / "sounds").mkdir()
    file = tmp_path / "sounds" / "a.wav"
    soundfile.write(file, np.random.default_rng(0).standard_normal(16000).astype(np.float32) / 10, 16000)
    return file


@pytest.fixture
def library(tmp_path, model, sound):
    """The folder of a library that was made with the model."""
    library = sonovec.Library(tmp_path / "library", model=str(model))
    library.add(sound)
    return tmp_path / "library"


@pytest.fixture
def query(sound):
    """A sound that the library does not have, so that the encoder is needed."""
    file = sound.parent.parent / "query.wav"
    soundfile.write(file, np.random.default_rng(1).standard_normal(16000).astype(np.float32) / 10, 16000)
    return file


@pytest.fixture
def found(sound, query):
    """Whether a search for another sound finds that of the library."""
    return lambda library, **how: [hit.path for hit in sonovec.Library(library, **how).search(query)] == [str(sound)]


def test_it_is_known_by_its_name_and_content_and_by_no_path(library, model):
    told = json.loads((library / "library.json").read_text())
    assert told["model"] == told["passport"]["model"] == "birds"
    assert str(model.parent) not in json.dumps(told)


def test_it_is_found_where_it_was_without_being_named(library, found):
    assert found(library)


def test_a_model_that_moved_is_named_once(library, model, found):
    model.rename(model.parent / "moved")
    with pytest.raises(LibraryError) as told:
        found(library)
    assert "its encoder birds (SHA-256 " in str(told.value)
    assert f"looked at {model}/card.yaml); give its place: --model FOLDER" in str(told.value)
    assert found(library, model=str(model.parent / "moved"))
    assert found(library)


def test_the_command_line_says_it_too(library, model, query, capsys):
    model.rename(model.parent / "moved")
    assert run(["search", str(query), "-l", str(library)]) != 0
    assert "give its place: --model FOLDER" in " ".join(capsys.readouterr().err.split())
    assert run(["search", str(query), "-l", str(library), "--model", str(model.parent / "moved")]) == 0


def test_on_a_machine_that_has_not_had_it(library, monkeypatch, tmp_path, model, found):
    monkeypatch.setenv("SONOVEC_HOME", str(tmp_path / "another"))
    with pytest.raises(LibraryError, match=r"its encoder birds .* \(this machine has not had it"):
        found(library)
    assert found(library, model=str(model / "card.yaml"))


def test_another_model_at_its_place_is_refused(library, model, found):
    onnx_file(model, seed=5)
    with pytest.raises(PassportError, match="weights is '.*' there and '.*' here"):
        found(library)
    with pytest.raises(PassportError, match="weights is '.*' there and '.*' here"):
        found(library, model=str(model))


def test_a_card_that_reads_another_tensor_is_refused(library, model, found):
    write(model, file="network.onnx", output="scores")
    with pytest.raises(PassportError, match="front_end is"):
        found(library)


def test_a_saved_encoder_serves_a_library_wherever_it_lies(tmp_path, sound, found):
    folder = sonovec.load("logmel").save(tmp_path / "kept")
    sonovec.Library(tmp_path / "library", model=str(folder)).add(sound)
    folder.rename(tmp_path / "elsewhere")
    # It is that of the list, which needs no folder.
    assert found(tmp_path / "library")
    assert found(tmp_path / "library", model=str(tmp_path / "elsewhere"))


def test_a_library_of_a_former_version_knew_it_by_its_path(model):
    encoder = sonovec.load(str(model))
    space = space_of(encoder, "main", 10.0)
    before = encoder.passport.front_end.rpartition(", to ")[0]
    card = str(model / "card.yaml")
    former = replace(space, model=card, passport={**space.passport, "model": card, "front_end": before})
    for name in (None, card):
        opened = binding.stored_encoder("library", former, name, None, {})
        binding.check_comparable("library", former, opened)
        binding.check_same("library", former, opened)
    model.rename(model.parent / "moved")
    with pytest.raises(LibraryError, match=r"looked at .*birds/card\.yaml"):
        binding.stored_encoder("library", former, None, None, {})
    opened = binding.stored_encoder("library", former, str(model.parent / "moved"), None, {})
    binding.check_same("library", former, opened)


def test_a_record_that_is_damaged_is_written_anew(model):
    encoder = sonovec.load(str(model))
    model_places.record().parent.mkdir(parents=True, exist_ok=True)
    model_places.record().write_text("[1")
    model_places.remember(encoder)
    assert model_places.candidates(space_of(encoder, "main", 10.0)) == [str(model / "card.yaml")]
