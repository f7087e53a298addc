"""Where files are kept and how they are written: whole or not at all, with the rights that the user expects."""

from __future__ import annotations

import errno
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sonovec import paths
from sonovec.errors import UsageError
from sonovec.paths import atomic, atomic_together, cache_dir, cached, check_output, data_dir, output

posix = pytest.mark.skipif(os.name == "nt", reason="rights, links and pipes of POSIX")


def rights(path):
    return stat.S_IMODE(path.stat().st_mode)


def under_umask(mask, code, *arguments):
    """A process of its own: the umask belongs to a whole process, and the tests' own must stay."""
    program = f"import os, sys\nfrom pathlib import Path\nos.umask({mask})\nfrom sonovec.paths import *\n{code}"
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True)


# -- atomic


@posix
@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_rights_of_the_umask(tmp_path, mask, expected):
    code = "with atomic(Path(sys.argv[1])) as temporary: temporary.write_text('new')"
    under_umask(mask, code, tmp_path / "deep" / "file")
    assert rights(tmp_path / "deep" / "file") == expected


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444, 0o755])
def test_a_file_that_is_replaced_keeps_its_rights(tmp_path, mode):
    target = tmp_path / "file"
    target.write_text("old")
    target.chmod(mode)
    with atomic(target) as temporary:
        assert rights(temporary) & ~0o600 == 0, "others could read what they may not read"
        temporary.write_text("new")
    assert (target.read_text(), rights(target)) == ("new", mode)


@posix
def test_what_a_link_points_to_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real.csv", tmp_path / "link.csv"
    link.symlink_to(real)
    for text in ("first", "second"):  # the link points nowhere at first
        with atomic(link) as temporary:
            temporary.write_text(text)
        assert link.is_symlink() and real.read_text() == text
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["elsewhere", "link.csv", "real.csv"]


@posix
def test_a_pipe_is_written_into(tmp_path):
    pipe, got = tmp_path / "pipe.csv", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with atomic(pipe) as temporary:
        temporary.write_text("rows")
    reader.join()
    assert got == [b"rows"] and stat.S_ISFIFO(pipe.stat().st_mode)


@posix
@pytest.mark.parametrize("redirected", [True, False])
def test_the_output_stream_is_written_into(tmp_path, redirected):
    code = (
        "from pathlib import Path\nfrom sonovec.paths import atomic\nprint('before', flush=True)\n"
        "with atomic(Path('/dev/stdout')) as temporary: temporary.write_text('rows')"
    )
    if redirected:
        with (tmp_path / "out").open("wb") as out:
            subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
        assert (tmp_path / "out").read_text() == "before\nrows"
    else:
        run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
        assert run.stdout == "before\nrows"


@posix
def test_the_null_device_stays_a_device():
    with atomic(Path(os.devnull)) as temporary:
        temporary.write_text("nobody reads this")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(error), atomic(target) as temporary:
        temporary.write_text("half of the n")
        raise error
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_files_that_belong_together_never_describe_each_other_wrongly(tmp_path, monkeypatch):
    """A crash after each of the steps that put them in place."""
    main, side = tmp_path / "v.npy", tmp_path / "v.npy.json"
    steps = []

    def stop_after(count, original):
        def step(*arguments, **options):
            steps.append(original.__name__)
            if len(steps) > count:
                raise KeyboardInterrupt
            return original(*arguments, **options)

        return step

    def put(text):
        with atomic_together(main, side) as temporaries:
            for temporary in temporaries:
                temporary.write_text(text)

    for count in range(10):
        put("old")
        steps.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", stop_after(count, Path.unlink))
            patch.setattr(Path, "replace", stop_after(count, Path.replace))
            try:
                put("new")
            except KeyboardInterrupt:
                complete = False
            else:
                complete = True
        assert main.read_text() in ("old", "new")
        assert not side.exists() or side.read_text() == main.read_text()
        if complete:
            break
    else:
        pytest.fail("it was never complete")
    assert count >= 3 and main.read_text() == side.read_text() == "new"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_kill_leaves_the_old_file(tmp_path):
    (tmp_path / "file").write_text("old")
    code = """
import os, signal, sys
from pathlib import Path
from sonovec.paths import atomic
with atomic(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of the n")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, tmp_path / "file"], check=False)
    assert (tmp_path / "file").read_text() == "old"


def test_file_and_folder_are_synced_before_it_is_said_to_be_written(tmp_path, monkeypatch):
    synced, replaced = [], []
    fsync, replace = os.fsync, Path.replace

    def recording_fsync(handle):
        fsync(handle)
        if sys.platform == "linux":
            synced.append((Path(f"/proc/self/fd/{handle}").readlink(), bool(replaced)))

    def recording_replace(self, target):
        replaced.append(self)
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(Path, "replace", recording_replace)
    with atomic(tmp_path / "file") as temporary:
        temporary.write_text("new")
    if sys.platform == "linux":
        assert synced == [(replaced[0], False), (tmp_path, True)]


# -- output and its check


def test_a_folder_is_no_output(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be written \(Is a directory\); give another place"):
        check_output(tmp_path)
    with pytest.raises(UsageError, match="Is a directory"), output(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_could_be_made_is_not_made_by_the_check(tmp_path):
    check_output(tmp_path / "a" / "b" / "out.csv")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Not a directory"):
        check_output(tmp_path / "file" / "out.csv")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_says_what_to_do():
    check_output(Path("/dev/full"))
    with (
        pytest.raises(UsageError, match=r"/dev/full: cannot be written \(No space left on device\); free some space"),
        output(Path("/dev/full")) as (temporary,),
    ):
        temporary.write_text("text")


def test_where_the_user_may_not_write_is_said_by_the_check(tmp_path, run_as_user, read_only):
    closed = tmp_path / "closed"
    closed.mkdir()
    read_only(closed)
    code = """
import sys
from pathlib import Path
from sonovec.errors import UsageError
from sonovec.paths import check_output
for name in ("out.csv", "new/out.csv"):
    try:
        check_output(Path(sys.argv[1], name))
    except UsageError as error:
        print(error)
"""
    run = run_as_user(sys.executable, "-c", code, closed)
    assert run.stdout.splitlines() == [
        f"{closed / name}: cannot be written (Permission denied); give another place"
        for name in ("out.csv", "new/out.csv")
    ], run.stderr


# -- cache and home


@pytest.fixture
def no_settings(monkeypatch, tmp_path):
    for name in ("SONOVEC_CACHE", "SONOVEC_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return monkeypatch


def test_the_home_moves_the_cache_unless_the_cache_is_set_itself(no_settings, tmp_path):
    no_settings.setenv("SONOVEC_HOME", str(tmp_path / "mine"))
    assert (data_dir(), cache_dir()) == (tmp_path / "mine", tmp_path / "mine" / "cache")
    no_settings.setenv("SONOVEC_CACHE", str(tmp_path / "scratch"))
    assert (data_dir(), cache_dir()) == (tmp_path / "mine", tmp_path / "scratch")
    assert not (tmp_path / "mine").exists() and not (tmp_path / "scratch").exists()


@pytest.fixture
def temporary(no_settings, tmp_path):
    """A place for temporary files of this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    no_settings.setattr(paths.tempfile, "tempdir", str(folder))
    for function in (paths._temporary, paths._say_once):
        function.cache_clear()
    yield folder
    for function in (paths._temporary, paths._say_once):
        function.cache_clear()


@pytest.mark.parametrize(
    ("variable", "folder", "name"), [("SONOVEC_CACHE", cache_dir, "cache"), ("SONOVEC_HOME", data_dir, "home")]
)
def test_one_that_cannot_be_written_is_replaced_by_a_temporary_one_and_that_is_said_once(
    no_settings, temporary, tmp_path, caplog, variable, folder, name
):
    (tmp_path / "file").touch()
    no_settings.setenv(variable, str(tmp_path / "file" / "folder"))
    with caplog.at_level(logging.WARNING, logger="sonovec"):
        first = folder()
        assert first == folder()
    assert first.parent.parent == temporary and first.name == name
    (record,) = caplog.records
    assert record.getMessage() == (
        f"the {name} folder {tmp_path / 'file' / 'folder'} cannot be written (Not a directory); {first} is used instead; "
        f"set {variable} to a folder that you may write"
    )
    first.mkdir()
    paths._temporary.cache_clear()
    assert folder() == first, "another run finds it again"


@posix
@pytest.mark.parametrize("taken", ["open to others", "a link", "a file"])
def test_a_temporary_folder_that_others_could_have_made_is_not_trusted(temporary, tmp_path, taken):
    name = temporary / f"sonovec-{os.getuid()}"
    if taken == "a link":
        (tmp_path / "trap").mkdir(mode=0o700)
        name.symlink_to(tmp_path / "trap")
    elif taken == "a file":
        name.touch()
    else:
        name.mkdir()
        name.chmod(0o777)
    found = paths._temporary()
    assert found != name and found.parent == temporary and rights(found) == 0o700


def test_a_cache_that_cannot_be_written_is_still_read(no_settings, temporary, tmp_path):
    full = tmp_path / "cache"
    (full / "weights").mkdir(parents=True)
    (full / "weights" / "a.onnx").touch()
    no_settings.setenv("SONOVEC_CACHE", str(full))
    assert cached("weights", "b.onnx") == full / "weights" / "b.onnx"
    no_settings.setattr(paths, "why_not_writable", lambda folder: os.strerror(errno.EROFS) if folder == full else None)
    assert cached("weights", "a.onnx") == full / "weights" / "a.onnx"
    assert cached("weights", "b.onnx").is_relative_to(temporary)
