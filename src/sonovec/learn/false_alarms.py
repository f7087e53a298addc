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

from sonovec.embedding.events import events
from sonovec.errors import AudioError, UsageError
from sonovec.jobs import Job, Watched, running
from sonovec.learn.sources import library_at
from sonovec.library.binding import passport_of
from sonovec.library.identity import content_hash
from sonovec.library.records import MAIN
from sonovec.paths import display, from_text, to_text

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.learn.detector import Detector
    from sonovec.learn.outcomes import Outcomes
    from sonovec.library.library import Library

#: The recall at which detectors are compared.
RECALL = 0.9
#: False alarms that are named of each class.
NAMED = 3
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


@dataclass
class _Heard:
    """Alarms of one class at one threshold, as they are counted."""

    threshold: float
    count: int = 0
    worst: list[Alarm] = field(default_factory=list)

    def add(self, path: str, times: NDArray[np.float64], probabilities: NDArray[np.floating]) -> None:
        found = events(times, probabilities[:, None].astype(np.float32), [""], np.float32(self.threshold).item())
        self.count += len(found)
        self.worst += [Alarm(path, each.start, each.end, float(each.score)) for each in found]
        self.worst = sorted(self.worst, key=lambda each: (-each.probability, each.path, each.start))[:NAMED]


@dataclass(frozen=True)
class Part:
    """What was heard in one sound of a pool: seconds, (n, 2), and probabilities, (n, n_classes), of its windows in order."""

    path: str
    times: NDArray[np.float64]
    probabilities: NDArray[np.floating]


@dataclass(frozen=True)
class Unheard:
    """A sound of a pool that was not counted, and why; `failed` where it should have been."""

    path: str
    reason: str
    failed: bool = True


Parts = Iterable[Part | Unheard]


def count(
    detector: Detector, parts: Parts, pool: str, recalls: Sequence[float | None], notes: Sequence[str] = ()
) -> FalseAlarms:
    """Count the events of each class in sounds that hold none of them.

    Windows that reach the threshold and touch or overlap are one event.

    Parameters
    ----------
    detector : Detector
    parts : iterable of Part or Unheard
    pool : str
        Where they are from.
    recalls : sequence of float or None, length n_classes
        Thresholds of `threshold_of_recall`.
    notes : sequence of str

    Returns
    -------
    FalseAlarms

    Raises
    ------
    UsageError
        If there is no sound at all.
    """
    chosen = [_Heard(float(threshold)) for threshold in detector.thresholds]
    at_recall = [None if threshold is None else _Heard(threshold) for threshold in recalls]
    unheard: list[Unheard] = []
    seconds, sounds = 0.0, 0
    for part in parts:
        if isinstance(part, Unheard):
            unheard.append(part)
            continue
        sounds += 1
        seconds += _covered(part.times)
        for column, heards in enumerate(zip(chosen, at_recall, strict=True)):
            for heard in filter(None, heards):
                heard.add(part.path, part.times, part.probabilities[:, column])
    if not seconds:
        first = f" ({display(unheard[0].path)}: {unheard[0].reason})" if unheard else ""
        raise UsageError(
            f"{display(pool)}: holds no sound in which false alarms could be counted{first}; give a folder of sounds, or a "
            "library"
        )
    hours = seconds / _SECONDS_PER_HOUR
    classes = tuple(
        ClassAlarms(
            name,
            None if low is None else rate(low.threshold, low.count, hours),
            rate(high.threshold, high.count, hours),
            tuple(high.worst),
        )
        for name, high, low in zip(detector.classes, chosen, at_recall, strict=True)
    )
    failures = tuple((each.path, each.reason) for each in unheard if each.failed)
    left_out = [each for each in unheard if not each.failed]
    told = [f"{len(left_out)} sounds were not counted: {left_out[0].reason}"] if left_out else []
    return FalseAlarms(pool, hours, sounds, classes, failures, (*notes, *told))


def _covered(times: NDArray[np.float64]) -> float:
    """Seconds that windows cover together: they may overlap, and there may be gaps between them."""
    if len(times) == 0:
        return 0.0
    ends = np.maximum.accumulate(times[:, 1])
    begun = np.maximum(times[:, 0], np.concatenate([[-np.inf], ends[:-1]]))
    return float(np.maximum(ends - begun, 0).sum())


# -- pools


def measure(
    detector: Detector,
    encoder: Encoder,
    pool: str | os.PathLike[str],
    outcomes: Outcomes,
    *,
    progress: Watched = None,
) -> FalseAlarms:
    """Measure the false alarms of a detector on a folder of sounds, or on the stored vectors of a library.

    Parameters
    ----------
    detector : Detector
    encoder : Encoder
        The detector's; of a folder, its windows are heard.
    pool : path
        A folder, a file, or a library, of which the stored segments are heard. It must hold none of the classes.
    outcomes : Outcomes
        Of the detector's examples, for the threshold of 90 % recall. Sounds that they come from are not counted.
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
    library = library_at(pool)
    with running(progress) as job:
        trained = set(_hashes({from_text(path) for path in outcomes.paths}, job))
        if library is None:
            parts = _embedded(detector, encoder, Path(pool), trained, job)
        else:
            parts = _stored(detector, library, trained)
        return count(detector, parts, to_text(pool), recalls, [] if library is None else [SEGMENTS])


def _hashes(paths: Iterable[Path], job: Job) -> Iterator[str]:
    """What the files hold; those that are gone are left out."""
    for path in paths:
        with suppress(AudioError):
            yield content_hash(path, job.check)


def _embedded(
    detector: Detector, encoder: Encoder, place: Path, trained: Set[str], job: Job
) -> Iterator[Part | Unheard]:
    from sonovec.audio.scan import Found, scan
    from sonovec.embedding.embedding import Failure

    seen = list(scan([place]))
    yield from (
        Unheard(to_text(item.path), item.reason) for item in seen if not isinstance(item, Found) and item.failed
    )
    found = [item.path for item in seen if isinstance(item, Found)]
    known = {path for path in found if not trained.isdisjoint(_hashes([path], job))}
    yield from (Unheard(to_text(path), TRAINED, failed=False) for path in found if path in known)
    files = [path for path in found if path not in known]
    heard = encoder.embed_many(files, progress=job.part("counting false alarms"))
    for file, result in zip(files, heard, strict=True):
        if isinstance(result, Failure):
            yield Unheard(to_text(file), result.reason)
        else:
            yield Part(to_text(file), result.times, detector.probabilities(result.windows))


def _stored(detector: Detector, library: Library, trained: Set[str]) -> Iterator[Part | Unheard]:
    """The segments of a library's tracks."""
    detector.check(passport_of(library.spaces()[MAIN]))
    paths = {track.id: track.path for track in library}
    yield from (Unheard(path, TRAINED, failed=False) for id, path in paths.items() if id in trained)
    tracks: list[str] = []
    times: list[NDArray[np.float64]] = []
    heard: list[NDArray[np.float32]] = []
    stored = library.vectors(level="segment")
    for batch in stored:
        tracks += batch.column("track").to_pylist()
        times.append(np.stack([batch.column(name).to_numpy() for name in ("start", "end")], axis=1))
        vectors = batch.column("vector").flatten().to_numpy().reshape(len(batch), stored.dim)
        heard.append(detector.probabilities(vectors).astype(np.float32))
    for id, part in _by_track(tracks, times, heard):
        if id in paths and id not in trained:
            yield replace(part, path=paths[id])


def _by_track(
    tracks: Sequence[str], times: Sequence[NDArray[np.float64]], heard: Sequence[NDArray[np.float32]]
) -> Iterator[tuple[str, Part]]:
    if not tracks:
        return
    spans, probabilities = np.concatenate(times), np.concatenate(heard)
    names, codes = np.unique(np.array(tracks), return_inverse=True)
    order = np.lexsort((spans[:, 0], codes))
    for name, rows in zip(names.tolist(), np.split(order, np.cumsum(np.bincount(codes))[:-1]), strict=True):
        yield name, Part(name, spans[rows], probabilities[rows])
