"""The command line as programs and people call it: shapes, exit codes, one line for an error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile

from sonovec.cli import main
from sonovec.models import audioset


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "sounds"
    folder.mkdir()
    for seed in range(4):
        samples = np.random.default_rng(seed).standard_normal(16000 * (seed + 1)) / 8
        soundfile.write(folder / f"{seed}.wav", samples, 16000)
    return folder


@pytest.fixture(scope="module")
def library(sounds):
    assert main.run(["index", str(sounds), "-l", str(sounds.parent / "library")]) == 0
    return str(sounds.parent / "library")


def test_search_prints_one_json_object_with_hits(sonovec, sounds, library):
    code, out, err = sonovec("search", sounds / "2.wav", "-l", library, "-n", 3, "--include-self", "--json")
    answer = json.loads(out)
    assert code == 0 and err == ""
    assert len(answer["hits"]) == 3
    first = answer["hits"][0]
    assert first["path"] == str(sounds / "2.wav") and first["score"] > 0.9999
    assert {"query_start", "query_end", "start", "end", "title", "duration"} <= set(first)


def test_a_pipe_gets_tab_separated_lines(sonovec, sounds, library):
    code, out, _ = sonovec("search", sounds / "0.wav", "-l", library, "--include-self")
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0 and len(lines) == 5
    assert lines[0] == ["score", "path", "these seconds", "match these", "tags"]
    assert lines[1][:4] == ["1.000", str(sounds / "0.wav"), "0:00.0-0:01.0", "0:00.0-0:01.0"]
    assert lines[1][4].startswith(audioset.names())


def test_a_filter_a_range_and_a_level(sonovec, sounds, library):
    code, out, _ = sonovec(
        "search", sounds / "3.wav", "-l", library, "--start", 1, "--end", 2, "--level", "segment",
        "--filter", "duration < 3.5", "--include-self", "--json",
    )  # fmt: skip
    hits = json.loads(out)["hits"]
    assert code == 0 and len(hits) == 3
    assert (hits[0]["query_start"], hits[0]["query_end"]) == (1, 2)


def test_the_library_can_come_from_the_environment(sonovec, sounds, library, monkeypatch):
    monkeypatch.setenv("SONOVEC_LIBRARY", library)
    assert sonovec("search", sounds / "0.wav")[0] == 0


@pytest.mark.parametrize("level", ["clip", "window"])
def test_embed_writes_vectors(sonovec, sounds, tmp_path, level):
    code, out, _ = sonovec("embed", sounds, "-o", tmp_path / "v.npz", "--level", level, "--json")
    answer = json.loads(out)
    vectors = np.load(tmp_path / "v.npz")["vectors"]
    assert code == 0 and answer["failures"] == []
    assert vectors.shape == (answer["rows"], answer["dim"])
    assert answer["rows"] == (4 if level == "clip" else 1 + 1 + 2 + 2)


def test_some_failed_is_exit_code_1_and_the_others_are_done(sonovec, tmp_path, sounds):
    (tmp_path / "bad.wav").write_text("words")
    arguments = [sounds / "0.wav", tmp_path / "bad.wav", tmp_path / "gone.wav"]
    code, out, err = sonovec("embed", *arguments, "-o", tmp_path / "v.csv", "--json")
    assert code == 1 and json.loads(out)["rows"] == 1
    assert [Path(failure["path"]).name for failure in json.loads(out)["failures"]] == ["gone.wav", "bad.wav"]
    assert len(err.splitlines()) == 2
    code, out, _ = sonovec("index", *arguments, "-l", tmp_path / "l", "--json")
    answer = json.loads(out)
    assert code == 1
    assert (answer["found"], answer["indexed"], answer["failed"], answer["tracks"]) == (3, 1, 2, 1)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    ("command", "option", "name"),
    [
        ("embed", "-o", "out.npy"),
        ("embed", "-o", "out.jsonl"),
        ("embed", "-o", "out.parquet"),
        ("tag", "--csv", "out.csv"),
        ("tag", "--labels", "out.txt"),
    ],
)
def test_where_everything_fails_the_good_file_stays_and_that_is_said(sonovec, tmp_path, there, command, option, name):
    (tmp_path / "bad.wav").write_text("words")
    target = tmp_path / name
    if there:
        target.write_text("good")
    code, _, err = sonovec(command, tmp_path / "bad.wav", option, target, "--json")
    assert code == 1
    reason = "no sound was embedded" if command == "embed" else "no sound could be heard"
    assert f"{target}: {'left as it was' if there else 'not written'}: {reason}" in err
    assert (target.read_text() if target.exists() else None) == ("good" if there else None)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("embed", "-o"),
        ("tag", "--csv"),
        ("tag", "--labels"),
        ("evaluate", "-o"),
        ("evaluate", "--markdown"),
        ("evaluate", "--picture"),
        ("models compare -m logmel", "--picture"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_any_work(sonovec, sounds, tmp_path, command, option):
    (tmp_path / "file").touch()
    endings = {"-o": ".npy", "--picture": ".png"}
    target = tmp_path / "file" / f"out{endings.get(option, '.txt')}"
    code, out, err = sonovec(*command.split(), sounds / "nowhere", option, target)
    assert (code, out) == (2, "")
    assert err == f"sonovec: {target}: cannot be written (Not a directory); give another place\n"


@pytest.mark.skipif(os.name == "nt", reason="SIGINT as a terminal sends it")
def test_an_interrupt_leaves_the_good_file(tmp_path):
    (tmp_path / "out.jsonl").write_text("good")
    many = tmp_path / "many"
    many.mkdir()
    for number in range(2000):
        soundfile.write(many / f"{number}.wav", np.full(1600, number / 4000), 16000)
    command = [sys.executable, "-m", "sonovec", "embed", str(many), "-o", str(tmp_path / "out.jsonl")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) == 2:  # until the new file is begun
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted; the output file is left as it was" in err
    assert (tmp_path / "out.jsonl").read_text() == "good" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["search", "x.wav"], "Missing option '-l'"),
        (["search", "x.wav", "-l", "nowhere"], "no library here; make it with: sonovec index"),
        (["embed", ".", "-o", "out.xls"], "unknown ending '.xls'"),
        (["embed", "x.wav", "-o", "o.npy", "-m", "vgish"], "vggish"),
        (["embed", "x.wav", "-o", "o.npy", "--option", "pca"], "NAME=VALUE"),
        (["embed", "x.wav", "-o", "o.npy", "-m", "logmel", "--option", "pca=true"], "pca"),
        (["index", "x.wav", "-l", "ftp://host/x"], "unknown scheme 'ftp'"),
        (["nonsense"], "nonsense"),
    ],
)
def test_what_cannot_run_is_exit_code_2_and_says_why(sonovec, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = sonovec(*arguments)
    assert code == 2 and out == ""
    assert says in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_has_nothing_to_embed(sonovec, tmp_path):
    (tmp_path / "in").mkdir()
    code, _, err = sonovec("embed", tmp_path / "in", "-o", tmp_path / "v.npy")
    assert code == 2 and "no audio files in" in err


def test_models_lists_and_shows_cards(sonovec):
    code, out, _ = sonovec("models", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["default"] == "sonovec-1"
    assert {"logmel", "vggish"} <= {card["name"] for card in answer["models"]}
    code, out, _ = sonovec("models", "show", "vggish", "--json")
    card = json.loads(out)
    assert code == 0 and card["rate"] == 16000 and card["dim"] == 128 and card["licence"]
    assert "vggish" in sonovec("models")[1] and "16000" in sonovec("models", "show", "vggish")[1]


def test_doctor_finds_this_machine_well(sonovec, library):
    code, out, _ = sonovec("doctor", "-l", library, "--json")
    findings = json.loads(out)["findings"]
    assert code == 0, findings
    assert {"sonovec", "libsndfile", "ffmpeg", "networks", "cache", "sound to vector", "library", "ledger"} <= {
        finding["check"] for finding in findings
    }


def test_doctor_reports_what_is_broken_and_goes_on(sonovec, tmp_path):
    code, out, _ = sonovec("doctor", "-l", tmp_path / "none")
    assert code == 1 and "library\tfailed" in out and "sound to vector\tok" in out


@pytest.mark.slow
def test_demo_makes_indexes_and_searches(sonovec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = sonovec("demo", "--json")
    answer = json.loads(out)
    assert code == 0 and err == ""
    assert answer["indexed"] >= 60 and len(answer["searches"]) >= 10
    assert answer["same_kind"] > 0.5
    code, out, _ = sonovec("demo")
    assert code == 0 and "Try next" in out and str(answer["indexed"]) in out


def test_every_command_has_help_and_json():
    context = click.Context(main.cli)
    commands = {name: main.cli.get_command(context, name) for name in main.cli.list_commands(context)}
    commands |= {f"library {name}": command for name, command in commands.pop("library").commands.items()}
    for name, command in commands.items():
        names = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in names, name
        assert command.help, name


def test_a_reader_that_goes_away_is_no_error(library, sounds):
    command = f"{sys.executable} -m sonovec search {sounds}/0.wav -l {library} -n 4 | head -1"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env={**os.environ})
    assert run.stderr == "" and run.stdout.startswith("score")
