"""A detector is written whole, and the one that was there before is never lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sonovec.errors import UsageError
from sonovec.learn.detector import Detector
from tests.learn.detectors import answering

FULL = OSError(28, "No space left on device")


def refusing(monkeypatch, *calls: int) -> None:
    """Let renames of folders fail: the first is 1."""
    real, done = os.replace, [0]

    def replace(source, target, **options) -> None:
        if Path(source).is_dir():
            done[0] += 1
            if done[0] in calls:
                raise FULL
        real(source, target, **options)

    monkeypatch.setattr(os, "replace", replace)


@pytest.mark.parametrize("call", [1, 2])
def test_the_old_detector_stays_where_a_rename_fails(call, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "mine.detector"
    answering(("old",)).save(folder)
    refusing(monkeypatch, call)
    with pytest.raises(UsageError, match=r"cannot be written \(No space left on device\); free some space"):
        answering(("new",)).save(folder)
    assert Detector.load(folder).classes == ("old",)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.detector"]
    answering(("new",)).save(folder)
    assert Detector.load(folder).classes == ("new",)


def test_where_it_cannot_be_put_back_it_is_named_and_put_back_by_the_next(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "mine.detector"
    answering(("old",)).save(folder)
    refusing(monkeypatch, 2, 3, 5)
    with pytest.raises(UsageError, match=r"the former detector is in .*\.mine\.detector\.saving.old"):
        answering(("new",)).save(folder)
    assert Detector.load(tmp_path / ".mine.detector.saving" / "old").classes == ("old",)
    with pytest.raises(UsageError, match="No space left"):
        answering(("new",)).save(folder)  # which puts it back first: the fourth
    assert Detector.load(folder).classes == ("old",)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.detector"]
