"""``sonovec library``: roots are listed, moved and renamed."""

from __future__ import annotations

import json

import pytest

import sonovec
from sonovec.cli.main import run
from tests.library.test_ingest import write


@pytest.fixture
def library(tmp_path):
    for index in range(2):
        write(tmp_path / "music" / f"{index}.wav", index)
    place = tmp_path / "library"
    with sonovec.Library(place, model="logmel") as made:
        made.add(tmp_path / "music")
    return str(place)


def test_roots_are_listed_moved_and_renamed(tmp_path, library, capsys):
    assert run(["library", "roots", library]) == 0
    assert capsys.readouterr().out.splitlines() == ["root\tfolder\tfiles", f"music\t{tmp_path / 'music'}\t2"]
    (tmp_path / "music").rename(tmp_path / "songs")
    assert run(["library", "move-root", library, str(tmp_path / "music"), str(tmp_path / "songs")]) == 0
    assert capsys.readouterr().out == f"music: {tmp_path / 'songs'}, 2 files\n"
    assert run(["library", "rename-root", library, "music", "songs", "--json"]) == 0
    root = {"alias": "songs", "folder": str(tmp_path / "songs"), "files": 2}
    assert json.loads(capsys.readouterr().out) == root
    assert run(["library", "roots", library, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"library": library, "roots": [root]}
    assert run(["search", str(tmp_path / "songs" / "0.wav"), "-l", library, "--include-self", "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert [hit["path"] for hit in hits] == [str(tmp_path / "songs" / f"{index}.wav") for index in range(2)]


def test_a_root_that_is_on_another_machine_is_said_with_what_to_run(tmp_path, library, capsys):
    for file in (tmp_path / "library").glob("ledger.sqlite*"):
        file.unlink()
    assert run(["library", "roots", library]) == 0
    assert "music\tnot on this machine\t0" in capsys.readouterr().out
    assert run(["search", str(tmp_path / "music" / "0.wav"), "-l", library, "--include-self"]) == 0
    told = capsys.readouterr()
    assert "music:/0.wav" in told.out
    assert f"sonovec library move-root {library} music FOLDER" in told.err
    assert run(["library", "move-root", library, "music", str(tmp_path / "music")]) == 0
    assert run(["search", str(tmp_path / "music" / "0.wav"), "-l", library, "--include-self"]) == 0
    told = capsys.readouterr()
    assert str(tmp_path / "music" / "0.wav") in told.out and "move-root" not in told.err


def test_what_is_wrong_is_one_line(tmp_path, library, capsys):
    assert run(["library", "move-root", library, "nope", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "sonovec: no root 'nope'; the roots are 'music'\n"
    assert run(["library", "roots", str(tmp_path / "none")]) == 2
    assert "no library here" in capsys.readouterr().err
