"""Labels that a library keeps: what people said of its tracks, and, where that is wanted, what detectors did."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sonovec.learn.answers import verdict_of, who_gave
from sonovec.learn.labelled import Labelled
from sonovec.learn.targets import HEARD
from sonovec.library.library import Library
from sonovec.library.records import Label
from sonovec.library.stretches import RATING
from sonovec.paths import from_text


def labels_of(library: Library, min_score: float | None) -> tuple[list[Labelled], list[str]]:
    """The labels of people, and, with `min_score`, those of detectors that score so much; and what is to be told of them.

    Of what people said of one class in one stretch, the latest counts. What they think of whole tracks is no class.
    """
    paths = {track.id: from_text(track.path) for track in library}
    latest: dict[object, Label] = {}
    others: Counter[str] = Counter()
    for label in sorted(library.labels.get(), key=lambda label: label.time):
        if label.source.startswith(RATING):
            continue
        if who_gave(label) is not None:
            latest[label.track, label.start, label.end, label.name] = label
        elif min_score is not None and label.score >= min_score:
            latest.setdefault((label.track, label.start, label.end, label.name), label)
        else:
            others[label.source] += 1
    found = [_labelled(label, paths[label.track]) for label in latest.values() if label.track in paths]
    sources = ", ".join(f"{count} of {source}" for source, count in others.most_common())
    what = "score less than min_score" if min_score is not None else "min_score=0.9 takes those that score so much"
    return found, [f"labels that no person gave are left out: {sources} ({what})"] if others else []


def _labelled(label: Label, path: Path) -> Labelled:
    verdict = verdict_of(label) if who_gave(label) is not None else HEARD
    return Labelled(path, label.start, label.end, label.name, source=f"{label.source}, {path.name}", verdict=verdict)
