"""Events of detectors as rows: of JSON, of files, and of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sonovec.cli.output import seconds_text
from sonovec.paths import printable

if TYPE_CHECKING:
    from sonovec.learn.events import Detection


def as_row(event: Detection) -> dict[str, Any]:
    """An event as plain JSON values."""
    row: dict[str, Any] = {
        "start": event.start,
        "end": event.end,
        "class": event.name,
        "probability": event.probability,
        "mean": event.mean,
        "detector": event.detector,
    }
    if event.examples:
        row["examples"] = [
            {"path": each.path, "start": each.start, "end": each.end, "heard": each.heard, "cosine": each.cosine}
            for each in event.examples
        ]
    return row


def as_stretch(path: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as it is written into files; its examples are one text there."""
    row = {
        "path": path,
        "start": event["start"],
        "end": event["end"],
        "label": event["class"],
        "score": event["probability"],
        "mean": event["mean"],
        "detector": event["detector"],
    }
    return {**row, "examples": "; ".join(map(example_text, event["examples"]))} if "examples" in event else row


def example_text(example: Mapping[str, Any]) -> str:
    """A training example on one line.

    Examples
    --------
    >>> example_text({"path": "dawn.wav", "start": 62.0, "end": 64.0, "heard": False, "cosine": 0.934})
    'dawn.wav 1:02.0-1:04.0 (not this class) 0.93'
    """
    told = {True: "", False: " (not this class)", None: " (not labelled)"}[example["heard"]]
    return (
        f"{printable(example['path'])} {seconds_text(example['start'], example['end'])}{told} {example['cosine']:.2f}"
    )
