"""Finding files: order, links, endings, what cannot be read, and that everything is accounted for."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from sonovec.audio.scan import Found, Skipped, scan

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


def names(*paths: Path) -> list[str]:
    return [item.path.name for item in scan(paths) if isinstance(item, Found)]


def reasons(*paths: Path) -> dict[str, tuple[str, bool]]:
    return {item.path.name: (item.reason, item.failed) for item in scan(paths) if isinstance(item, Skipped)}


def make(folder: Path, *files: str, content: bytes = b"x") -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)


def test_folders_are_walked_in_order(tmp_path: Path) -> None:
    make(tmp_path, "b/2.mp3", "b/1.wav", "a.flac", "c.OGG", "b/z/0.m4a", "B.wav")
    (tmp_path / "empty").mkdir()
    assert names(tmp_path) == ["B.wav", "a.flac", "1.wav", "2.mp3", "0.m4a", "c.OGG"]
    assert reasons(tmp_path) == {}


def test_found_has_size_and_time(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", content=b"12345")
    os.utime(tmp_path / "a.wav", ns=(1, 1_700_000_000_123_456_700))
    (item,) = scan([tmp_path])
    assert isinstance(item, Found)
    assert (item.path, item.size) == (tmp_path / "a.wav", 5)
    assert item.mtime_ns == (tmp_path / "a.wav").stat().st_mtime_ns


def test_hidden_names_are_left_out_of_folders_only(tmp_path: Path) -> None:
    make(tmp_path, ".hidden.wav", ".git/b.wav", "._c.mp3", "d.wav")
    assert names(tmp_path) == ["d.wav"]
    assert reasons(tmp_path) == dict.fromkeys([".hidden.wav", ".git", "._c.mp3"], ("hidden", False))
    assert names(tmp_path / ".hidden.wav", tmp_path / ".git") == [".hidden.wav", "b.wav"]


def test_what_is_not_audio_is_left_out_unless_it_is_given(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b.jpg", "c.csv", "d.json", "e.pdf", "README", "empty")
    (tmp_path / "empty").write_bytes(b"")
    assert names(tmp_path) == []
    assert set(reasons(tmp_path).values()) == {("not audio", False)}
    assert len(reasons(tmp_path)) == 7
    assert names(tmp_path / "a.txt") == ["a.txt"]


ENDINGS = ["wav", "flac", "ogg", "opus", "mp3", "aiff", "caf", "w64", "au", "rf64", "m4a", "wma", "webm", "aac", "mp2"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", ["no_ending", "wrong.txt"])
def test_audio_is_found_by_its_content(encoded: Callable[[str], Path], tmp_path: Path, ending: str, name: str) -> None:
    (tmp_path / name).write_bytes(encoded(ending).read_bytes())
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff\xe0 JPEG",
        b"\x00\x00\x00\x18ftypheic",
        b"RIFF0000WEBP",
        "\ufeffwords".encode("utf-16-le"),
        b"\xff",
    ],
)
def test_what_only_resembles_audio_is_left_out(tmp_path: Path, content: bytes) -> None:
    make(tmp_path, "thing", content=content)
    assert reasons(tmp_path) == {"thing": ("not audio", False)}


def test_missing_paths_fail(tmp_path: Path) -> None:
    make(tmp_path, "a.wav")
    items = list(scan([tmp_path / "gone", tmp_path / "a.wav", tmp_path / "a.wav" / "b"]))
    assert items[0] == Skipped(tmp_path / "gone", "no such file or folder", failed=True)
    assert isinstance(items[1], Found)
    assert isinstance(items[2], Skipped)
    assert items[2].failed
    assert [item.failed for item in scan(["nul\0"]) if isinstance(item, Skipped)] == [True]


@posix
def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    make(tmp_path, "a/x.wav", "other/y.wav")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "to_other").symlink_to(tmp_path / "other")
    (tmp_path / "a" / "broken.wav").symlink_to("gone.wav")
    (tmp_path / "a" / "broken.txt").symlink_to("gone.txt")
    assert names(tmp_path / "a") == ["y.wav", "x.wav"]
    found = reasons(tmp_path / "a")
    assert found.pop("loop") == (f"the same as {tmp_path / 'a'}", False)
    assert found.pop("broken.wav") == ("no such file or folder", True)
    assert found.pop("broken.txt") == ("no such file or folder", False)
    assert found.pop("self")[0].startswith("cannot be read (")
    assert found == {}


@posix
def test_a_file_that_is_reached_twice_counts_once(tmp_path: Path) -> None:
    make(tmp_path, "a.wav")
    (tmp_path / "b.wav").symlink_to("a.wav")
    os.link(tmp_path / "a.wav", tmp_path / "c.wav")
    assert names(tmp_path, tmp_path, tmp_path / "a.wav") == ["a.wav"]
    assert reasons(tmp_path)["b.wav"] == (f"the same as {tmp_path / 'a.wav'}", False)


@posix
def test_pipes_are_left_out_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert reasons(tmp_path) == {"pipe.wav": ("neither a file nor a folder", False)}
    assert reasons(tmp_path / "pipe.wav") == {"pipe.wav": ("neither a file nor a folder", True)}


@posix
def test_the_walk_goes_on_where_a_folder_cannot_be_read(tmp_path: Path) -> None:
    make(tmp_path, "a/1.wav", "b/2.wav", "c/3.wav", "secret", "sealed.wav/4.wav")
    (tmp_path / "b").chmod(0)
    (tmp_path / "secret").chmod(0)
    code = (
        "import os, sys\n"
        "from sonovec.audio.scan import scan\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "for item in scan(sys.argv[1:]):\n"
        "    print(item.path.name, getattr(item, 'reason', ''), getattr(item, 'failed', ''))\n"
    )
    for folder in [tmp_path, *tmp_path.parents[:-2]]:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o755)
    command = [sys.executable, "-c", code, tmp_path, tmp_path / "b" / "2.wav"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (tmp_path / "b").chmod(0o700)
    assert [line.strip() for line in done.stdout.splitlines()] == [
        "1.wav",
        "b may not be read True",
        "3.wav",
        "4.wav",
        "secret may not be read True",
        "2.wav may not be read True",
    ]
    assert done.stderr == ""


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path / os.fsdecode(b"latin-\xe9 \n.wav"))
    Path(os.fsdecode(raw)).write_bytes(b"x")
    (item,) = scan([tmp_path])
    assert os.fsencode(item.path) == raw


def test_folders_may_be_nested_deeper_than_calls(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(min(900, (3500 - len(str(tmp_path))) // 2)):
        folder = folder / "d"
        folder.mkdir()
    make(folder, "a.wav")
    assert names(tmp_path) == ["a.wav"]


def test_the_walk_is_lazy_and_complete(tmp_path: Path) -> None:
    files = [f"{folder}/{number:03}.{ending}" for folder in "abc" for number in range(100) for ending in ("wav", "txt")]
    make(tmp_path, *files)
    assert len(list(islice(scan([tmp_path, tmp_path / "gone"]), 3))) == 3
    items = list(scan([tmp_path]))
    assert len(items) == len(files)
    assert [item.path for item in items] == sorted(tmp_path / file for file in files)
