"""An hour with 30 planted events: what a detector that was trained on other recordings finds of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec.learn import Detected, Detection, detect, train
from tests.learn.planted import RATE, Planted, mix, takes


def fields(folder: Path, data: Path) -> Path:
    """Six recordings of three minutes to train on, with Audacity's labels beside them: 36 events of each of two classes."""
    folder.mkdir()
    for number in range(6):
        samples, planted = mix(takes(data, 0), 180, 6, 100 + number)
        soundfile.write(folder / f"{number}.wav", samples, RATE)
        lines = [f"{each.start:.3f}\t{each.end:.3f}\t{each.name}\n" for each in planted]
        (folder / f"{number}.txt").write_text("".join(lines))
    return folder


def found_of(planted: Planted, events: tuple[Detection, ...]) -> list[Detection]:
    """The events of its class that overlap a planted one."""
    return [
        each
        for each in events
        if each.name == planted.name and each.end and each.start < planted.end and each.end > planted.start
    ]


def figures(planted: list[Planted], events: tuple[Detection, ...]) -> tuple[float, float, float]:
    """Recall, precision, and the median error of the edges of what was found, in seconds."""
    heard = {each: found for each in planted if (found := found_of(each, events))}
    right = {event for found in heard.values() for event in found}
    errors = [
        error
        for each, found in heard.items()
        for error in (min(e.start for e in found) - each.start, max(e.end or 0 for e in found) - each.end)
    ]
    return len(heard) / len(planted), len(right) / max(1, len(events)), float(np.median(np.abs(errors)))


@pytest.mark.slow
def test_thirty_events_in_an_hour(shared_data: Path, tmp_path: Path) -> None:
    detector = train(fields(tmp_path / "fields", shared_data))
    samples, planted = mix(takes(shared_data, 1), 3600, 15, 12)
    soundfile.write(tmp_path / "hour.wav", samples, RATE)
    (heard,) = detect(tmp_path / "hour.wav", detector)
    assert isinstance(heard, Detected) and heard.duration == 3600
    recall, precision, edge = figures(planted, heard.detections)
    assert (recall >= 0.7, precision >= 0.75, edge <= 0.35) == (True,) * 3, (recall, precision, edge)
