"""Decoding in child processes: the same samples, and whatever happens to a child is the failure of one file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec.audio import isolate
from sonovec.audio.decode import open_audio
from sonovec.audio.isolate import open_isolated, read_isolated_tags
from sonovec.audio.stream import open_mono
from sonovec.audio.tags.read import read_tags
from sonovec.errors import AudioError, UnexpectedError, UsageError

Encoded = Callable[[str], Path]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "m4a", "webm"])
def test_a_child_gives_the_same_samples_and_notes(encoded: Encoded, tmp_path: Path, ending: str) -> None:
    path = tmp_path / os.fsdecode(b"latin-\xe9 \n.x")
    path.write_bytes(encoded(ending).read_bytes()[: None if ending == "m4a" else -300])
    for range_ in ({}, {"start": 0.5}, {"start": 0.25, "end": 1.5}):
        with open_audio(path, **range_) as audio:
            expected = np.concatenate(list(audio.blocks(5000)))
        reader = open_isolated(path, **range_)
        sound = np.concatenate(list(reader.blocks(5000)))
        reader.close()
        np.testing.assert_array_equal(sound, expected)
        assert (reader.info, reader.notes, reader.position) == (audio.info, audio.notes, audio.position)
        assert list(reader.blocks()) == []


def test_streams_are_the_same_either_way(encoded: Encoded) -> None:
    with open_mono(encoded("ogg"), 16000) as near, open_mono(encoded("ogg"), 16000, isolate=True) as far:
        np.testing.assert_array_equal(np.concatenate(list(near)), np.concatenate(list(far)))


def test_refusals_come_through(encoded: Encoded, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("words")
    for path, kind in (
        (tmp_path / "text.wav", AudioError),
        (tmp_path / "none.wav", AudioError),
        (tmp_path, AudioError),
    ):
        with pytest.raises(kind) as near:
            open_audio(path)
        with pytest.raises(kind) as far:
            open_isolated(path)
        assert str(near.value) == str(far.value)
    reader = open_isolated(encoded("wav"), start=100)
    with pytest.raises(UsageError, match="start=100 is not before the end"):
        list(reader.blocks())


def test_one_child_serves_one_file_after_another(encoded: Encoded) -> None:
    children = set()
    for _ in range(5):
        reader = open_isolated(encoded("wav"))
        children.add(reader._child._process.pid)
        list(reader.blocks())
        reader.close()
    assert len(children) == 1


@pytest.mark.slow
def test_a_file_that_is_not_read_to_its_end_leaves_nothing_for_the_next(encoded: Encoded) -> None:
    for _ in range(3):
        reader = open_isolated(encoded("flac"))
        next(reader.blocks(1000))
        reader.close()
        whole = open_isolated(encoded("wav"))
        assert sum(map(len, whole.blocks())) == 132317
        whole.close()
    open_isolated(encoded("wav")).close()


@posix
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_is_the_failure_of_its_file(encoded: Encoded, number: int) -> None:
    reader = open_isolated(encoded("wav"))
    blocks = reader.blocks(100)
    next(blocks)
    os.kill(reader._child._process.pid, number)
    with pytest.raises(AudioError, match=rf"sound\.wav: its decoder crashed \(by signal {int(number)}\)"):
        list(blocks)
    reader.close()
    again = open_isolated(encoded("wav"))
    assert sum(map(len, again.blocks())) == 132317
    again.close()


@posix
def test_a_hang_is_the_failure_of_its_file(encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = open_isolated(encoded("wav"))
    monkeypatch.setattr(isolate, "seconds_for", lambda size: 0.3)
    os.kill(reader._child._process.pid, signal.SIGSTOP)
    with pytest.raises(AudioError, match="to decode, more than any sound of that size needs"):
        list(reader.blocks())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="bounds of memory")
def test_too_much_memory_is_the_failure_of_its_file(encoded: Encoded, tmp_path: Path) -> None:
    """Hours of silence are a small file, and do not fit into one block."""
    with soundfile.SoundFile(tmp_path / "silence.flac", "w", 48000, 8) as file:
        for _ in range(45):
            file.write(np.zeros((1_000_000, 8), np.int16))
    assert (tmp_path / "silence.flac").stat().st_size < 2_000_000
    reader = open_isolated(tmp_path / "silence.flac")
    with pytest.raises(AudioError, match="need more memory than any sound of that size"):
        list(reader.blocks(1 << 31))
    again = open_isolated(tmp_path / "silence.flac")
    assert sum(map(len, again.blocks())) == 45_000_000
    again.close()


@pytest.mark.slow
def test_children_end_with_their_process(encoded: Encoded, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from sonovec.audio.isolate import open_isolated\n"
        "done, begun = open_isolated(sys.argv[1]), open_isolated(sys.argv[1])\n"
        "pids = [done._child._process.pid, begun._child._process.pid]\n"
        "list(done.blocks()), done.close(), next(begun.blocks(100))\n"
        "print(*pids)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, encoded("wav")], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    import psutil

    psutil.wait_procs(
        [psutil.Process(pid) for pid in map(int, run.stdout.split()) if psutil.pid_exists(pid)], timeout=5
    )
    assert not any(psutil.pid_exists(pid) for pid in map(int, run.stdout.split()))


@posix
def test_a_forked_process_takes_children_of_its_own(encoded: Encoded) -> None:
    list((reader := open_isolated(encoded("wav"))).blocks())
    reader.close()
    pid = os.fork()
    if pid == 0:
        mine = open_isolated(encoded("wav"))
        os._exit(0 if sum(map(len, mine.blocks())) == 132317 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    again = open_isolated(encoded("wav"))
    assert sum(map(len, again.blocks())) == 132317
    again.close()


def test_many_channels_and_a_sound_of_one_sample(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.full((1, 16), 0.25), 8000)
    reader = open_isolated(tmp_path / "x.wav")
    (block,) = reader.blocks()
    reader.close()
    np.testing.assert_array_equal(block, np.full((1, 16), 0.25, np.float32))


def test_tags_are_read_in_a_child(encoded: Encoded, tmp_path: Path) -> None:
    for path in (encoded("webm"), encoded("flac"), tmp_path / "none.wav"):
        assert read_isolated_tags(path) == read_tags(path)


@pytest.mark.parametrize("gone", [True, False], ids=["before it is asked", "while it is asked"])
def test_a_child_that_is_killed_leaves_tags_empty(
    gone: bool, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = isolate._Child.send

    def killed(child, request):
        child._process.kill()
        if gone:
            child._process.wait()
        send(child, request)

    monkeypatch.setattr(isolate._Child, "send", killed)
    tags = read_isolated_tags(encoded("flac"))
    assert tags["title"] is None and str(tags["notes"]).startswith("tags not read: ")


def test_an_idle_child_that_was_killed_is_no_fault_of_the_next_file(encoded: Encoded) -> None:
    read_isolated_tags(encoded("flac"))
    idle = isolate._take()
    idle._process.kill()
    idle._process.wait()
    isolate._idle.put(idle)
    assert read_isolated_tags(encoded("flac")) == read_tags(encoded("flac"))


def test_paths_lead_from_the_folder_of_now(encoded: Encoded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children are kept; the folder in which one was started may be left since."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        Path(f"{folder}.wav").write_bytes(encoded("wav").read_bytes())
        reader = open_isolated(f"{folder}.wav")
        assert sum(map(len, reader.blocks())) == 132317
        reader.close()
    with pytest.raises(AudioError, match=r"^a.wav: no such file"):
        open_isolated("a.wav")


def test_a_bug_in_a_child_is_named_and_logged(
    encoded: Encoded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sonovec.audio.child as child\n"
        "import sonovec.audio.decode as decode\n"
        "def broken(*_): raise KeyError('rate')\n"
        "decode.open_audio = broken\n"
    )
    while not isolate._idle.empty():
        isolate._idle.get().end()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(UnexpectedError, match="unexpected KeyError: 'rate'; this is a bug of sonovec") as caught:
        open_isolated(encoded("wav"))
    assert "in broken" in caught.value.__notes__[0] and "in broken" in caplog.text
    isolate._end_all()
