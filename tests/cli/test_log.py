"""Errors that nobody meant to raise, and warnings, on the command line: the run goes on, and a file holds the rest."""

from __future__ import annotations

import json
import logging
import re
import shutil

import click
import numpy as np
import pytest
import soundfile

from sonovec.cli import log, main
from sonovec.embedding import source
from sonovec.library.library import Library


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with no log in it yet."""
    monkeypatch.setenv("SONOVEC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for seed, name in enumerate(("fine1", "bug1", "fine2", "bug2")):
        soundfile.write(folder / f"{name}.wav", np.random.default_rng(seed).standard_normal(8000) / 8, 16000)
    return folder


@pytest.fixture
def bug(monkeypatch):
    """An error in the decoder for files of one name."""
    original = source.open_mono

    def broken(path, *arguments, **options):
        if path.name.startswith("bug"):
            raise AttributeError("no attribute\nof this name")
        return original(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(source, "open_mono", broken)
        yield patch


COMMANDS = {
    "index": ("index", "sounds", "-l", "library", "-m", "logmel"),
    "embed": ("embed", "sounds", "-o", "out.npz", "-m", "logmel"),
    "tag": ("tag", "sounds"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bug_costs_its_file_only_and_the_log_has_the_traceback(
    command, sounds, bug, home, sonovec, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, _, complaints = sonovec(*COMMANDS[command])
    assert code == main.SOME_FAILED
    lines = complaints.splitlines()
    for name in ("bug1.wav", "bug2.wav"):
        (line,) = [line for line in lines if name in line]
        assert "unexpected AttributeError: no attribute of this name; this is a bug of sonovec" in line
    assert lines[-1] == f"2 unexpected errors; this is a bug of sonovec: report it with {home / log.NAME}"
    text = (home / log.NAME).read_text()
    assert text.count("Traceback (most recent call last)") == 2 and text.count("in broken") == 2
    assert "bug1.wav" in text and "bug2.wav" in text


def test_a_ledger_row_names_the_bug_and_the_next_run_tries_again(sounds, bug, home, sonovec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = sonovec(*COMMANDS["index"], "--json")
    assert code == main.SOME_FAILED
    with Library("library") as library:
        rows = {entry.path.name: entry.reason for entry in library.ledger.entries() if entry.status == "failed"}
    assert set(rows) == {"bug1.wav", "bug2.wav"} and all("unexpected AttributeError" in row for row in rows.values())
    bug.undo()
    code, out, _ = sonovec(*COMMANDS["index"], "--json")
    assert code == main.OK and json.loads(out)["tracks"] == 4


def test_where_all_is_well_there_is_no_log(sounds, home, sonovec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS.values():
        code, _, complaints = sonovec(*command)
        assert code == main.OK and "bug of sonovec" not in complaints
    assert not (home / log.NAME).exists()
    handlers = logging.getLogger("sonovec").handlers
    assert [type(handler) for handler in handlers] == [logging.NullHandler], "nothing is left behind"


def test_quiet_leaves_errors_and_verbose_tells_every_step(sounds, home, sonovec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (sounds / "broken.wav").write_bytes(b"RIFF")
    (sounds / "part.wav.part").write_bytes(b"")
    (sounds / "song.mp3.part").write_bytes(b"")
    code, out, complaints = sonovec(*COMMANDS["index"])
    assert code == main.SOME_FAILED and "left out: " in complaints and "broken.wav" in complaints
    shutil.rmtree("library")
    code, quiet_out, complaints = sonovec(*COMMANDS["index"], "--quiet")
    assert code == main.SOME_FAILED and len(complaints.splitlines()) == 1 and "broken.wav" in complaints
    assert quiet_out.splitlines()[:2] == out.splitlines()[:2], "results are no warnings"
    shutil.rmtree("library")
    code, _, complaints = sonovec(*COMMANDS["index"], "--verbose")
    for told in (
        "sonovec.library.ingest: ",
        "library: indexing ",
        "sonovec.library.pending: committed 4 tracks, and 7 rows of the ledger",
        "fine1.wav: PCM_16, 16000 Hz, 1 channels, decoded by ",
        "main.tracks was brought up to date in ",
        "left out: ",
    ):
        assert told in complaints, told


@pytest.mark.parametrize("place", ["before", "behind"])
def test_a_log_has_all_with_times(sounds, home, sonovec, tmp_path, monkeypatch, place):
    """Of groups of commands the option is taken before and behind the name of the command."""
    monkeypatch.chdir(tmp_path)
    assert sonovec(*COMMANDS["index"], "--log", "all.log", "--quiet")[0] == main.OK
    first = (tmp_path / "all.log").read_text().splitlines()
    assert all(
        re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING) sonovec\.\S+: ", line) for line in first
    )
    assert any("committed 4 tracks" in line for line in first)
    option = ("--log", "all.log")
    command = ("library", *option, "jobs", "none") if place == "before" else ("library", "jobs", "none", *option)
    code, _, complaints = sonovec(*command)
    assert code == main.USAGE and "none: no library here" in complaints
    later = (tmp_path / "all.log").read_text().splitlines()
    assert later[: len(first)] == first and "none: no library here" in later[-1]
    assert logging.getLogger("sonovec").level == 0
    code, _, complaints = sonovec(*COMMANDS["index"], "--log", "no/such/folder.log")
    assert code == main.USAGE and "--log no/such/folder.log: cannot be written (No such file" in complaints


def test_every_command_takes_the_options():
    def commands(group, context):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            yield command
            if isinstance(command, click.Group):
                yield from commands(command, context)

    found = list(commands(main.cli, click.Context(main.cli)))
    assert len(found) > 20
    for command in found:
        names = [name for parameter in command.params for name in parameter.opts]
        assert [names.count(name) for name in ("--quiet", "--verbose", "--log")] == [1, 1, 1], command.name


def test_an_error_of_the_command_itself_is_a_line_too(home, sonovec, monkeypatch):
    monkeypatch.setattr(main, "cli", None)
    code, out, complaints = sonovec("models")
    assert (code, out) == (main.USAGE, "")
    assert complaints.splitlines() == [
        "sonovec: unexpected AttributeError: 'NoneType' object has no attribute 'main'; this is a bug of sonovec, "
        "please report it with the traceback in the log",
        f"1 unexpected error; this is a bug of sonovec: report it with {home / log.NAME}",
    ]


def test_a_log_that_cannot_be_written_is_shown(sounds, bug, home, sonovec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (home / log.NAME).mkdir(parents=True)
    code, _, complaints = sonovec(*COMMANDS["embed"])
    assert code == main.SOME_FAILED and complaints.count("Traceback (most recent call last)") == 2
    assert complaints.splitlines()[-1].endswith("report it with the lines above")


def test_a_long_log_is_put_aside(home):
    for number in range(3):
        with log.shown():
            logging.getLogger("sonovec").error(f"{number}" + "x" * log.LONGEST)
    kept = sorted(path.name for path in home.iterdir())
    assert kept == [log.NAME, f"{log.NAME}.1"]
    assert f"{2}xxx" in (home / log.NAME).read_text() and f"{1}xxx" in (home / f"{log.NAME}.1").read_text()


def test_warnings_are_lines_without_control_characters(home, capsys):
    with log.shown():
        logging.getLogger("sonovec").warning("the home folder is \x1b[31mred\nand more")
        logging.getLogger("sonovec.library.lance_backend").warning("of a module")
        logging.getLogger("sonovec").info("not shown")
    assert capsys.readouterr().err.splitlines() == [r"the home folder is \x1b[31mred\nand more", "of a module"]
    assert not home.exists()
