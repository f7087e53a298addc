"""What is gone from disk: deleted in passing, or out of reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Outcome
from sonovec.library.vanished import MANY, find, mount_of


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def hold(ledger, root, *names, mount=None):
    """Make files and their rows, as an earlier run left them."""
    run = ledger.begin_run()
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        ledger.record(
            run, Outcome(path, "indexed", content_hash=f"hash of {name}", mount=mount or mount_of(path.parent))
        )


def look(ledger, *roots, unreadable=()):
    vanished = find(ledger, roots, ledger.begin_run(), unreadable)
    deleted = sorted(str(entry.path.relative_to(roots[0])) for entry in vanished.deleted)
    return deleted, {place: len(entries) for place, entries in vanished.withheld.items()}


def numbered(folder, count):
    return [f"{folder}/{number:02}.wav" for number in range(count)]


def test_single_files_and_small_folders_were_deleted(ledger, tmp_path):
    root = tmp_path / "m"
    hold(ledger, root, "a/1.wav", "a/2.wav", "b/1.wav", "c/1.wav", "c/2.wav", "d.wav")
    for gone in ("a/1.wav", "b/1.wav", "d.wav"):
        (root / gone).unlink()
    shutil.rmtree(root / "c")
    assert look(ledger, root) == (["a/1.wav", "b/1.wav", "c/1.wav", "c/2.wav", "d.wav"], {})


@pytest.mark.parametrize("leave", ["nothing", "folder", "other files"])
def test_a_large_folder_of_which_nothing_is_left_is_withheld_once(ledger, tmp_path, leave):
    root = tmp_path / "m"
    hold(ledger, root, *numbered("x/a", MANY - 1), *numbered("x/b", 1), "c.wav")
    shutil.rmtree(root / "x" if leave == "nothing" else root / "x" / "a")
    if leave != "nothing":
        (root / "x" / "b" / "00.wav").unlink()
    if leave == "other files":
        (root / "x" / "cover.jpg").write_bytes(b"x")
    assert look(ledger, root) == ([], {root / "x": MANY})


def test_a_large_folder_of_which_something_is_left_was_deleted(ledger, tmp_path):
    root = tmp_path / "m"
    hold(ledger, root, *numbered("a", MANY), "a/kept.wav")
    for name in numbered("a", MANY):
        (root / name).unlink()
    assert look(ledger, root) == (numbered("a", MANY), {})


def test_a_folder_that_is_still_there_and_empty_may_be_a_mount_point(ledger, tmp_path):
    root = tmp_path / "m"
    hold(ledger, root, "a/b/1.wav", "a/b/2.wav", "c.wav")
    shutil.rmtree(root / "a" / "b")
    assert look(ledger, root) == ([], {root / "a": 2})


@pytest.mark.parametrize("exists", [True, False])
def test_a_root_of_which_nothing_is_left_is_withheld(ledger, tmp_path, exists):
    root = tmp_path / "m"
    hold(ledger, root, "a/1.wav", "n/2.wav")
    hold(ledger, tmp_path / "other", "3.wav")
    shutil.rmtree(root)
    if exists:
        root.mkdir()
    assert look(ledger, root, tmp_path / "other") == ([], {root: 2})
    assert look(ledger, root, root / "a") == ([], {root: 2})
    assert look(ledger, root / "a") == ([], {root / "a": 1})
    assert look(ledger, tmp_path / "other") == ([], {})


def test_a_root_within_another_is_a_root(ledger, tmp_path):
    root = tmp_path / "m"
    hold(ledger, root, "a/1.wav", "b/2.wav")
    shutil.rmtree(root / "a")
    assert look(ledger, root) == (["a/1.wav"], {})
    assert look(ledger, root, root / "a") == ([], {root / "a": 1})


def test_a_file_that_is_a_root(ledger, tmp_path):
    root = tmp_path / "m"
    hold(ledger, root, "a.wav", "b.wav")
    (root / "a.wav").unlink()
    assert look(ledger, root / "a.wav", root / "b.wav") == ([], {root / "a.wav": 1})
    assert look(ledger, root) == (["a.wav"], {})


def test_what_lay_on_a_disk_that_is_not_mounted_is_withheld_whatever_it_was(ledger, tmp_path):
    """Also one file, also where its mount point went with it, also through a link, also among files that are there."""
    root, disk = tmp_path / "m", tmp_path / "m" / "disk"
    hold(ledger, root, "disk/deep/1.wav", mount=disk)
    hold(ledger, root, "link/2.wav", mount=Path("/no such mount point"))
    hold(ledger, root, "3.wav", "disk/4.wav")
    (disk / "deep" / "1.wav").unlink()
    (root / "link" / "2.wav").unlink()
    assert look(ledger, root) == ([], {disk: 1, root / "link": 1})
    shutil.rmtree(disk)
    shutil.rmtree(root / "link")
    assert look(ledger, root) == (["disk/4.wav"], {disk: 1, root / "link": 1})


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_link_without_its_target_is_not_gone(ledger, tmp_path):
    root = tmp_path / "m"
    hold(ledger, root, "a.wav", "b.wav")
    (root / "a.wav").unlink()
    (root / "a.wav").symlink_to(tmp_path / "elsewhere")
    assert look(ledger, root) == ([], {})


def test_what_cannot_be_looked_into_is_not_gone(ledger, tmp_path):
    root = tmp_path / "m"
    hold(ledger, root, *numbered("a", MANY), "b/1.wav", "c.wav")
    shutil.rmtree(root / "a")
    for name in ("b/1.wav", "c.wav"):
        (root / name).unlink()
    assert look(ledger, root, unreadable=[root / "a", root / "c.wav"]) == (["b/1.wav"], {})
    assert look(ledger, root, unreadable=[root]) == ([], {})


def test_rows_without_content_go_with_their_folder_and_do_not_count(ledger, tmp_path):
    root = tmp_path / "m"
    hold(ledger, root, "a/1.wav", "b/1.wav", "b/2.wav", "kept.wav")
    run = ledger.begin_run()
    texts = [*numbered("a", MANY), *numbered("b", MANY), *numbered("t", MANY)]
    ledger.record_many(run, [Outcome(root / name, "skipped", "not audio") for name in texts])
    shutil.rmtree(root / "a")
    (root / "b" / "1.wav").unlink()
    (root / "b" / "2.wav").unlink()
    deleted, withheld = look(ledger, root)
    assert deleted == sorted([*numbered("a", MANY), "a/1.wav", *numbered("t", MANY)])
    assert withheld == {root / "b": MANY + 2}


def test_what_the_run_has_met_is_not_looked_for(ledger, tmp_path):
    root = tmp_path / "m"
    hold(ledger, root, "a.wav", "b.wav", "c.wav")
    run = ledger.begin_run()
    for name, status in (("a.wav", "unchanged"), ("b.wav", "failed")):
        ledger.record(run, Outcome(root / name, status, "because"))
        (root / name).unlink()
    assert [entry.path.name for entry in find(ledger, [root], run, []).deleted] == ["b.wav"]


names = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(names, st.booleans(), min_size=1, max_size=25), st.sets(names, max_size=2))
@pytest.mark.slow
def test_each_file_that_is_gone_is_either_deleted_or_withheld_and_none_other(tmp_path_factory, files, more_roots):
    folder = tmp_path_factory.mktemp("vanished")
    root = folder / "m"
    with Ledger(folder / "ledger.sqlite") as ledger:
        hold(ledger, root, *(f"{name}.wav" for name in files))
        for name, stays in files.items():
            if not stays:
                (root / f"{name}.wav").unlink()
        roots = [root, *(root / name for name in more_roots)]
        vanished = find(ledger, roots, ledger.begin_run(), [])
        withheld = [(place, entry.path) for place, entries in vanished.withheld.items() for entry in entries]
        gone = [entry.path for entry in vanished.deleted] + [path for _, path in withheld]
        assert sorted(gone) == sorted(root / f"{name}.wav" for name, stays in files.items() if not stays)
        alive = {root / f"{name}.wav" for name, stays in files.items() if stays}
        for place, path in withheld:
            assert path.is_relative_to(place)
            assert not any(other.is_relative_to(place) for other in alive)


REAL_MOUNT = """
set -e
cd "$1"
mkdir -p m/disk m/big
mount -t tmpfs none m/disk
{python} -c '{make}'
umount m/disk
{python} -c '{look}'
mount -t tmpfs none m/disk
{python} -c '{look}'
rmdir m/disk 2>/dev/null || umount m/disk && rmdir m/disk
{python} -c '{look}'
"""
MAKE = """
from pathlib import Path
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Outcome
from sonovec.library.vanished import mount_of
ledger = Ledger("ledger.sqlite"); run = ledger.begin_run()
for name in ("disk/1.wav", "here.wav"):
    path = Path("m", name).absolute(); path.write_bytes(b"x")
    ledger.record(run, Outcome(path, "indexed", content_hash=name, mount=mount_of(path.parent)))
"""
LOOK = """
from pathlib import Path
from sonovec.library.ledger import Ledger
from sonovec.library.vanished import find
ledger = Ledger("ledger.sqlite"); found = find(ledger, [Path("m").absolute()], ledger.begin_run(), [])
print(len(found.deleted), {place.name: len(entries) for place, entries in found.withheld.items()})
"""


def can_mount():
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount a disk")
def test_a_real_disk_with_one_file_not_mounted_then_another_then_no_mount_point(tmp_path):
    script = REAL_MOUNT.format(python=sys.executable, make=MAKE, look=LOOK)
    run = subprocess.run(
        ["unshare", "-m", "bash", "-c", script, "-", tmp_path], capture_output=True, text=True, check=False
    )
    assert run.stdout.splitlines() == ["0 {'disk': 1}"] * 3, run.stderr
