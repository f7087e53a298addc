from __future__ import annotations

import os
from pathlib import Path

import pytest

from sonovec.errors import Cancelled
from sonovec.learn import copies


def test_only_files_of_one_size_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(copies, "content_hash", lambda path, check: read.append(path.name) or path.read_text())
    for name, text in {"a": "1", "b": "22", "c": "1", "d": "333", "e": "2"}.items():
        (tmp_path / name).write_text(text)
    found = copies.originals(sorted(tmp_path.iterdir()))
    assert found == {tmp_path / "c": tmp_path / "a"} and sorted(read) == ["a", "c", "e"]


def test_links_missing_files_and_cancelling(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    os.link(tmp_path / "a", tmp_path / "b")
    assert copies.originals([tmp_path / "a", tmp_path / "a", tmp_path / "none", tmp_path / "b"]) == {
        tmp_path / "b": tmp_path / "a"
    }

    def cancel() -> None:
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        copies.originals([tmp_path / "a", tmp_path / "b"], cancel)
