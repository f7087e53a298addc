"""A library that cannot be written: searched in every way, and refused before any work where it would be written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Outcome

CLI = (sys.executable, "-m", "sonovec")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    (folder / "sounds").mkdir()
    for seed in range(3):
        samples = np.random.default_rng(seed).standard_normal(16000) / 8
        soundfile.write(folder / "sounds" / f"{seed}.wav", samples, 16000)
    shutil.copy(folder / "sounds" / "0.wav", folder / "sounds" / "copy.wav")
    with sonovec.Library(folder / "library") as library:
        library.add(folder / "sounds")
    (folder / "sounds" / "2.wav").unlink()
    return folder


@pytest.fixture
def library(made, tmp_path, read_only):
    shutil.copytree(made / "library", tmp_path / "library")
    return read_only(tmp_path / "library")


def hits(run):
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)["hits"]


SEARCH = """
import json, sys, sonovec
library, sounds = sonovec.Library(sys.argv[1]), sys.argv[2]
first = lambda found: [(hit.id, hit.path, hit.score) for hit in found][:1][0]
search = lambda *query, **options: library.search(*query, include_self=True, **options)
told = {name: first(search(f"{sounds}/{name}")) for name in ("0.wav", "1.wav", "2.wav", "copy.wav")}
told["id"] = first(search(told["1.wav"][0]))
told["part"] = first(search(f"{sounds}/1.wav", start=0.1))
told["segment"] = first(search(f"{sounds}/1.wav", level="segment"))
told["filter"] = first(search(f"{sounds}/0.wav", filter="path contains '1.wav'"))
told["words"] = len(library.search_text("static noise").hits)
told["tracks"] = len(library.tracks())
told["seen"] = library.ledger.summary().found
print(json.dumps(told))
"""


@pytest.mark.slow
def test_it_is_searched_by_files_parts_tracks_words_and_filters(made, library, run_as_user):
    before = sorted((path, path.stat().st_mtime_ns) for path in library.rglob("*"))
    run = run_as_user(sys.executable, "-c", SEARCH, library, made / "sounds")
    assert run.returncode == 0 and run.stderr == "", run.stderr
    told = json.loads(run.stdout)
    names = {
        "0.wav": "0.wav",
        "copy.wav": "0.wav",
        "1.wav": "1.wav",
        "2.wav": "2.wav",
        "id": "1.wav",
        "segment": "1.wav",
    }
    for query, name in names.items():  # 2.wav is gone from the disk
        assert told[query][1:] == [str(made / "sounds" / name), pytest.approx(1, abs=1e-4)]
    assert Path(told["part"][1]).name == Path(told["filter"][1]).name == "1.wav"
    assert (told["words"], told["tracks"], told["seen"]) == (3, 3, 4)
    assert sorted((path, path.stat().st_mtime_ns) for path in library.rglob("*")) == before, "nothing is made"


@pytest.mark.slow
def test_adding_is_refused_in_a_line_before_anything_is_decoded(made, library, run_as_user):
    (broken := library.parent / "broken.wav").write_text("words")
    for paths in ([made / "sounds"], [broken]):
        run = run_as_user(*CLI, "index", *paths, "-l", library)
        assert run.returncode == 2 and run.stdout == ""
        assert run.stderr == (
            f"sonovec: {library}: cannot be written (Permission denied); it can be searched as it is; to add sounds, get the "
            "right to write it, or index into another library: sonovec index PATH -l NEW\n"
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "closed", ["tables/tracks.lance/_versions", "tables/main.segments.lance/data", "ledger.sqlite"]
)
def test_adding_where_only_a_part_can_be_written_is_refused_as_well(made, tmp_path, run_as_user, read_only, closed):
    """Such as a library that root has made in a folder of one's own."""
    shutil.copytree(made / "library", tmp_path / "library")
    read_only(tmp_path / "library" / closed)
    run = run_as_user(*CLI, "index", made / "sounds", "-l", tmp_path / "library")
    assert run.returncode == 2 and "cannot be written (Permission denied); it can be searched as it is" in run.stderr
    assert hits(run_as_user(*CLI, "search", made / "sounds" / "0.wav", "-l", tmp_path / "library", "--json"))


@pytest.mark.slow
def test_a_new_library_where_nothing_can_be_written_is_refused_in_a_line(made, library, run_as_user):
    for place in (library / "new", library / "new.db"):
        run = run_as_user(*CLI, "index", made / "sounds", "-l", place)
        assert run.returncode == 2 and run.stderr.count("\n") == 1
        assert f"{place}: cannot be written (Permission denied)" in run.stderr, run.stderr


@pytest.mark.slow
def test_milvus_lite_says_that_it_cannot_be_read_without_being_written(made, tmp_path, run_as_user, read_only):
    (tmp_path / "place").mkdir()
    with sonovec.Library(tmp_path / "place" / "library.db", model="logmel") as library:
        library.add(made / "sounds")
    read_only(tmp_path / "place")
    for arguments in (["search", made / "sounds" / "0.wav"], ["index", made / "sounds"]):
        run = run_as_user(*CLI, *arguments, "-l", tmp_path / "place" / "library.db")
        assert run.returncode == 2 and run.stderr.count("\n") == 1, run.stderr
        assert "cannot be written (Permission denied), and Milvus Lite writes also where it only searches" in run.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs the right to mount")
def test_a_mount_that_is_read_only(made, tmp_path):
    """A DVD, or a volume that Docker mounts with `:ro`; the rights of the files say nothing there."""
    (tmp_path / "mounted").mkdir()
    mount = f"mount --bind {made}/library {tmp_path}/mounted && mount -o remount,ro,bind {tmp_path}/mounted"
    command = f"{mount} && {sys.executable} -m sonovec "
    place = f"-l {tmp_path}/mounted"
    if subprocess.run(["unshare", "-m", "bash", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount")
    search = ["unshare", "-m", "bash", "-c", f"{command} search {made}/sounds/0.wav {place} --include-self --json"]
    best = hits(subprocess.run(search, capture_output=True, text=True, check=False))[0]
    assert best["score"] == pytest.approx(1, abs=1e-4)
    index = ["unshare", "-m", "bash", "-c", f"{command} index {made}/sounds {place}"]
    run = subprocess.run(index, capture_output=True, text=True, check=False)
    assert run.returncode == 2 and "cannot be written (Read-only file system); it can be searched" in run.stderr


# -- what is left of the ledger by others


def write(path, *names, kill=False):
    code = """
import os, signal, sys
from pathlib import Path
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Outcome
ledger = Ledger(sys.argv[1])
run = ledger.begin_run()
for name in sys.argv[3:]:
    ledger.record(run, Outcome(Path(name), "indexed", content_hash=name))
if sys.argv[2] == "True":
    os.kill(os.getpid(), signal.SIGKILL)
ledger.close()
"""
    subprocess.run([sys.executable, "-c", code, path, str(kill), *names], check=False)


READ = """
import sys
from sonovec.library.ledger import Ledger
with Ledger(sys.argv[1], read_only=True) as ledger:
    print(*(entry.path for entry in ledger.entries()))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("left", ["closed", "killed", "killed and copied", "with an empty log"])
def test_every_row_is_read_whatever_its_writer_has_left(tmp_path, run_as_user, read_only, left):
    folder = tmp_path / "a folder with # and %20"
    folder.mkdir()
    path = folder / "ledger.sqlite"
    write(path, "a")
    write(path, "b", kill="killed" in left)
    if left == "killed and copied":  # as to a DVD, without the file that only running processes need
        (folder / "ledger.sqlite-shm").unlink()
        assert (folder / "ledger.sqlite-wal").stat().st_size
    if left == "with an empty log":
        (folder / "ledger.sqlite-wal").touch()
    read_only(folder)
    run = run_as_user(sys.executable, "-c", READ, path)
    assert run.stdout == "a b\n", run.stderr


def test_a_reader_sees_what_a_writer_has_just_written(tmp_path, run_as_user, read_only):
    """The folder is closed to this user, and open to the one who indexes into it."""
    folder = tmp_path / "folder"
    with Ledger(folder / "ledger.sqlite") as ledger:
        run = ledger.begin_run()
        for name in ("a", "b"):
            ledger.record(run, Outcome(Path(name), "indexed", content_hash=name))
            read_only(folder)
            seen = run_as_user(sys.executable, "-c", READ, folder / "ledger.sqlite")
            assert seen.stdout.split() == ["a", "b"][: 1 + (name == "b")], seen.stderr


def test_a_read_only_ledger_refuses_to_be_written(tmp_path):
    write(tmp_path / "ledger.sqlite", "a")
    with (
        Ledger(tmp_path / "ledger.sqlite", read_only=True) as ledger,
        pytest.raises(sonovec.SonovecError, match="give yourself the right to write it"),
    ):
        ledger.begin_run()


@pytest.mark.slow
@pytest.mark.parametrize("without", ["ledger", "a whole ledger"])
def test_a_library_whose_ledger_cannot_be_read_is_searched_by_the_content_of_files(
    made, tmp_path, run_as_user, read_only, without
):
    shutil.copytree(made / "library", tmp_path / "library")
    ledger = tmp_path / "library" / "ledger.sqlite"
    if without == "ledger":
        ledger.chmod(0)
    else:
        ledger.write_bytes(b"x" * 8192)
    read_only(tmp_path / "library")
    for name in ("copy.wav", "2.wav"):
        run = run_as_user(
            *CLI, "search", made / "sounds" / name, "-l", tmp_path / "library", "--include-self", "--json"
        )
        assert hits(run)[0]["score"] == pytest.approx(1, abs=1e-4)
        assert "the search goes on without the ledger" in run.stderr
