"""False alarms per hour: how often a detector hears its classes in sounds that hold none of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.scan import Found, scan
from sonovec.embedding.embedding import Failure
from sonovec.errors import AudioError, UsageError
from sonovec.jobs import Job, Watched, running
from sonovec.learn.detection import OVERLAP, Detected
from sonovec.learn.events import Detection, Tracker
from sonovec.learn.kept import detected
from sonovec.learn.sources import library_at
from sonovec.library.binding import passport_of
from sonovec.library.identity import content_hash
from sonovec.library.records import MAIN
from sonovec.paths import display, from_text, to_text
from sonovec.words import counted

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.learn.detector import Detector
    from sonovec.learn.journal import Journal
    from sonovec.learn.outcomes import Outcomes
    from sonovec.library.library import Library

#: The recall at which detectors are compared.
RECALL = 0.9
#: False alarms that are named of each class.
NAMED = 3
#: What a watcher is told.
STAGE = "counting false alarms"
#: What is said of sounds that examples come from.
TRAINED = "the detector was trained on them"
#: What is said where segments are heard.
SEGMENTS = "heard by the library's stored segments, in which short sounds are weaker than in the windows of files"

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Rate:
    """Events per hour, with the exact 95 % interval of a Poisson count (Garwood 1936).

    Examples
    --------
    >>> rate(0.5, 4, 2.0)
    Rate(threshold=0.5, events=4, per_hour=2.0, low=0.545, high=5.121)
    >>> rate(0.5, 0, 1.0).high
    3.689
    """

    threshold: float
    events: int
    per_hour: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return asdict(self)


def rate(threshold: float, count: int, hours: float) -> Rate:
    """The rate of events that were counted in some hours."""
    from scipy.special import gammaincinv

    low = float(gammaincinv(count, 0.025)) if count else 0.0
    high = float(gammaincinv(count + 1, 0.975))
    return Rate(threshold, count, *(round(each / hours, 3) for each in (count, low, high)))


@dataclass(frozen=True)
class Alarm:
    """One false alarm: seconds of a recording, and the highest probability there."""

    path: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class ClassAlarms:
    """False alarms of one class.

    Attributes
    ----------
    name : str
    at_recall : Rate or None
        At the threshold that finds 90 % of the held-out stretches; None where none could be held out.
    at_threshold : Rate
        At the threshold of the detector.
    worst : tuple of Alarm
        The most probable ones.
    """

    name: str
    at_recall: Rate | None
    at_threshold: Rate
    worst: tuple[Alarm, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "class": self.name,
            "at_recall": self.at_recall and self.at_recall.to_json(),
            "at_threshold": self.at_threshold.to_json(),
            "worst": [asdict(each) for each in self.worst],
        }


@dataclass(frozen=True)
class FalseAlarms:
    """What was heard in a pool of sounds that hold none of the classes.

    Attributes
    ----------
    pool : str
    hours : float
        Of sound.
    sounds : int
    classes : tuple of ClassAlarms
    failures : tuple of (str, str)
        Files that could not be heard, and why.
    notes : tuple of str
    """

    pool: str
    hours: float
    sounds: int
    classes: tuple[ClassAlarms, ...]
    failures: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "pool": self.pool,
            "hours": round(self.hours, 4),
            "sounds": self.sounds,
            "recall": RECALL,
            "classes": [each.to_json() for each in self.classes],
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures],
            "notes": list(self.notes),
        }


def threshold_of_recall(outcomes: Outcomes, column: int, recall: float = RECALL) -> float | None:
    """The highest probability from which on a share of the held-out stretches of a class is found; None without any.

    Examples
    --------
    >>> from sonovec.learn.outcomes import Outcomes
    >>> probabilities = np.linspace(0.1, 1, 10)[:, None]
    >>> outcomes = Outcomes(("dog",), np.ones((10, 1), np.int8), probabilities, *["abcdefghij"] * 2, np.zeros((10, 2)))
    >>> threshold_of_recall(outcomes, 0)
    0.2
    """
    found = np.sort(outcomes.probabilities[outcomes.positive[:, column], column])[::-1]
    if len(found) == 0:
        return None
    return float(found[int(np.ceil(recall * len(found) - 1e-9)) - 1])


@dataclass(frozen=True)
class Unheard:
    """A sound of a pool that was not counted, and why; `failed` where it should have been."""

    path: str
    reason: str
    failed: bool = True


def measure(
    detector: Detector,
    encoder: Encoder,
    pool: str | os.PathLike[str],
    outcomes: Outcomes,
    *,
    kept: Journal | None = None,
    progress: Watched = None,
) -> FalseAlarms:
    """Measure the false alarms of a detector on a folder of sounds, or on the stored vectors of a library.

    They are counted as `sonovec.learn.detect` finds them, with the overlap of windows that it has by default.

    Parameters
    ----------
    detector : Detector
    encoder : Encoder
        The detector's.
    pool : path
        A folder, a file, or a library, of which the stored segments are heard. It must hold none of the classes.
    outcomes : Outcomes
        Of the detector's examples, for the threshold of 90 % recall. Sounds that they come from are not counted.
    kept : Journal, optional
        What files gave to a run that was killed, and will give to this one.
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    FalseAlarms

    Raises
    ------
    UsageError
        If there is no sound.
    PassportError
        If the library has vectors of another encoder.
    """
    recalls = [threshold_of_recall(outcomes, column) for column in range(len(detector.classes))]
    thresholds = np.array([np.inf if each is None else each for each in recalls], np.float32)
    both = detector, replace(detector, name=f"{detector.name} at recall", thresholds=thresholds)
    library = library_at(pool)
    with running(progress) as job:
        trained = set(_hashes({from_text(path) for path in outcomes.paths}, job))
        heard = (
            _embedded(both, encoder, Path(pool), trained, kept, job)
            if library is None
            else _stored(both, library, trained)
        )
        return count(both, heard, to_text(pool), [] if library is None else [SEGMENTS])


def count(
    detectors: tuple[Detector, Detector], heard: Iterable[Detected | Unheard], pool: str, notes: Sequence[str] = ()
) -> FalseAlarms:
    """Count the events of each class in sounds that hold none of them.

    Parameters
    ----------
    detectors : pair of Detector
        With the thresholds that were chosen, and with those of a recall; infinite where there is none.
    heard : iterable of Detected or Unheard
        Each sound.
    pool : str
        Where they are from.
    notes : sequence of str

    Returns
    -------
    FalseAlarms

    Raises
    ------
    UsageError
        If there is no sound at all.
    """
    events = {(detector.source, name): _Events() for detector in detectors for name in detector.classes}
    unheard: list[Unheard] = []
    seconds, sounds = 0.0, 0
    for sound in heard:
        if isinstance(sound, Unheard):
            unheard.append(sound)
            continue
        sounds, seconds = sounds + 1, seconds + sound.duration
        for event in sound.detections:
            events[event.detector, event.name].add(sound.path, event)
    if not seconds:
        first = f" ({display(unheard[0].path)}: {unheard[0].reason})" if unheard else ""
        raise UsageError(
            f"{display(pool)}: holds no sound in which false alarms could be counted{first}; give a folder of sounds, or a "
            "library"
        )
    hours = seconds / _SECONDS_PER_HOUR
    chosen, at_recall = detectors
    classes = tuple(
        ClassAlarms(
            name,
            rate(float(low), events[at_recall.source, name].count, hours) if np.isfinite(low) else None,
            rate(float(high), events[chosen.source, name].count, hours),
            tuple(events[chosen.source, name].worst),
        )
        for name, high, low in zip(chosen.classes, chosen.thresholds, at_recall.thresholds, strict=True)
    )
    failures = tuple((each.path, each.reason) for each in unheard if each.failed)
    left_out = [each for each in unheard if not each.failed]
    told = [f"{counted(len(left_out), 'sound')} not counted: {left_out[0].reason}"] if left_out else []
    return FalseAlarms(pool, hours, sounds, classes, failures, (*notes, *told))


@dataclass
class _Events:
    """Events of one class as they are counted, and the worst of them."""

    count: int = 0
    worst: list[Alarm] = field(default_factory=list)

    def add(self, path: Path | None, event: Detection) -> None:
        assert path is not None and event.end is not None
        self.count += 1
        self.worst.append(Alarm(to_text(path), event.start, event.end, event.probability))
        self.worst = sorted(self.worst, key=lambda each: (-each.probability, each.path, each.start))[:NAMED]


# -- pools


def _hashes(paths: Iterable[Path], job: Job) -> Iterator[str]:
    """What the files hold; those that are gone are left out."""
    for path in paths:
        with suppress(AudioError):
            yield content_hash(path, job.check)


def _embedded(
    detectors: Sequence[Detector],
    encoder: Encoder,
    place: Path,
    trained: Set[str],
    kept: Journal | None,
    job: Job,
) -> Iterator[Detected | Unheard]:
    seen = list(scan([place]))
    yield from (
        Unheard(to_text(item.path), item.reason) for item in seen if not isinstance(item, Found) and item.failed
    )
    found = [item.path for item in seen if isinstance(item, Found)]
    known = {path for path in found if not trained.isdisjoint(_hashes([path], job))}
    yield from (Unheard(to_text(path), TRAINED, failed=False) for path in found if path in known)
    files = [path for path in found if path not in known]
    hop = max(1, encoder.window.length // OVERLAP) / encoder.rate
    results = detected(encoder, detectors, files, hop, job.part(STAGE), kept)
    for file, result in zip(files, results, strict=True):
        yield Unheard(to_text(file), result.reason) if isinstance(result, Failure) else result


def _stored(detectors: Sequence[Detector], library: Library, trained: Set[str]) -> Iterator[Detected | Unheard]:
    """The segments of a library's tracks, which are held in memory together."""
    detectors[0].check(passport_of(library.spaces()[MAIN]))
    paths = {track.id: track.path for track in library}
    yield from (Unheard(path, TRAINED, failed=False) for id, path in paths.items() if id in trained)
    parts: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float32]]]] = {}
    stored = library.vectors(level="segment")
    for batch in stored:
        times = np.stack([batch.column(name).to_numpy() for name in ("start", "end")], axis=1)
        vectors = batch.column("vector").flatten().to_numpy().reshape(len(batch), stored.dim)
        for row, id in enumerate(batch.column("track").to_pylist()):
            parts.setdefault(id, []).append((times[row], vectors[row]))
    for id in sorted(parts.keys() & paths.keys() - trained):
        segments = sorted(parts[id], key=lambda part: part[0][0])
        times, vectors = (np.stack(column) for column in zip(*segments, strict=True))
        found = [event for each in detectors for event in _tracked(Tracker(each), times, vectors)]
        yield Detected(from_text(paths[id]), float(times[-1, 1]), tuple(found))


def _tracked(tracker: Tracker, times: NDArray[np.float64], vectors: NDArray[np.float32]) -> list[Detection]:
    return [*tracker.push(times, vectors), *tracker.finish()]
