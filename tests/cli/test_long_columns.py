"""Columns with long texts for programs: views leave them out or show how long they are; nothing else loses them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import sonovec
from sonovec import demo
from sonovec.cli.main import cli
from sonovec.library.long_texts import LONG


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    demo.write(folder / "sounds", per_kind=1)
    with sonovec.Library(folder / "library", model="logmel") as library:
        library.add(folder / "sounds" / "bells", analysers=["fingerprint"])
    return folder


@pytest.fixture(scope="module")
def fingerprint(folder):
    with sonovec.Library(folder / "library") as library:
        [track] = library.tracks()
        assert "fingerprint" not in track._repr_html_() and "fingerprint" in LONG
        hit = library.search(track.path, include_self=True)[0]
        assert "fingerprint" not in hit.to_json() and "fingerprint" not in hit._repr_html_()
        return hit["fingerprint"]


def output(folder, command, *arguments):
    result = CliRunner().invoke(cli, [command, *arguments, "-l", str(folder / "library")], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_show_tells_how_long_it_is(folder, fingerprint):
    [track] = json.loads(output(folder, "list", "--json", "--columns", "id"))["tracks"]
    told = output(folder, "show", track["id"])
    assert f"({len(fingerprint):,} characters; --json has all)" in told and fingerprint not in told
    assert json.loads(output(folder, "show", track["id"], "--json"))["fields"]["fingerprint"] == fingerprint


def test_list_has_it_in_json_or_where_it_is_asked_for(folder, fingerprint):
    assert fingerprint not in output(folder, "list", "--columns", "all")
    assert fingerprint in output(folder, "list", "--columns", "path,fingerprint")
    [track] = json.loads(output(folder, "list", "--columns", "all", "--json"))["tracks"]
    assert track["fingerprint"] == fingerprint
