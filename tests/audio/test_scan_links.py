"""A scan that remembers no files finds the same as one that remembers them all, whatever links lead where."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.audio.scan import Found, Skipped, scan

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links")

FOLDERS = ["a", "b", "a/c", "b/.git", "lib"]
NAMES = ["1.wav", "2.wav", "3.part", "4.txt", "5", "l"]
places = st.tuples(st.sampled_from(["", *FOLDERS]), st.sampled_from(NAMES)).map(
    lambda pair: "/".join(filter(None, pair))
)
trees = st.fixed_dictionaries(
    {
        "files": st.sets(places, max_size=8),
        "links": st.dictionaries(places, st.one_of(places, st.sampled_from(["", *FOLDERS])), max_size=6),
        "roots": st.lists(st.one_of(st.sampled_from(["", *FOLDERS]), places), min_size=1, max_size=3),
    }
)


def make(root: Path, tree) -> None:
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "lib" / "tracks.lance").touch()
    for name in tree["files"]:
        (root / name).write_bytes(b"RIFF\0\0\0\0WAVE" if name.endswith("5") else b"words")
    for name, target in tree["links"].items():
        if name not in tree["files"]:
            (root / name).symlink_to(root / target)


def remembering(items):
    """What is left of a scan that lets no file count twice: by where each file really lies."""
    seen: dict[str, Path] = {}
    for item in items:
        real = os.path.realpath(item.path)
        if isinstance(item, Found) or item.first is not None:
            yield item, seen.setdefault(real, item.path)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_each_file_counts_once_and_the_others_name_it(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("scan")
    make(root, tree)
    items = list(scan([root / name for name in tree["roots"]]))
    found = [os.path.realpath(item.path) for item in items if isinstance(item, Found)]
    assert len(found) == len(set(found)), "a file counts twice"
    for item, first in remembering(items):
        if isinstance(item, Skipped) and not item.path.is_dir():
            assert item.first == first, "it names the first way that led there"
            assert item.reason == f"the same as {first}"
    by_name = {os.path.realpath(item.path) for item in items if isinstance(item, Skipped) and item.first}
    assert {real for real in by_name if Path(real).is_file()} <= set(found), "left out for a file that was not found"
    shutil.rmtree(root)
