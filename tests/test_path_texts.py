"""Paths as text: as they are, and reversible for every name; escaped on terminals and nowhere else."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import sonovec
from sonovec.cli.main import run
from sonovec.paths import display, from_text, printable, to_text

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not Unicode")

#: Names as users have them, of bytes: quotes, wildcards, control characters, what is no UTF-8, and what looks escaped.
NAMES = [
    b"plain.wav",
    b"quote'\"`.wav",
    b"new\nline\ttab.wav",
    rb"new\nline\ttab.wav",
    b"\x1b[31mred.wav",
    b"latin-\xe9.wav",
    rb"latin-\xe9.wav",
    b"half \xed\xa0\x80.wav",
    "snow ☃ \u2028\u202e.wav".encode(),
    b"%E9 50%_.wav",
    b"[bold]x.wav",
]

BYTES = st.lists(st.binary(min_size=1, max_size=12).map(lambda name: name.replace(b"\0", b"0")), min_size=1, max_size=4)
PATHS = BYTES.map(lambda names: Path(os.fsdecode(b"/" + b"/".join(names))))


@LINUX
@given(path=PATHS)
def test_text_of_a_path_is_unicode_and_reversible(path):
    text = to_text(path)
    assert text.encode().decode() == text
    assert from_text(text) == path
    if os.fsencode(path).decode("utf-8", "replace").encode() == os.fsencode(path):
        assert text == str(path)


@LINUX
@given(one=PATHS, other=PATHS)
def test_no_two_paths_have_one_text(one, other):
    assert (to_text(one) == to_text(other)) == (one == other)


@LINUX
@given(path=PATHS)
def test_what_is_shown_is_one_line(path):
    for shown in (display(path), printable(to_text(path))):
        assert shown.encode()
        assert not {unicodedata.category(char) for char in shown} & {"Cc", "Zl", "Zp", "Cs"}


def test_a_relative_path_that_looks_like_a_uri_is_none():
    assert to_text(Path("file:///x.wav")) == f"file:{os.sep}x.wav"
    assert from_text(to_text(Path("file:///x.wav"))) == Path("file:///x.wav")


@pytest.fixture
def sounds(tmp_path):
    """A folder of files with awkward names, of which the last has no sound in it."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for seed, name in enumerate(NAMES):
        write_sound(folder / os.fsdecode(name), seed)
    (folder / os.fsdecode(b"broken \xff\n.wav")).write_bytes(b"no sound")
    return folder


def write_sound(path, seed):
    with path.open("wb") as file:
        soundfile.write(file, np.random.default_rng(seed).standard_normal(8000) / 8, 8000, format="WAV")


def sounding(folder):
    return {path for path in folder.iterdir() if not path.name.startswith("broken")}


def broken(folder):
    return next(path for path in folder.iterdir() if path.name.startswith("broken"))


@LINUX
def test_a_library_holds_paths_as_they_are(sounds, tmp_path, capsys):
    place = str(tmp_path / "library")
    assert run(["index", str(sounds), "-l", place, "--json"]) == 1
    out, err = capsys.readouterr()
    (failure,) = json.loads(out)["failures"]
    assert from_text(failure["path"]) == broken(sounds)
    assert len(err.splitlines()) == 1 and err.startswith(display(broken(sounds)))
    with sonovec.Library(place) as library:
        assert {from_text(track.path) for track in library.tracks()} == sounding(sounds)
        for path in sounding(sounds):
            for query in (path, to_text(path)):
                hit = library.search(query, limit=1, include_self=True)[0]
                assert (from_text(hit.path), hit.score) == (path, 1.0)
        assert [t.path for t in library.tracks(r"path contains 'new\nline'")] == [str(sounds / "new\nline\ttab.wav")]
        assert [t.path for t in library.tracks(r"path contains 'new\\nline'")] == [str(sounds / r"new\nline\ttab.wav")]
        (latin,) = library.tracks("path startswith 'file://' and path contains 'latin-%E9'")
        assert from_text(latin.path) == sounds / os.fsdecode(b"latin-\xe9.wav")
        assert library.add(sounds).counts.unchanged == len(NAMES)


@LINUX
def test_hits_in_json_carry_the_path_and_on_lines_they_are_escaped(sounds, tmp_path, capsys):
    place = str(tmp_path / "library")
    run(["index", str(sounds), "-l", place])
    query = sounds / os.fsdecode(NAMES[5])
    capsys.readouterr()
    assert run(["search", str(query), "-l", place, "-n", "20", "--include-self", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert from_text(told["query"]) == query
    assert {from_text(hit["path"]) for hit in told["hits"]} == sounding(sounds)
    assert run(["search", to_text(query), "-l", place, "-n", "20", "--include-self"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(NAMES)
    assert {line.split("\t")[1] for line in lines} == {printable(to_text(path)) for path in sounding(sounds)}
    assert all(line.count("\t") == header.count("\t") and "\x1b" not in line for line in lines)


@LINUX
@pytest.mark.parametrize("ending", ["npy", "npz", "parquet", "jsonl", "csv"])
def test_files_of_vectors_carry_the_path(sounds, tmp_path, capsys, ending):
    target = tmp_path / f"out.{ending}"
    assert run(["embed", str(sounds), "-o", str(target), "-m", "logmel", "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [from_text(failure["path"]) for failure in told["failures"]] == [broken(sounds)]
    assert err.startswith(display(broken(sounds)))
    texts = read_paths(target)
    assert len(texts) == told["rows"] == len(NAMES)
    assert {from_text(text) for text in texts} == sounding(sounds)


def read_paths(target):
    match target.suffix:
        case ".npy":
            return json.loads(target.with_name(target.name + ".json").read_text("utf-8"))["path"]
        case ".npz":
            return np.load(target)["paths"].tolist()
        case ".parquet":
            return pq.read_table(target)["path"].to_pylist()
        case ".jsonl":
            with target.open(encoding="utf-8", newline="\n") as lines:
                return [json.loads(line)["path"] for line in lines]
    with target.open(encoding="utf-8", newline="") as file:
        return [row["path"] for row in csv.DictReader(file)]


@LINUX
def test_tags_carry_the_path(sounds, tmp_path, capsys):
    table = tmp_path / "out.csv"
    assert run(["tag", str(sounds), "--threshold", "0", "--csv", str(table), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {from_text(sound["path"]) for sound in told["sounds"]} == sounding(sounds)
    assert [from_text(failure["path"]) for failure in told["failures"]] == [broken(sounds)]
    assert {from_text(path) for path in read_paths(table)} == sounding(sounds)
    assert run(["tag", str(sounds)]) == 1
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and all(printable(to_text(path)) in out for path in sounding(sounds))


@LINUX
def test_an_evaluation_carries_the_paths(tmp_path, capsys):
    for kind in (b"one\nclass", b"other \xe9"):
        folder = tmp_path / "classes" / os.fsdecode(kind)
        folder.mkdir(parents=True)
        for seed in range(4):
            write_sound(folder / f"{seed}.wav", seed)
        (folder / os.fsdecode(b"broken \xff\n.wav")).write_bytes(b"no sound")
    root = str(tmp_path / "classes")
    gone = {broken(folder) for folder in (tmp_path / "classes").iterdir()}
    assert run(["evaluate", root, "-m", "logmel", "--robustness", "none", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert set(told["classes"]) == {"one\nclass", r"other \xe9"}
    assert {from_text(failure["path"]) for failure in told["failures"]} == gone
    assert run(["models", "compare", root, "-m", "logmel", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {from_text(failure["path"]) for failure in told["failures"]} == gone


@LINUX
def test_a_library_that_held_escaped_paths_is_brought_up_to_date(sounds, tmp_path):
    with sonovec.Library(tmp_path / "library") as library:
        library.add(sounds)
        library._store.update({t.id: {"path": display(from_text(t.path))} for t in library.tracks()})
        gone = sounds / os.fsdecode(NAMES[5])
        kept = tmp_path / "kept.wav"
        shutil.move(gone, kept)
        assert library.search(gone, limit=1, include_self=True)[0].score == 1.0
        library._local.ledger_path.unlink()  # as where another machine indexed: the store alone knows the path
    with sonovec.Library(tmp_path / "library") as library:
        assert library.search(gone, limit=1, include_self=True)[0].score == 1.0
        shutil.move(kept, gone)
        assert library.add(sounds).counts.unchanged == len(NAMES)
        assert {from_text(track.path) for track in library.tracks()} == sounding(sounds)


@LINUX
def test_a_metadata_file_names_files_by_the_text_of_their_paths(sounds, tmp_path):
    with (tmp_path / "own.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["path", "mark"], *((to_text(path), n) for n, path in enumerate(sorted(sounding(sounds))))])
    with sonovec.Library(tmp_path / "library") as library:
        report = library.add(sounds, metadata=tmp_path / "own.csv")
        marks = {from_text(track.path): track.fields["mark"] for track in library.tracks()}
    assert report.metadata_unused == []
    assert marks == {path: n for n, path in enumerate(sorted(sounding(sounds)))}


@pytest.mark.slow
@LINUX
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", ""])
def test_printing_never_fails_for_the_encoding_of_a_terminal(sounds, tmp_path, encoding):
    place = str(tmp_path / "library")
    run(["index", str(sounds), "-l", place])
    environment = {**os.environ, "PYTHONIOENCODING": encoding} if encoding else {**os.environ, "LC_ALL": "C"}
    command = [sys.executable, "-m", "sonovec"]
    query = sounds / os.fsdecode(NAMES[8])
    for more in ([], ["--json"]):
        for asked in (["search", query, "-l", place, "--include-self"], ["tag", query], ["index", sounds, "-l", place]):
            done = subprocess.run([*command, *asked, *more], env=environment, capture_output=True, check=False)
            assert done.returncode == (asked[0] == "index"), done.stderr
            assert b"Traceback" not in done.stderr
            if more:
                told = json.loads(done.stdout.decode("ascii" if encoding in ("ascii", "cp1252") else "utf-8"))
                paths = [found["path"] for found in told.get("hits") or told.get("sounds") or told["failures"]]
                assert from_text(paths[0]) == (broken(sounds) if asked[0] == "index" else query)
