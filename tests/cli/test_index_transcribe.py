"""``sonovec index --transcribe`` with a CTC model: how its text is searched for, and what is transcribed again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

import sonovec as package
from tests.models import tiny

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ARPA = "\\data\\\nngram 1=3\n\\1-grams:\n-0.3 a\n-0.5 bad\n-3 <unk>\n\\end\\\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.ctc("wav2vec2-group", tmp_path_factory.mktemp("tiny-ctc"))


@pytest.fixture
def folder(shared_data, tmp_path):
    """A sound in which somebody speaks, and one in which nobody does."""
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    spoken = [soundfile.read(shared_data / "fsdd" / f"{digit}_george_0.flac")[0] for digit in range(1, 6)]
    soundfile.write(sounds / "spoken.wav", np.concatenate([np.zeros(4000), *spoken, np.zeros(4000)]), 8000)
    soundfile.write(sounds / "noise.wav", 1e-3 * np.random.default_rng(0).standard_normal(16000), 8000)
    return sounds


@pytest.fixture
def index(sonovec, folder, model, tmp_path):
    """Index the folder with some options, and give how many tracks that were there were heard again."""

    def run(*options) -> int:
        code, out, complaints = sonovec(
            "index", folder, "-l", tmp_path / "library", "--transcribe", model, "--json", *options
        )
        assert code == 0, complaints
        return json.loads(out)["heard"]

    with package.Library(tmp_path / "library", model="logmel") as library:
        library.add(folder)
    return run


def written(tmp_path):
    """The passages of the library: sources, and texts."""
    with package.Library(tmp_path / "library") as library:
        passages = library.passages.get()
    return {each.source for each in passages}, " ".join(each.text for each in passages)


def test_the_text_is_that_of_transcribe_with_the_same_options(index, folder, model, sonovec, tmp_path):
    words = tmp_path / "words.arpa"
    words.write_text(ARPA)
    options = ("--beam", 10, "--lm", words, "--alpha", 2, "--beta", 3, "--hot-word", "cab", "--hot-weight", 4)
    assert index() == 2
    plain = written(tmp_path)
    assert index(*options) == 2
    searched = written(tmp_path)
    assert len(searched[0]) == 1 and searched[0] != plain[0] and searched[1] != plain[1]
    _, out, _ = sonovec("transcribe", folder / "spoken.wav", "-m", model, *options, "--json")
    assert searched[1] == " ".join(segment["text"] for segment in json.loads(out)["sounds"][0]["segments"])


def test_other_settings_transcribe_again_and_the_same_do_not(index, tmp_path):
    words = tmp_path / "words.arpa"
    words.write_text(ARPA)
    lm = ("--lm", words)
    hot = ("--hot-word", "bad", "--hot-word", "cab")
    for options in [(), ("--beam", 5), lm, (*lm, "--alpha", 1), (*lm, "--beta", 0), hot, (*hot, "--hot-weight", 1)]:
        assert index(*options) == 2, options
        assert index(*options) == 0, options
        assert len(written(tmp_path)[0]) == 1, "what other settings wrote is replaced"
    assert index("--hot-word", "cab", "--hot-word", "bad", "--hot-weight", 1) == 0
    assert index(*lm) == 2
    words.rename(tmp_path / "moved.arpa")
    assert index("--lm", tmp_path / "moved.arpa") == 0, "it is the same language model elsewhere"
    (tmp_path / "moved.arpa").write_text(ARPA.replace("-0.5", "-0.4"))
    assert index("--lm", tmp_path / "moved.arpa") == 2


def test_the_model_runs_where_the_command_does(index, monkeypatch):
    from sonovec.speech import loading

    given = {}

    def load(name, **options):
        given.update(options)
        return real(name, **options)

    real = loading.load
    monkeypatch.setattr(loading, "load", load)
    index("--device", "cpu", "--jobs", 1, "--precision", "auto", "--beam", 5)
    assert given == {"device": "cpu", "jobs": 1, "beam": 5}
