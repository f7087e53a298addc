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
    status = (tmp_path / "a.wav").stat()
    assert (item.mtime_ns, item.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)


RIFF = b"RIFF\0\0\0\0WAVE"


def left_out(*paths: Path) -> dict[str, str]:
    return {item.path.name: item.reason for item in scan(paths) if isinstance(item, Skipped) and item.by_custom}


MUSIC = [
    "...And Justice for All/1.mp3", ".38 Special/Hold On.mp3", ".hack/sign.ogg", ".mp3/a.wav", "Git/a.wav",
    "Trash/a.wav", "Recycler/a.wav", "cache/a.wav", "sync/a.wav", "a.download/b.wav", "part/a.part.wav",
]  # fmt: skip


@pytest.mark.parametrize("name", MUSIC)
def test_names_of_music_are_entered_whatever_they_begin_with(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    assert names(tmp_path) == [Path(name).name]
    assert reasons(tmp_path) == {}


HIDDEN = [
    ".git", ".hg", ".Trash", ".Trash-1000", ".Trashes", "$RECYCLE.BIN", ".thumbnails", ".cache", ".stfolder", ".stversions",
    ".sync", ".dropbox.cache", ".AppleDouble", ".Spotlight-V100", ".fseventsd", "System Volume Information", "lost+found",
    "@eaDir", "#recycle", ".snapshot", ".config", ".local", ".venv", ".SPOTLIGHT-v100",
]  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_what_systems_and_programs_hide_is_one_row_for_the_folder(tmp_path: Path, name: str) -> None:
    make(tmp_path, f"{name}/deep/a.wav", f"{name}/b.wav", "c.wav")
    assert names(tmp_path) == ["c.wav"]
    ((hidden, reason),) = left_out(tmp_path).items()
    assert hidden == name and reason.startswith("hidden: ")
    assert names(tmp_path / name) == ["b.wav", "a.wav"], "a folder that is given is entered"


def test_files_with_a_dot_are_found_if_they_begin_like_audio(tmp_path: Path) -> None:
    make(tmp_path, ".intro.wav", "...song", "._real.wav", ".mp3", content=RIFF)
    make(tmp_path, ".junk.wav", ".DS_Store", ".hidden", content=b"words")
    make(tmp_path, "._song.mp3", "._empty.flac", content=b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    (tmp_path / "._empty.flac").write_bytes(b"")
    assert names(tmp_path) == ["...song", "._real.wav", ".intro.wav", ".mp3"]
    assert left_out(tmp_path) == {
        ".junk.wav": "hidden: it does not begin like audio",
        "._song.mp3": "hidden: a resource fork of macOS",
        "._empty.flac": "hidden: a resource fork of macOS",
    }
    assert reasons(tmp_path)[".DS_Store"] == ("not audio", False)
    assert names(tmp_path / ".junk.wav") == [".junk.wav"], "a file that is given is found"


UNFINISHED = [
    "a.mp3.part", "a.mp3.crdownload", "Unconfirmed 1234.crdownload", "a.mp3.download", "a.wav.partial", "a.webm.part-Frag3",
    "a.flac.filepart", "a.mp3.!qB", "a.mp3.PART", ".pending-1700000000-a.mp3", ".a.mp3.Xa3f9K",
]  # fmt: skip


@pytest.mark.parametrize("name", UNFINISHED)
def test_what_is_not_finished_is_left_out_and_said(tmp_path: Path, name: str) -> None:
    make(tmp_path, name, content=RIFF)
    assert left_out(tmp_path) == {name: "an unfinished copy" if name == ".a.mp3.Xa3f9K" else "an unfinished download"}
    assert names(tmp_path / name) == [name], "a file that is given is found"


def test_other_files_that_hold_sound_and_are_no_music(tmp_path: Path) -> None:
    make(
        tmp_path,
        "a.wav.tmp",
        ".trashed-1700-b.mp3",
        ".fuse_hidden0000001200000003",
        "c.mp3.download/c.mp3",
        content=RIFF,
    )
    assert names(tmp_path) == []
    assert left_out(tmp_path) == {
        "a.wav.tmp": "a temporary file",
        ".trashed-1700-b.mp3": "hidden: in Android's waste basket",
        ".fuse_hidden0000001200000003": "hidden: deleted while it was open",
        "c.mp3.download": "an unfinished download",
    }


def test_libraries_are_one_row_and_what_is_ones_own_is_none(tmp_path: Path) -> None:
    make(
        tmp_path,
        "lance/tracks.lance/data/1.lance",
        "lance/x.wav",
        "half/library.json",
        "half/ledger.sqlite",
        "half/x.wav",
    )
    make(tmp_path, "milvus.db/LOCK", "milvus.db/collections/x.wav", "music/library.json", "music/a.wav", "mine/b.wav")
    found = list(scan([tmp_path], is_own=lambda path: path.name == "mine"))
    assert [item.path.name for item in found if isinstance(item, Found)] == ["a.wav"]
    assert [(item.path.name, item.reason) for item in found if isinstance(item, Skipped)] == [
        ("half", "a library of sonovec"),
        ("lance", "a library of sonovec"),
        ("milvus.db", "a library of sonovec"),
        ("library.json", "not audio"),
    ]
    (given,) = scan([tmp_path / "lance"])
    assert isinstance(given, Skipped) and given.failed


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
    assert names(tmp_path, tmp_path, tmp_path / "a.wav") == ["a.wav"]
    assert reasons(tmp_path)["b.wav"] == (f"the same as {tmp_path / 'a.wav'}", False)
    assert [item.first for item in scan([tmp_path]) if isinstance(item, Skipped)] == [tmp_path / "a.wav"]


@posix
def test_another_name_of_a_file_is_a_file(tmp_path: Path) -> None:
    """Its content says that it is a copy; the number of a file would, too, but cannot be trusted everywhere."""
    make(tmp_path, "a.wav")
    os.link(tmp_path / "a.wav", tmp_path / "c.wav")
    assert names(tmp_path) == ["a.wav", "c.wav"]


@posix
@pytest.mark.parametrize("number", [0, 7])
def test_file_systems_that_give_all_files_one_number(tmp_path: Path, monkeypatch, number: int) -> None:
    make(tmp_path, "a/1.wav", "a/2.wav", "b/1.wav")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "b" / "link.wav").symlink_to(tmp_path / "a" / "1.wav")
    original, original_scandir = os.stat, os.scandir

    def lying(status: os.stat_result) -> os.stat_result:
        fields = list(status[:10])
        fields[1], fields[2] = number, 1
        return os.stat_result(fields, {name: getattr(status, name) for name in dir(status) if name.endswith("_ns")})

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self._entry = entry

        def __getattr__(self, name: str) -> object:
            return getattr(self._entry, name)

        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            return lying(self._entry.stat(follow_symlinks=follow_symlinks))

        def inode(self) -> int:
            return number

    class Listing(list):
        def __enter__(self):
            return self

        def __exit__(self, *exception: object) -> None:
            pass

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda *args, **more: lying(original(*args, **more)))
        patch.setattr(os, "scandir", lambda path: Listing(map(Entry, original_scandir(path))))
        items = list(scan([tmp_path]))
    found = [str(item.path.relative_to(tmp_path)) for item in items if isinstance(item, Found)]
    assert found == ["a/1.wav", "a/2.wav", "b/1.wav"]
    assert {item.path.name: item.first for item in items if isinstance(item, Skipped)} == {
        "loop": tmp_path,
        "link.wav": tmp_path / "a" / "1.wav",
    }


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
