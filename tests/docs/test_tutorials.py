"""The tutorials are run, and print what their pages say: the same words, and numbers that are about the same."""

from __future__ import annotations

import importlib.util
import os
import re
from itertools import zip_longest
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="their commands are typed into a terminal of POSIX")

spec = importlib.util.spec_from_file_location("make_tutorials", FOLDER / "make.py")
assert spec and spec.loader
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

#: What differs from run to run and from machine to machine: times, speed, dates, bytes (numbers such as 481,461).
TAKEN = re.compile(
    r"[\d.]+ s \([\d.]+ x real time\)|(?<=\t)[\d.]+(?=\t?$)|[\d.]+ (?=s for an hour)"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d{1,3}(,\d{3})+",
    re.M,
)
WORDS = re.compile(r"\d+\.\d+|\d+|[^\W\d_]+|[^\w\s]")
#: The frames of tables are as wide as what is in them.
FRAMES = re.compile(r"[─-╿]+")


def words(page: str) -> list[str]:
    return WORDS.findall(FRAMES.sub(" ", TAKEN.sub("taken", page)))


def alike(a: str | None, b: str | None) -> bool:
    """Whether two words are the same, or two scores that are the same to about two decimals."""
    if a == b:
        return True
    decimals = re.compile(r"\d+\.\d+")
    return bool(a and b and decimals.fullmatch(a) and decimals.fullmatch(b) and abs(float(a) - float(b)) < 0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", make.NAMES)
def test_a_tutorial_prints_what_its_page_says(name, tmp_path):
    made = make.run(name, tmp_path).read_text("utf-8")
    kept = (FOLDER / f"{name}.md").read_text("utf-8")
    lines = zip_longest(made.split("\n"), kept.split("\n"), fillvalue="")
    differing = [pair for pair in lines if not all(alike(*two) for two in zip_longest(*map(words, pair)))]
    told = "\n".join(f"- {page}\n+ {run}" for run, page in differing[:10])
    assert not differing, f"run: python docs/tutorials/make.py {name}\n{told}"
    pictures = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert pictures == set(re.findall(r"\(pictures/(\S+?)\)", kept))
    assert pictures == {path.name for path in (FOLDER / "pictures").glob(f"{name}-*")}


def test_every_script_is_a_tutorial_and_has_a_page():
    assert {path.stem for path in FOLDER.glob("*.py")} == {*make.NAMES, "make", "shell"}
    assert {path.stem for path in FOLDER.glob("*.md")} == set(make.NAMES)


def test_words_and_numbers_are_compared_as_they_must():
    assert words("│ 0.812 │ /a ┃\n6.3 min of sound in 5.4 s (70 x real time)") == words(
        "┃ 0.812 /a\n6.3 min of sound in 15.4 s (7 x real time)"
    )
    assert words("on 2026-11-29 05:51:41: 481,461 bytes") == words("on 2027-01-02 15:00:00: 1,236,834 bytes")
    assert alike("0.812", "0.809") and not alike("0.812", "0.84") and not alike("3", "4") and not alike("3", None)
