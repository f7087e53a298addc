"""``sonovec label``: questions and answers on a terminal and in a pipe, what it exports, and what it does with bad input."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from random import Random

import pytest
import soundfile

import sonovec as package
from sonovec.cli import play, stretch_files
from sonovec.cli.dialogue import read_answer
from sonovec.errors import UsageError
from sonovec.learn import labels
from sonovec.learn.detector import Detector
from sonovec.learn.session import Session
from tests.cli.terminal import on_terminal
from tests.learn import rings

CLI = (sys.executable, "-m", "sonovec")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return rings.make(tmp_path_factory.mktemp("rings"))


@pytest.fixture
def library(made, tmp_path):
    return rings.copy(made, tmp_path)


@pytest.fixture
def label(sonovec, library, monkeypatch):
    def run(*arguments, answers=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        return sonovec("label", library, "--class", "bells", *arguments)

    return run


def stored(library):
    with package.Library(library) as opened:
        return opened.labels.get()


def test_answers_are_read_line_by_line_and_stored(label, library):
    code, out, _ = label("--who", "ann", answers="y\nn\ns\n")
    rows = list(csv.DictReader(io.StringIO(out), delimiter="\t"))
    assert code == 0 and len(rows) == 4, "three that were answered, and the one after"
    assert list(rows[0]) == ["path", "start", "end", "bells", "why"] and rows[0]["bells"] == ""
    assert {label.score for label in stored(library)} == {1.0, 0.0, 0.5}
    assert {label.source for label in stored(library)} == {"person:ann"}
    again = label(answers="")[1].splitlines()
    assert again[1] == out.splitlines()[4], "it goes on where it stopped"


def test_json_holds_what_was_answered_and_not_what_was_taken_back(label, library):
    code, out, err = label("--json", answers="y\nn\nu\ny\nq\n")
    told = json.loads(out)
    assert code == 0 and [each["heard"] for each in told["answers"]] == [["bells"], ["bells"]]
    assert told["counts"] == {"bells": {"heard": 2, "not_heard": 0, "unsure": 0}} and "taken back" not in out
    assert "path\tstart" in err


def test_a_line_that_is_no_answer_ends_it_and_what_was_answered_stays(label, library):
    code, _, err = label(answers="y\nmaybe\nn\n")
    assert code == 2 and "line 2 of the standard input: 'maybe' is no answer; give y, n, s, u or q" in err
    assert len(stored(library)) == 1


def test_no_answers_at_all_are_told(label):
    code, _, err = label(answers="")
    assert code == 2 and "no answers: the standard input is empty and no terminal" in err


@pytest.mark.parametrize("columns", [40, *(pytest.param(each, marks=pytest.mark.slow) for each in (80, 140))])
def test_on_a_terminal_no_line_is_wider_than_it(library, columns):
    shown = on_terminal(
        "label", library, "--class", "bells", "--who", "ann", answer="?\ny\nwhat\nn\nu\ns\nq", COLUMNS=str(columns)
    )
    lines = shown.stdout.decode().replace("\r", "").split("\n")
    text = "\n".join(lines)
    assert shown.returncode == 0, text
    for said in ("bells? [y/n/s/u/q/?]", "stored: bells", "stored: no bells", "stored: skipped", "taken back: "):
        assert said in text
    assert "'what' is no answer" in text and "18 segments, 0 answered. Answers are stored for 'ann'." in text
    own = [line for line in lines if re.match(r"\d+\. |   ", line)]
    assert own and max(map(len, own)) <= columns
    assert len(stored(library)) == 2


def test_suggestions_as_a_table_and_in_files_of_every_format(label, library, tmp_path):
    label(answers="y\nn\n")
    targets = [tmp_path / f"next{each.ending}" for each in stretch_files.FORMATS.values() if not each.alone]
    code, out, _ = label("--suggest", "5", *(word for target in targets for word in ("-o", target)))
    assert code == 0 and len(out.splitlines()) == 6
    rows = list(csv.DictReader((tmp_path / "next.csv").open(encoding="utf-8")))
    assert [row["path"] for row in rows] == [line.split("\t")[0] for line in out.splitlines()[1:]]
    assert {row["label"] for row in rows} == {"bells"} and all(0 <= float(row["score"]) <= 1 for row in rows)
    tasks = json.loads((tmp_path / "next.tasks.json").read_text(encoding="utf-8"))
    assert len(tasks) == 5
    for task in tasks:  # as a person would in Label Studio
        task["annotations"] = task.pop("predictions")
    (tmp_path / "done.json").write_text(json.dumps(tasks), encoding="utf-8")
    read = labels.read(tmp_path / "done.json")
    assert {str(each.path) for each in read.labels} == {row["path"] for row in rows} and read.classes == {"bells": 5}
    assert len(stored(library)) == 2, "nothing is stored by suggestions"


def test_the_answers_become_a_detector(label, made, library, tmp_path):
    target = tmp_path / "ring.detector"
    session = Session(library, ["bells"], who="ann")
    while proposals := session.propose():
        session.answer(proposals[0], "bells" if "/bells/" in proposals[0].path else None)
    examples = session.examples()
    assert examples.targets.sum() == rings.EACH and len(set(examples.groups)) == len(examples.vectors) == 18
    code, out, err = label("-o", target)
    assert code == 0 and f"{target}: learnt from 18 answers" in out and "all are answered" in err
    detector = Detector.load(target)
    assert detector.name == "ring" and detector.classes == ("bells",)
    bells, rain = (
        package.load("logmel").embed(made / f"sounds/{name}/{name}-1.wav").vector for name in ("bells", "rain")
    )
    (heard,), (other,) = detector.probabilities([bells, rain])
    assert heard > other


def test_a_detector_needs_an_example(label, tmp_path):
    code, _, err = label("-o", tmp_path / "a.detector", answers="n\n")
    assert code == 2 and "no sound is labelled 'bells' yet" in err and not (tmp_path / "a.detector").exists()


def test_examples_with_seconds_begin_the_search(label, made):
    sound = made / "sounds/bells/bells-1.wav"
    code, out, _ = label("--from", f"{sound}:0:00.5-1.5", "--suggest", "1", "--strategy", "likely")
    assert code == 0 and out.splitlines()[1].startswith(str(made / "sounds/bells/bells-"))


def test_what_cannot_be_done_is_told(label, library, made, tmp_path, monkeypatch, sonovec, read_only, run_as_user):
    (tmp_path / "text.wav").write_text("no sound")
    for arguments, says in (
        (["--from", tmp_path / "text.wav"], "text.wav"),
        (["--from", tmp_path / "missing.wav"], "missing.wav"),
        (["--class", "rain", "--from", made / "sounds/rain/rain-1.wav"], "say of which class, such as --from bells="),
        (["--who", "two\nlines"], "is not a name"),
        (["--space", "other"], "no space 'other'"),
        (["-o", "a.detector", "-o", "b.detector"], "2 detectors; give one -o"),
        (["--suggest", "3", "-o", "a.xyz"], "give a name with one of these endings"),
        (["--suggest", "3", "--play"], "--play is for questions"),
    ):
        code, _, err = label(*arguments, answers="y\n")
        assert code == 2 and says in err, (arguments, err)
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = label("--play", answers="y\n")
    assert code == 2 and "no player is installed; install one of afplay, paplay, aplay, ffplay" in err
    assert sonovec("label", tmp_path / "none", "--class", "bells")[0] == 2
    assert stored(library) == []


def test_notes_tell_of_classes_without_examples_and_of_contradictions(label, library):
    label("--who", "ann", answers="y\n")
    first = label("--class", "rain", "--suggest", "1")[2]
    assert "no example of 'rain' yet" in first and "the library has labels of: bells" not in first
    with package.Library(library) as opened:
        (given,) = opened.labels.get()
        opened.labels.put([replace(given, source="person:bob", score=0.0, time=given.time + 1)])
    assert "bells: ann said yes, then bob said no; the latest answer counts" in label("--suggest", "1")[2]


@pytest.mark.slow
def test_a_library_that_may_not_be_written_can_only_be_asked(library, read_only, run_as_user):
    read_only(library)
    told = run_as_user(*CLI, "label", library, "--class", "bells", input="y\n")
    assert told.returncode == 2 and "cannot be written" in told.stderr and "--suggest 20" in told.stderr
    told = run_as_user(*CLI, "label", library, "--class", "bells", "--suggest", "2")
    assert told.returncode == 0 and len(told.stdout.splitlines()) == 3, told.stderr


def test_answers_are_read_as_people_type_them():
    two = ["crow", "dog, small"]
    for text, wanted in (
        ("Y\n", UsageError),
        ("1", ("yes", ("crow",))),
        ("2 1\n", ("yes", tuple(two))),
        ("dog, small", ("yes", ("dog, small",))),
        ("0", ("no", ())),
        ("quit", ("quit", ())),
        ("", UsageError),
        ("3", UsageError),
        ("1,1", ("yes", ("crow",))),
    ):
        if wanted is UsageError:
            with pytest.raises(UsageError, match="numbers from 1 to 2"):
                read_answer(text, two)
        else:
            assert read_answer(text, two) == wanted


#: Stands for a player: it keeps what it is given, and goes on until it is ended.
PLAYER = """#!/bin/sh
for last; do :; done
cp "$last" {folder}/played-$$.wav
exec sleep 60
"""


@pytest.mark.skipif(os.name != "posix", reason="a program of the shell")
def test_the_stretch_is_decoded_and_played_and_ends_when_it_is_told_to(made, tmp_path, monkeypatch):
    sound = made / "sounds/bells/bells-1.wav"
    program = tmp_path / "bin" / "aplay"
    program.parent.mkdir()
    program.write_text(PLAYER.format(folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(play, "PLAYERS", {"aplay": play.PLAYERS["aplay"]})
    began = time.monotonic()
    with play.Player() as player:
        player.play(sound, 0.5, 1.5)
        while not (played := list(tmp_path.glob("played-*.wav"))) and time.monotonic() - began < 20:
            time.sleep(0.01)
        player.stop()
    assert time.monotonic() - began < 30
    samples, rate = soundfile.read(played[0])
    whole, own = soundfile.read(sound)
    assert rate == own and len(samples) == rate
    assert abs(samples - whole[rate // 2 : rate // 2 + rate]).max() < 1e-3


class Labelling:
    """The command in a process of its own, whose questions are answered by what the path says."""

    def __init__(self, library):
        command = [*CLI, "label", str(library), "--class", "bells", "--who", "ann"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def question(self):
        return self.process.stdout.readline().split("\t")

    def answer(self, row):
        self.process.stdin.write("y\n" if "/bells/" in row[0] else "n\n")
        self.process.stdin.flush()

    def end(self, signum=None):
        if signum is None:
            self.process.stdin.close()
        else:
            self.process.send_signal(signum)
        self.process.wait()
        self.process.stdout.close()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_at_any_moment_no_answer_is_lost_and_it_goes_on_as_if_nothing_had_been(made, tmp_path):
    whole = []
    with package.Library(rings.copy(made, tmp_path / "whole")) as opened:
        session = Session(opened, ["bells"], who="ann")
        while proposals := session.propose():
            whole.append(proposals[0].path)
            session.answer(proposals[0], "bells" if "/bells/" in proposals[0].path else None)
    library, random = rings.copy(made, tmp_path / "killed"), Random(13)
    acknowledged = 0
    for kill in range(5):
        labelling = Labelling(library)
        row = labelling.question()
        for _ in range(2):
            labelling.answer(row)
            row = labelling.question()
            acknowledged += 1
        labelling.answer(row)
        time.sleep(random.random() * 0.2)  # while it stores, learns, or asks
        labelling.end(signal.SIGKILL)
        kept = len(stored(library))
        assert acknowledged <= kept <= acknowledged + 1, kill
        acknowledged = kept
    labelling = Labelling(library)
    assert labelling.question()[0] == whole[acknowledged]
    labelling.end()
    verdicts = {label.track: label.score for label in stored(library)}
    with package.Library(library) as opened:
        paths = opened.paths_of(verdicts)
    assert {paths[track] for track in verdicts} == set(whole[:acknowledged])
    assert all((score == 1.0) == ("/bells/" in paths[track]) for track, score in verdicts.items())


@pytest.mark.slow
def test_two_people_at_once_lose_nothing(library):
    people = [
        subprocess.Popen(
            [*CLI, "label", library, "--class", "bells", "--who", who, "--strategy", strategy],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for who, strategy in (("ann", "random"), ("bob", "diverse"))
    ]
    for process in people:
        process.stdin.write("y\nn\ny\nn\ny\n")
        process.stdin.close()
    assert [process.wait() for process in people] == [0, 0]
    given = stored(library)
    assert sorted(label.source for label in given) == ["person:ann"] * 5 + ["person:bob"] * 5
