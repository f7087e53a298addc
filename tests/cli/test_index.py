"""``sonovec index`` as people type it: what is left out, withheld, asked and kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec.cli import main


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    (folder / "usb").mkdir(parents=True)
    for seed, name in enumerate(["usb/1.wav", "usb/2.wav", "a.wav", "b.wav"]):
        soundfile.write(folder / name, np.random.default_rng(seed).standard_normal(8000) / 8, 8000)
    return folder


@pytest.fixture
def index(capsys, sounds):
    """Index the sounds: exit code, what it printed, what it complained of."""

    def run(*options):
        capsys.readouterr()
        arguments = ["index", sounds, "-l", sounds.parent / "library", "-m", "logmel", *options]
        code = main.run([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    assert run()[0] == 0
    return run


def unmount(sounds: Path) -> None:
    for path in (sounds / "usb").iterdir():
        path.unlink()


def test_prune_withholds_what_may_be_a_disk_and_says_so(index, sounds):
    unmount(sounds)
    (sounds / "a.wav").unlink()
    code, out, _ = index()
    assert code == 0
    assert "1 file is gone from disk and still in the library; --prune removes them" in out
    said = next(line for line in out.splitlines() if "usb" in line)
    assert said.index("check that the disk is mounted") < said.index("--prune=all")
    assert "--prune " not in said
    code, out, _ = index("--prune")
    assert code == 1 and "1 file is gone from disk and removed from the library" in out and "2 files" in out
    code, out, _ = index("--prune", "--json")
    answer = json.loads(out)
    assert code == 1 and answer["withheld"] == [{"path": str(sounds / "usb"), "files": 2}]
    assert (answer["tracks"], answer["vanished"]) == (3, 0)
    code, out, _ = index("--json", "--prune=all")
    answer = json.loads(out)
    assert (code, answer["withheld"], answer["vanished"], answer["tracks"]) == (0, [], 2, 1)


@pytest.mark.parametrize("order", [["--prune"], ["--prune", "--reread"]])
def test_prune_takes_no_path_for_its_value(index, sounds, order, capsys):
    (sounds / "a.wav").unlink()
    arguments = ["index", *order, sounds, "-l", sounds.parent / "library"]
    assert main.run([str(argument) for argument in arguments]) == 0
    assert "removed from the library" in capsys.readouterr().out


def test_another_value_of_prune_is_refused(index):
    code, _, err = index("--prune=some")
    assert code == 2 and "--prune" in err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a terminal of its own")
@pytest.mark.parametrize(("answer", "left"), [("y\n", 2), ("n\n", 4), ("\n", 4)])
def test_on_a_terminal_it_asks(index, sounds, answer, left):
    import pty

    unmount(sounds)
    mine, theirs = pty.openpty()
    library = sounds.parent / "library"
    command = [sys.executable, "-m", "sonovec", "index", sounds, "-l", library, "--prune"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    os.write(mine, answer.encode())
    said = b""
    try:
        while block := os.read(mine, 4096):
            said += block
    except OSError:  # how a terminal ends on Linux
        pass
    assert process.wait() == (0 if left == 2 else 1), said
    text = " ".join(said.decode().split())
    assert "check that the disk is mounted" in text and "Remove 2 files from the library" in text
    answer = json.loads(subprocess.run([*command[:-1], "--json"], capture_output=True, check=False).stdout)
    assert answer["tracks"] == left


def test_what_is_left_out_is_named_and_counted(index, sounds):
    for number in range(5):
        shutil.copy(sounds / "a.wav", sounds / f"{number}.mp3.part")
    (sounds / ".git").mkdir()
    code, _, err = index()
    assert code == 0
    first = ", ".join(str(sounds / f"{number}.mp3.part") for number in range(3))
    assert err.splitlines() == [
        f"left out: {sounds / '.git'} (hidden: kept by version control)",
        f"left out: {first} and 2 more (an unfinished download)",
    ]
    answer = json.loads(index("--json")[1])
    assert len(answer["left_out"]) == answer["skipped"] == 6
    assert answer["left_out"][0] == {"path": str(sounds / ".git"), "reason": "hidden: kept by version control"}


def test_the_row_of_a_copy_is_said_to_be_kept(index, sounds, tmp_path):
    shutil.copy(sounds / "a.wav", sounds / "copy.wav")
    (tmp_path / "m.csv").write_text("path,label\nsounds/a.wav,dog\nsounds/copy.wav,animal\n")
    code, _, err = index("--metadata", tmp_path / "m.csv")
    assert code == 0
    copy, original = sounds / "copy.wav", sounds / "a.wav"
    assert f"metadata: {copy} is a copy of {original}: its row is kept with the copy" in err
    answer = json.loads(index("--metadata", tmp_path / "m.csv", "--json")[1])
    assert answer["metadata_copies"] == [{"path": str(copy), "copy_of": str(original)}]
    assert answer["metadata_unused"] == []


def test_names_that_are_taken_are_refused_before_a_library_is_made(sounds, tmp_path, capsys):
    for name, better in (
        ("_rowid", "rowid"),
        ("sound_tags", "my_sound_tags"),
        ("_Distance", "Distance"),
        ("is", "my_is"),
    ):
        (tmp_path / "m.csv").write_text(f"path,{name},good\nsounds/a.wav,1,2\n")
        for library in (tmp_path / "new", tmp_path / "new.db"):
            arguments = ["index", sounds, "-l", library, "-m", "logmel", "--metadata", tmp_path / "m.csv"]
            assert main.run([str(argument) for argument in arguments]) == 2
            assert f"column {name!r}" in (err := capsys.readouterr().err) and f"call it {better!r}" in err
            assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv", "sounds"]


def test_a_column_called_sound_tags_of_the_users_own(index, sounds, tmp_path, capsys):
    """Earlier versions took it with an encoder that scores no classes."""
    import sonovec

    with sonovec.Library(tmp_path / "library") as library:
        library._store.add_columns({"sound_tags": str})
    (tmp_path / "m.csv").write_text("path,sound_tags\nsounds/a.wav,dog barking\nsounds/b.wav,0.5\n")
    assert index("--metadata", tmp_path / "m.csv")[0] == 0
    capsys.readouterr()
    for more in ([], ["--json"]):
        assert (
            main.run(["search", str(sounds / "a.wav"), "-l", str(tmp_path / "library"), "--include-self", *more]) == 0
        )
        out, err = capsys.readouterr()
        assert "Traceback" not in err and "a.wav" in out
    with sonovec.Library(tmp_path / "library") as library:
        hits = library.search(sounds / "a.wav", include_self=True)
        assert [hit.tags for hit in hits] == [{}] * 4 and hits[0].fields["sound_tags"] == "dog barking"


def test_skipped_files_are_counted_by_reason_and_named_on_request(index, sounds):
    shutil.copy(sounds / "a.wav", sounds / "copy.wav")
    (sounds / "notes.txt").touch()
    (sounds / "cover.jpg").touch()
    (sounds / "link.wav").symlink_to(sounds / "a.wav")
    for again in range(2):
        code, out, _ = index()
        assert code == 0
        line = next(line for line in out.splitlines() if line.startswith("skipped: "))
        assert line == (
            "skipped: not audio (2); same content as another file (1); the same as another file (1); "
            "--show-skipped names the files"
        ), again
    _, out, _ = index("--show-skipped")
    named = {line for line in out.splitlines() if line.startswith("skipped: /")}
    assert named == {
        f"skipped: {sounds / 'copy.wav'} (same content as {sounds / 'a.wav'})",
        f"skipped: {sounds / 'cover.jpg'} (not audio)",
        f"skipped: {sounds / 'link.wav'} (the same as {sounds / 'a.wav'})",
        f"skipped: {sounds / 'notes.txt'} (not audio)",
    }
    _, out, _ = index("--json", "--show-skipped")
    told = json.loads(out)
    assert sum(told["skipped_by_reason"].values()) == told["skipped"] == len(told["skipped_files"]) == 4
    _, out, _ = index("--json")
    assert "skipped_files" not in json.loads(out)


def test_moves_and_metadata_rows_are_counted(index, sounds):
    (sounds / "a.wav").rename(sounds / "new name.wav")
    (sounds / "my.csv").write_text("path,mood\nb.wav,calm\nnew name.wav,wild\nnowhere.wav,odd\n")
    _, out, err = index("--metadata", sounds / "my.csv")
    assert "1 file was moved; the vectors were kept" in out
    assert "metadata: 2 rows applied, 1 not matched" in out
    assert "metadata: no file of this run for nowhere.wav" in err
    _, out, _ = index("--json", "--metadata", sounds / "my.csv")
    told = json.loads(out)
    assert (told["moved"], told["metadata_applied"], told["metadata_unused"]) == (0, 2, ["nowhere.wav"])
