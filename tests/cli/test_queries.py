"""Many queries of one search, and paths from files and other programs."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import sonovec
from sonovec.cli.main import cli, run
from sonovec.cli.options import given_paths
from sonovec.errors import UsageError

NAMES = ("rain", "wind\n2", "bell é")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("queries")
    (folder / "sounds").mkdir()
    for number, name in enumerate(NAMES):
        noise = np.random.default_rng(number).standard_normal(8000 * 2) / 9
        soundfile.write(folder / "sounds" / f"{name}.wav", noise, 8000)
    with sonovec.Library(folder / "library", model="logmel") as library:
        library.add(folder / "sounds")
    return folder


@pytest.fixture
def sounds(folder):
    return [str(folder / "sounds" / f"{name}.wav") for name in NAMES]


@pytest.fixture
def given(monkeypatch, tmp_path):
    """Put something on the standard input."""

    def give(content):
        path = tmp_path / "stdin"
        path.write_bytes(content)
        monkeypatch.setattr("sys.stdin", path.open(encoding="utf-8"))

    return give


def answers(capsys, folder, *arguments, code=0):
    capsys.readouterr()
    assert run(["search", *arguments, "-l", str(folder / "library"), "--json", "--include-self"]) == code
    return json.loads(capsys.readouterr().out)


def test_each_query_is_answered_and_one_that_fails_stops_no_other(capsys, folder, sounds):
    single = answers(capsys, folder, sounds[0], "-n", "2")
    many = answers(capsys, folder, sounds[0], "nowhere.wav", sounds[2], "-n", "2", code=1)
    assert set(many) == {"library", "queries"}
    first, failed, last = many["queries"]
    assert {**first, "library": single["library"]} == single
    assert set(failed) == {"query", "error"} and "nowhere.wav: no such file" in failed["error"]
    assert last["hits"][0]["path"] == sounds[2]
    assert run(["search", sounds[0], sounds[2], "-l", str(folder / "library"), "-n", "1", "--include-self"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:3] == ["query", "score", "path"]
    assert [line[0] for line in lines[1:]] == [line[2] for line in lines[1:]] == [sounds[0], sounds[2]]


def test_queries_from_the_standard_input_and_from_a_file(capsys, folder, sounds, given, tmp_path):
    given(f"{sounds[0]}\r\n\n{sounds[2]}\n".encode())
    found = answers(capsys, folder, "-")
    assert [each["query"] for each in found["queries"]] == [sounds[0], sounds[2]]
    given(f"{sounds[0]}\n".encode())
    assert len(answers(capsys, folder, "-")["queries"]) == 1, "a list of one is a list"
    given("\0".join(sounds).encode() + b"\0")
    assert [each["query"] for each in answers(capsys, folder, "-", "-0")["queries"]] == sounds
    (tmp_path / "list").write_text(sounds[2])
    found = answers(capsys, folder, sounds[0], "--files-from", str(tmp_path / "list"))
    assert [each["query"] for each in found["queries"]] == [sounds[0], sounds[2]]
    given(b"")
    assert answers(capsys, folder, "-")["queries"] == []


def test_a_playlist_of_many_queries_names_each_sound_once(capsys, folder, sounds):
    assert run(["search", sounds[0], sounds[2], "-l", str(folder / "library"), "--m3u"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "#EXTM3U" and sorted(out[2::2]) == sorted([sounds[0], sounds[2]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either a sound or words"),
        (["a.wav", "--text", "rain"], "give either a sound or words"),
        (["a.wav", "-0"], "--null says how paths are read; add -"),
        (["-", "-"], "- is given twice"),
        (["a.wav", "b.wav", "--places"], "--places is for one QUERY"),
        (["a.wav", "b.wav", "--filter", "loud > 3"], "loud"),
        (["a.wav", "--files-from", "nowhere"], "--files-from nowhere: cannot be read (No such file or directory)"),
        (["a.wav", "--json", "--m3u"], "--json and --m3u are different forms of one answer"),
        (["a.wav", "--start", "1:75"], "'1:75' is not a time; give seconds, such as 80, or 1:20"),
    ],
)
def test_refusals(folder, capsys, arguments, message):
    assert run(["search", *arguments, "-l", str(folder / "library")]) == 2
    assert message in capsys.readouterr().err


def test_no_library_is_one_error_for_all_queries(tmp_path, capsys, sounds):
    assert run(["search", *sounds, "-l", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("no library here") == 1


def test_a_list_of_paths_goes_from_one_command_to_the_next(folder, tmp_path):
    """`list -0` names them byte for byte, and `index -0` reads them so."""

    def sonovec_(*arguments, given=b""):
        done = CliRunner().invoke(cli, list(map(str, arguments)), input=given, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout_bytes

    listed = sonovec_("list", "-l", folder / "library", "-0")
    assert listed.count(b"\0") == 3
    sonovec_("index", "-", "-0", "-l", tmp_path / "copy", "-m", "logmel", given=listed)
    assert sonovec_("list", "-l", tmp_path / "copy", "-0") == listed


def test_embed_reads_a_list(folder, sounds, tmp_path, capsys):
    (tmp_path / "list").write_bytes(b"\0".join(map(os.fsencode, sounds[:2])))
    arguments = ["--files-from", str(tmp_path / "list"), "-0", "-m", "logmel", "--json"]
    assert run(["embed", *arguments, "-o", str(tmp_path / "out.npy")]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2
    assert run(["embed", "-o", str(tmp_path / "out.npy")]) == 2
    assert "no paths; give some, or - to read them from the standard input" in capsys.readouterr().err


def test_bytes_that_are_no_utf8_are_kept():
    with CliRunner().isolation(input=b"a\xff.wav\nb.wav\n"):
        assert [os.fsencode(path) for path in given_paths(["-"], None, False)] == [b"a\xff.wav", b"b.wav"]
    with pytest.raises(UsageError, match="no paths"):
        given_paths([], None, False)
