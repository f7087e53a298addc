"""What a training keeps survives a crash at any byte, and nothing half-written is ever taken for whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.learn.journal import JOURNAL, journal, key_of


def arrays_of(number: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(number)
    return {"vectors": rng.standard_normal((number, 5)).astype(np.float32), "times": rng.random((number, 2))}


def fill(folder: Path, count: int) -> list[int]:
    """Keep some arrays, as a run that is killed then; the sizes of the file meanwhile."""
    sizes = [0]
    with pytest.raises(KeyboardInterrupt), journal(folder) as kept:
        for number in range(count):
            kept.put(key_of("file", number), arrays_of(number))
            sizes.append((folder / JOURNAL).stat().st_size)
        raise KeyboardInterrupt
    return sizes


@settings(max_examples=25)
@given(st.data())
def test_a_file_that_ends_at_any_byte_keeps_what_was_whole(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "crows.detector.part")
        sizes = fill(folder, 4)
        end = data.draw(st.integers(0, sizes[-1]))
        os.truncate(folder / JOURNAL, end)
        whole = sum(size <= end for size in sizes[1:])
        for _ in range(2):  # what a second run adds is whole, too
            with pytest.raises(KeyboardInterrupt), journal(folder) as kept:
                for number in range(4):
                    key = key_of("file", number)
                    assert (key in kept) == (number < whole)
                    if key not in kept:
                        kept.put(key, arrays_of(number))
                    else:
                        found = kept.get(key)
                        assert all((found[name] == array).all() for name, array in arrays_of(number).items())
                raise KeyboardInterrupt
            whole = 4


def test_a_changed_byte_is_not_taken_for_what_was_kept(tmp_path: Path) -> None:
    sizes = fill(tmp_path / "part", 3)
    content = bytearray((tmp_path / "part" / JOURNAL).read_bytes())
    content[sizes[1] + 60] ^= 1
    (tmp_path / "part" / JOURNAL).write_bytes(content)
    with journal(tmp_path / "part") as kept:
        assert key_of("file", 0) in kept
        assert key_of("file", 1) not in kept


def test_it_goes_when_the_work_is_done_and_when_there_was_none(tmp_path: Path) -> None:
    with journal(tmp_path / "part") as kept:
        kept.put(key_of(1), arrays_of(1))
    assert list(tmp_path.iterdir()) == []
    assert fill(tmp_path / "part", 0) == [0]
    assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        journal(tmp_path / "part") as kept,
        pytest.raises(UsageError, match="another process"),
        journal(tmp_path / "part"),
    ):
        raise AssertionError
    assert not (tmp_path / "part").exists() and len(kept) == 0


def test_what_is_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "song.mp3").write_bytes(b"...")
    with pytest.raises(UsageError, match="not what an unfinished training left"), journal(tmp_path / "part"):
        raise AssertionError
    assert (tmp_path / "part" / "song.mp3").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_and_what_was_kept_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "part", 2)
    with (
        pytest.raises(UsageError, match=r"part: cannot be written \(No space left.*free some space"),
        journal(tmp_path / "part") as kept,
    ):
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, kept._file.fileno())
        os.close(full)
        kept.put(key_of("file", 2), arrays_of(2))
    with journal(tmp_path / "part") as kept:
        assert len(kept) == 2


def test_keys_tell_parts_apart() -> None:
    parts = [("a", "b"), ("ab", ""), ("a", 1), ("a", "1"), (np.ones(2),), (np.ones(2, np.float32),), (np.zeros(2),)]
    assert len({key_of(*each) for each in parts}) == len(parts)
    assert key_of(np.ones((2, 1))) != key_of(np.ones((1, 2)))
