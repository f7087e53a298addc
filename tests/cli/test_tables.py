"""Tables on a terminal, of 40, 80 and 140 columns: each line fits, and what matters is there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import sonovec
from sonovec.cli.tables import CUT, Column, Sound, cut, fitted, for_programs
from tests.cli.terminal import on_terminal

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a terminal of Unix")

NAMES = {
    "field recordings 2024/on a tin roof/heavy rain with thunder, take 3.wav": None,
    "日本語の歌/長い名前の曲 - 第一楽章のテーマ.flac": None,
    "🎸 family band.wav": None,
    "שלום/שיר ארוך מאוד עם שם.wav": None,
    "a.flac": ("Stir It Up", "Bob Marley"),
    "b.flac": ("A Very Long Title of a Song That Goes On and On (Remastered 2011)", "The Band With the Long Name"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for number, (name, tags) in enumerate(NAMES.items()):
        path = folder / "Music" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        with soundfile.SoundFile(path, "w", 16000, 1) as file:
            if tags:
                file.title, file.artist = tags
            file.write(np.random.default_rng(number).standard_normal(16000 * (3 + number)) / 9)
    with sonovec.Library(folder / "library") as library:
        library.add(folder / "Music")
    return folder


@pytest.fixture
def drawn(folder):
    def run(width, *arguments):
        variables = {"COLUMNS": str(width), "TERM": "xterm", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
        done = on_terminal(*arguments, "-l", folder / "library", **variables)
        assert done.returncode == 0, done
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout.decode()).replace("\r", "")
        lines = [line.rstrip() for line in text.splitlines()]
        assert max(map(cell_len, lines)) <= width
        return lines

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "heading", "cut_name"),
    [
        (40, ["score", "sound", "match these"], "The Band …ed 2011)"),
        (80, ["score", "sound", "these seconds", "match these", "tags"], "The Band Wi…tered 2011)"),
        (140, ["score", "sound", "these seconds", "match these", "tags"], "The Band With the Long Name - A Very …"),
    ],
)
def test_hits(drawn, folder, width, heading, cut_name):
    lines = drawn(width, "search", folder / "Music" / "a.flac", "--include-self")
    assert re.split(" {2,}", lines[0]) == heading
    assert len(lines) == 2 + len(NAMES), "each hit is one line"
    assert any(cut_name in line for line in lines)
    assert any("Bob Marle" in line and "Stir" not in line.partition("Bob")[0] for line in lines)
    assert str(folder) not in "".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("command", ["list", "history", "stats"])
def test_lists(drawn, width, command):
    lines = drawn(width, command)
    if command == "list":
        assert re.split(" {2,}", lines[0]) == ["sound", "duration"] and len(lines) == 2 + len(NAMES)
    if command == "history":
        assert {"run", "date", "what", "failed"} <= set(lines[0].split()) and len(lines) == 3


TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("日é🎸א\u0301\u200d")), max_size=60
)


@given(TEXTS, st.integers(1, 40), st.sampled_from(["middle", "end"]))
def test_a_cut_text_is_no_wider_than_asked_and_made_of_its_own_ends(text, width, where):
    shown = cut(text, width, where)
    if shown == text:
        return
    begin, _, end = shown.rpartition(CUT) if where == "end" else shown.partition(CUT)
    assert cell_len(shown) <= width or width == 1
    assert text.startswith(begin) and text.endswith(end)


def test_accents_and_joined_emoji_are_not_torn_apart():
    family = "👨\u200d👩\u200d👧"
    assert cut(f"ab{family}cd", 4, "end") == f"ab{CUT}"
    assert cut("e\u0301" * 6, 4, "end") == "e\u0301" * 3 + CUT


def test_columns_go_by_their_number_and_a_rigid_one_is_never_cut():
    columns = [Column("a"), Column("b", spare=2), Column("c", "middle"), Column("d", spare=1)]
    row = ["x" * 10, "y" * 10, "z" * 30, "w" * 10]
    assert [column.name for column in fitted(columns, [row], 80)[0]] == ["a", "b", "c", "d"]
    assert [column.name for column in fitted(columns, [row], 40)[0]] == ["a", "c", "d"]
    kept, ((first, second),) = fitted(columns, [row], 30)
    assert [column.name for column in kept] == ["a", "c"] and first == row[0] and second == "zzzzzzzzz…zzzzzzzz"
    assert [column.name for column in fitted(columns, [["x", "", "", "w"]], 80)[0]] == ["a", "c", "d"], "b is empty"
    assert fitted(columns[:1], [row[:1]], 5)[1] == [[row[0]]]


def test_programs_get_whole_paths():
    assert for_programs(Sound("/a/b.wav", "b")) == "/a/b.wav"
    assert for_programs(None) == "" and for_programs(0.5) == "0.500"
    assert for_programs(Path("two\nlines")) == r"two\nlines"
