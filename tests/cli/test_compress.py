"""The command compress: it makes a space, or reports; and what it refuses."""

from __future__ import annotations

import json

import pytest

from sonovec.cli.main import run
from tests.explore.stored import clusters, library_of


@pytest.fixture
def place(tmp_path):
    library_of(tmp_path / "library", clusters(40)[0]).close()
    return str(tmp_path / "library")


def test_it_makes_a_space_and_says_how_to_search_it(place, capsys):
    assert run(["compress", place, "--to", "binary"]) == 0
    told = capsys.readouterr().out
    assert "4 bytes a vector, 32 times fewer than 'main'" in told
    assert f"sonovec search QUERY -l {place} --space main_binary --rerank main" in told
    assert run(["compress", place, "--to", "binary", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["tracks"], again["present"], again["bytes"]) == (0, 40, 4)
    assert run(["library", "spaces", place, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spaces"][1]["dtype"] == "binary"


def test_it_reports_some_kinds(place, capsys):
    assert run(["compress", place, "--report", "--to", "int8,8", "--no-indices", "--queries", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["to", "float32", "int8", "8"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--report"),
        (["--to", "int3"], "'int3' is unknown"),
        (["--to", "64"], "has 32 numbers|have 32 numbers"),
        (["--to", "8", "--labels", "folder"], "--labels works only with --report"),
        (["--report", "--name", "x"], "--name"),
        (["--report", "-o", "x.jpg"], "PNG"),
        (["--to", "8", "--space", "clap"], "no space 'clap'"),
    ],
)
def test_what_it_refuses(place, capsys, arguments, said):
    import re

    assert run(["compress", place, *arguments]) == 2
    assert re.search(said, capsys.readouterr().err)
