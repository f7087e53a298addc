"""What goes wrong over one sound is that sound's failure, in its place; the run goes on."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import sonovec
from sonovec.audio import isolate
from sonovec.audio.waveform import Waveform
from sonovec.audio.windows import WindowSpec
from sonovec.cli.main import run as cli
from sonovec.embedding.embedding import Failure
from sonovec.embedding.encoder import Encoder, EncoderSettings
from sonovec.errors import OutOfMemoryError, UnexpectedError, UsageError
from sonovec.graph import Graph
from sonovec.models.model import Model

RATE = 16000
#: The first sample of a sound that something goes wrong with.
BAD = np.float32(0.625)
X = (np.random.default_rng(0).standard_normal(RATE) / 10).astype(np.float32)


@pytest.fixture(scope="module")
def logmel():
    return sonovec.load("logmel")


class Strange:
    """It has no text, and says so in a way of its own."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


class BytesPath:
    def __fspath__(self) -> bytes:
        return b"song.wav"


NO_SOUNDS = {
    "none": (None, "None is not a sound; give a path, a Waveform, or a tuple"),
    "nan": (float("nan"), "nan is not a sound"),
    "pandas": (pd.NA, "<NA> is not a sound"),
    "number": (3, "3 is not a sound"),
    "mapping": ({"array": X, "sampling_rate": RATE}, "is not a sound; give a path"),
    "bytes": (b"RIFF", "b'RIFF' is not a sound"),
    "path of bytes": (BytesPath(), "is not a sound"),
    "empty text": ("", "'' is not a sound"),
    "list": ([0.1, 0.2], r"\[0.1, 0.2\] is not a sound"),
    "strange": (Strange(), "Strange instance .* is not a sound"),
    "array": (X, r"an array of shape \(16000,\) has no rate; give \(samples, rate\)"),
    "tuple of three": ((X, RATE, 1), "is not a sound"),
    "turned round": ((RATE, X), r"\(rate, samples\); give \(samples, rate\)"),
    "no rate": ((X, None), "rate=None"),
    "rate nan": ((X, float("nan")), "rate=nan"),
    "rate too high": ((X, 413756438838859), "rate=413756438838859 .* up to 4294967295"),
    "integers": (((X * 30000).astype(np.int16), RATE), r"dtype int16 .*\(samples / 32768, rate\)"),
    "integers as floats": ((X * 32768, RATE), r"not within -1..1"),
    "stereo waveform": (Waveform(np.stack([X, X], 1), RATE), r"a Waveform is mono"),
    "empty": ((X[:0], RATE), "samples in memory: none"),
    "missing": ("missing.wav", "missing.wav: no such file"),
    "folder": (os.curdir, r"\.: a folder"),
    "nul": ("a\0b.wav", "a file cannot have this name"),
}


@pytest.mark.parametrize("kind", NO_SOUNDS)
def test_what_is_not_a_sound_is_a_failure_in_its_place(logmel, kind):
    item, says = NO_SOUNDS[kind]
    before, failure, after = logmel.embed_many([(X, RATE), item, (X, RATE)])
    np.testing.assert_array_equal(before.vector, after.vector)
    assert isinstance(failure, Failure) and "\n" not in failure.reason
    assert failure.path == (Path(item) if isinstance(item, str) and item else None)
    with pytest.raises(type(failure.error), match=says):
        raise failure.error
    with pytest.raises(type(failure.error), match=says):
        logmel.embed(item)


@settings(max_examples=25)
@given(st.lists(st.sampled_from([*NO_SOUNDS, "sound"]), max_size=12))
def test_every_item_has_its_result_in_its_place(logmel, kinds):
    items = [(X, RATE) if kind == "sound" else NO_SOUNDS[kind][0] for kind in kinds]
    results = list(logmel.embed_many(items))
    assert [isinstance(result, Failure) for result in results] == [kind != "sound" for kind in kinds]


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.one_of(
        st.none(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.floats()), st.complex_numbers(),
        st.tuples(st.one_of(st.none(), st.text(), st.lists(st.floats())), st.one_of(st.none(), st.floats(), st.integers())),
        st.dictionaries(st.text(), st.integers()), st.datetimes(),
    )
)  # fmt: skip
def test_whatever_is_given_is_answered_and_never_called_a_bug(logmel, item):
    results = list(logmel.embed_many([item]))
    assert len(results) == 1
    if isinstance(results[0], Failure):
        assert not isinstance(results[0].error, UnexpectedError) and len(results[0].reason.splitlines()) == 1


@pytest.mark.parametrize(
    ("sounds", "says"),
    [
        ("song.mp3", r"'song.mp3' is one sound; give a list: encoder.embed_many\(\['song.mp3'\]\)"),
        (Path("song.mp3"), r"give a list: encoder.embed_many\(\['song.mp3'\]\)"),
        ((X, RATE), r"\(<float32 .*>, \d+\) is not a list of sounds"),
        (Waveform(X, RATE), "Waveform.* is not a list of sounds"),
        (X, "<float32 .*> is not a list.*\\(samples, rate\\)"),
        ({"a": 1}, "\\{'a': 1\\} is not a list"),
        (b"song.mp3", "b'song.mp3' is not a list"),
        (None, "None is not a list"),
        (5, "5 is not a list"),
    ],
)
def test_one_sound_in_place_of_many_is_an_error_at_once(logmel, sounds, says):
    with pytest.raises(UsageError, match=says):
        logmel.embed_many(sounds)


@pytest.mark.parametrize("collection", [tuple, list, iter, np.array, pd.Series])
def test_any_collection_of_paths_will_do(logmel, collection, clips):
    two = clips[:2]
    expected = [logmel.embed(path).vector for path in two]
    for result, vector in zip(logmel.embed_many(collection([str(path) for path in two])), expected, strict=True):
        np.testing.assert_array_equal(result.vector, vector)
    assert list(logmel.embed_many(collection([]))) == []


def test_an_error_of_the_callers_own_iterator_comes_out_behind_what_came_before(logmel):
    def broken():
        for _ in range(100):
            yield X, RATE
        raise ZeroDivisionError("in the caller's code")

    results = []
    with pytest.raises(ZeroDivisionError):
        results.extend(logmel.embed_many(broken()))
    assert len(results) == 100


def linear():
    import torch

    torch.manual_seed(3)
    return torch.nn.Linear(400, 8).eval()


def encoder(features=lambda samples, coverage: samples, finish=lambda rows, coverage: np.asarray(rows, np.float32)):
    """A real network behind a front end, or before an end, that may go wrong."""
    model = Model(
        card=sonovec.load("logmel").card,
        options={},
        window=WindowSpec(400, 400),
        dim=8,
        front_end="samples",
        weights_hash="seed 3",
        features=features,
        graph=Graph("test-failures-linear-3", (400,), linear),
        finish=finish,
    )
    return Encoder(model, EncoderSettings(precision="f32"))


def sounds(count=40, bad=(3, 17, 18)):
    """Short sounds, many to a batch; some begin with the sample that means trouble."""
    made = [np.random.default_rng(i).standard_normal(400 * (1 + i % 5)).astype(np.float32) / 10 for i in range(count)]
    for i in bad:
        made[i][0] = BAD
    return [Waveform(samples, RATE) for samples in made]


def strict_features(error):
    def features(samples, coverage):
        if (samples == BAD).any():
            raise error
        return samples

    return features


def strict_finish(error):
    """The end of a network that knows the bad rows again by a sum that the features put into them."""

    def features(samples, coverage):
        marked = samples.copy()
        marked[(samples == BAD).any(axis=1)] = np.nan
        return marked

    def finish(rows, coverage):
        rows = np.asarray(rows, np.float32)
        if np.isnan(rows).any():
            raise error
        return rows

    return features, finish


@pytest.mark.parametrize(
    "error", [AttributeError("two\nlines"), ValueError(), RuntimeError("x" * 5000), RecursionError()]
)
@pytest.mark.parametrize("where", ["features", "network"])
def test_an_unexpected_error_is_that_sounds_alone(error, where, caplog):
    features, finish = strict_finish(error)
    broken = encoder(strict_features(error)) if where == "features" else encoder(features, finish)
    expected = list(encoder().embed_many(sounds()))
    with caplog.at_level(logging.ERROR, "sonovec"):
        found = list(broken.embed_many(sounds()))
    assert [i for i, result in enumerate(found) if isinstance(result, Failure)] == [3, 17, 18]
    for result, wanted in zip(found, expected, strict=True):
        if isinstance(result, Failure):
            assert isinstance(result.error, UnexpectedError) and result.error.__traceback__ is None
            assert f"unexpected {type(error).__name__}" in result.reason and "report it" in result.reason
            assert "\n" not in result.reason and len(result.reason) < 500
            assert "Traceback" in result.error.__notes__[0]
        else:
            np.testing.assert_allclose(result.windows, wanted.windows, rtol=1e-5, atol=1e-6)
    assert len(caplog.records) == 3 and all(record.exc_info for record in caplog.records)


def test_memory_that_one_sound_lacks_is_that_sounds_alone(caplog):
    found = list(encoder(strict_features(MemoryError())).embed_many(sounds()))
    failures = [result.error for result in found if isinstance(result, Failure)]
    assert len(failures) == 3 and all(isinstance(error, OutOfMemoryError) for error in failures)
    assert not caplog.records, "no bug of ours"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_ends_the_run(error):
    with pytest.raises(error):
        list(encoder(strict_features(error())).embed_many(sounds()))


def test_an_error_that_the_network_raises_on_purpose_ends_the_run():
    """No other sound would fare better: the wrong number of outputs, no memory to compile it."""
    features, finish = strict_finish(OutOfMemoryError("no room"))
    with pytest.raises(OutOfMemoryError, match="no room"):
        list(encoder(features, finish).embed_many(sounds()))


def test_a_network_that_fails_always_fails_each_sound():
    class Broken:
        precision, rows, quick_rows, streams = "f32", 8, 2, 2

        def run(self, batch, quick=False):
            raise MemoryError

    broken = encoder()
    broken._networks["sound"] = Broken()
    failures = [*broken.embed_many(sounds()), *(future.exception() for future in map(broken.submit, sounds()))]
    assert len(failures) == 80
    assert all(isinstance(getattr(failure, "error", failure), OutOfMemoryError) for failure in failures)


def test_a_long_sound_that_fails_is_given_up_at_once():
    seen = []

    def features(samples, coverage):
        seen.append(len(samples))
        raise ValueError

    (failure,) = encoder(features).embed_many([(np.zeros(400 * 32 * 100, np.float32), RATE)])
    assert isinstance(failure, Failure) and len(seen) == 1


def test_a_failure_keeps_no_samples(logmel, tmp_path):
    """Failures are collected over whole libraries; frames of a traceback would keep what they worked on."""
    soundfile.write(tmp_path / "a.wav", X, RATE)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:44])
    for failure in (
        *logmel.embed_many([tmp_path / "b.wav"]),
        *encoder(strict_features(KeyError())).embed_many(sounds()),
    ):
        if isinstance(failure, Failure):
            assert failure.error.__traceback__ is None


def test_without_a_handler_nothing_is_printed(capfd):
    assert any(isinstance(r, Failure) for r in encoder(strict_features(KeyError("x"))).embed_many(sounds()))
    assert capfd.readouterr() == ("", "")


#: What makes children end as if a decoder had crashed.
CRASH = """
import os, signal
import sonovec.audio.decode as decode
def crashing(path, *arguments, real=decode.open_audio):
    if b"bad" in os.fsencode(path):
        os.kill(os.getpid(), signal.SIGSEGV)
    return real(path, *arguments)
decode.open_audio = crashing
"""


@pytest.fixture
def good_and_bad(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CRASH)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    monkeypatch.chdir(tmp_path)
    isolate._end_all()
    soundfile.write("good.wav", X, RATE)
    soundfile.write("bad.wav", X / 2, RATE)
    yield ["good.wav", "bad.wav"]
    isolate._end_all()


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_what_crashes_a_decoder_is_the_failure_of_its_file_where_decoding_is_isolated(logmel, good_and_bad):
    isolated = sonovec.load("logmel", isolate=True)
    first, bad, last = isolated.embed_many([*good_and_bad, "good.wav"])
    expected = logmel.embed("good.wav").vector
    assert np.array_equal(first.vector, expected) and np.array_equal(last.vector, expected)
    assert isinstance(bad, Failure) and "bad.wav: its decoder crashed (by signal 11)" in bad.reason
    assert isolated.passport == logmel.passport
    for other in (pickle.loads(pickle.dumps(isolated)), copy.deepcopy(isolated)):
        assert other.isolate


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("command", [["embed", "-o", "OUT.npz"], ["tag"], ["index", "-l", "LIBRARY"]])
def test_the_command_line_isolates(good_and_bad, capsys, command):
    assert cli([*command, *good_and_bad, "--isolate"]) == 1
    assert "bad.wav: its decoder crashed" in "".join(capsys.readouterr())
    if command[0] == "index":
        assert len(sonovec.Library("LIBRARY")) == 1
        assert cli(["search", "good.wav", "-l", "LIBRARY", "--isolate", "--start", "0.1"]) == 0
        assert cli(["search", "bad.wav", "-l", "LIBRARY", "--isolate"]) == 2
