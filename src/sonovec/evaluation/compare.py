"""Compare encoders on a folder of one's own sounds: how good, how alike, how fast, how large."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.scan import Found, scan
from sonovec.brief import Brief
from sonovec.embedding.embedding import Failure
from sonovec.embedding.encoder import Encoder, load
from sonovec.embedding.engine import UNIT
from sonovec.errors import SonovecError, UsageError
from sonovec.evaluation import metrics
from sonovec.evaluation.dataset import fold
from sonovec.evaluation.metrics import Score
from sonovec.extras import require
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.paths import display, name_of, to_text

#: A library keeps one vector for each segment of this length, unless it is told otherwise.
SEGMENT_SECONDS = 10.0
#: Nearest sounds that agreement is taken over; fewer in a small folder.
AGREEMENT_K = 10
#: Fewest sounds that have neighbours to compare.
FEWEST = 3

#: Fields of a `Row` that accuracy is read from, and what they are called.
MEASURES = {"probe": "probe accuracy", "knn": "5-NN accuracy", "mean_average_precision": "retrieval mAP"}


@dataclass(frozen=True)
class Row:
    """What was measured of one encoder.

    Attributes
    ----------
    model : str
    dim : int
        Length of a vector.
    precision : str
        What the network computed in.
    probe, knn, mean_average_precision, p10 : Score or None
        As `metrics.probe`, `metrics.knn` and `metrics.retrieval` define them, of clip vectors; None without labels.
    agreement : float or None
        Mean of `metrics.agreement` with the other encoders; None if there is no other.
    seconds_per_hour : float
        Seconds that embedding an hour of this audio takes on this machine: reading, decoding, resampling, the network
        and pooling. The encoder was loaded and warmed up before, and the files had been read once.
    bytes_per_track : float
        What a library stores of vectors, on average: one for the track and one for each 10 s of it, float32.
    """

    model: str
    dim: int
    precision: str
    probe: Score | None
    knn: Score | None
    mean_average_precision: Score | None
    p10: Score | None
    agreement: float | None
    seconds_per_hour: float
    bytes_per_track: float


@dataclass(frozen=True, repr=False)
class Comparison(Brief):
    """Encoders side by side on the same sounds.

    Attributes
    ----------
    folder : str
    sounds : int
        Sounds that every encoder could read; all figures but the time are of these.
    audio_seconds : float
        Their length in all.
    classes : mapping of str to int
        Sounds of each class; empty without labels.
    unlabelled : str
        Why accuracy could not be measured; empty if it was.
    rows : sequence of Row
        In the order in which the encoders were given.
    agreement : sequence of sequence of float
        `metrics.agreement` of each encoder with each.
    agreement_k : int
        Nearest sounds that it is taken over.
    agreement_by_chance : float
        What it would be if encoders knew nothing.
    failures : sequence of (path, reason)
        Files that one encoder at least could not read, and that were left out for all.
    notes : sequence of str
        What to know when reading the figures.
    """

    folder: str
    sounds: int
    audio_seconds: float
    classes: Mapping[str, int]
    unlabelled: str
    rows: Sequence[Row]
    agreement: Sequence[Sequence[float]]
    agreement_k: int
    agreement_by_chance: float
    failures: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def advice(self) -> list[str]:
        """What the figures say, in sentences: which is best by each measure, how alike they are, which costs least."""
        best = [_best(self.rows, measure) for measure in MEASURES] if not self.unlabelled else [_no_best(self)]
        return [*best, *_alike(self), *_cheapest(self.rows)]

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        rest = {
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures],
            "notes": list(self.notes),
            "advice": self.advice,
        }
        return {**asdict(self), **rest}


def compare(
    folder: str | os.PathLike[str],
    models: Sequence[str] | Mapping[str, Encoder],
    *,
    weights: Mapping[str, str | os.PathLike[str]] | None = None,
    folds: str | None = None,
    precision: str = "auto",
    device: str = "auto",
    isolate: bool = False,
    progress: Watched = None,
) -> Comparison:
    """Measure encoders, one after another, on the sounds of a folder.

    Parameters
    ----------
    folder : path
        Its sub-folders are the classes: a sound belongs to the first folder on the way to it. Where there are no
        sub-folders, or sounds lie beside them, accuracy is not measured; agreement and cost are.
    models : sequence of str, or mapping of str to Encoder
        Names for `sonovec.load`; or encoders of one's own, under the names that they shall have here.
    weights : mapping of str to path, optional
        Weights of the models that are given by name, where the cache does not hold them.
    folds : str, optional
        A regular expression; sounds in whose file names it finds the same, in its group if it has one, are one fold of the
        cross-validation. For sounds that must not be parted, such as cuts of one recording: ``r"^(.+)_"``. Without it, folds
        are dealt evenly (`metrics.stratified_folds`).
    precision, device, isolate
        As for `sonovec.load`.
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        If there is nothing to compare: fewer than three sounds, or one encoder without labels; or an argument is wrong.
    WeightsError
        If weights are missing. All encoders are loaded before any is measured.
    MissingExtraError
        If scikit-learn is needed and not installed.

    Examples
    --------
    >>> import tempfile
    >>> from sonovec import demo
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = demo.write(folder, per_kind=2)
    >>> result = compare(folder, {"whole": load("logmel"), "half": load("logmel", hop=0.5)})
    >>> result.sounds, len(result.classes), result.agreement[0][1] > 0.8
    (28, 14, True)
    """
    given = {"precision": precision, "device": device, "isolate": isolate}
    with running(progress) as job:
        return _compared(Path(folder), models, weights or {}, folds, given, job)


def _compared(
    root: Path,
    models: Sequence[str] | Mapping[str, Encoder],
    weights: Mapping[str, str | os.PathLike[str]],
    folds: str | None,
    given: Mapping[str, Any],
    job: Job,
) -> Comparison:
    paths, skipped = _found(root)
    classes = _Classes.of(root, paths, folds)
    encoders = dict(models) if isinstance(models, Mapping) else _loaded(models, weights, given)
    _check(encoders, classes)
    _read_once(paths, job)
    measured = [_measure(name, encoders.pop(name), paths, job) for name in list(encoders)]
    job.report(Progress("measuring"))
    failures = {**skipped}
    for one in measured:
        failures |= {path: reason for path, reason in one.failures.items() if path not in failures}
    common = [path for path in paths if path not in failures]
    if len(common) < FEWEST:
        reason = next(iter(failures.values()))
        raise UsageError(
            f"all encoders could read {len(common)} of {len(paths)} sounds; give at least {FEWEST} ({reason})"
        )
    return _assemble(root, common, _Classes.of(root, common, folds), measured, failures)


# -- what is compared


@dataclass(frozen=True)
class _Classes:
    """The class and the fold of each sound; why there are none in `unlabelled`, which is empty otherwise."""

    labels: Sequence[str]
    folds: Sequence[str] | None
    unlabelled: str

    @classmethod
    def of(cls, root: Path, paths: Sequence[Path], folds: str | None) -> _Classes:
        parts = [path.relative_to(root).parts for path in paths]
        labels = [name_of(part[0]) if len(part) > 1 else "" for part in parts]
        found = None if folds is None else [fold(folds, path) for path in paths]
        return cls(labels, found, _why_unlabelled(labels))


def _why_unlabelled(labels: Sequence[str]) -> str:
    loose = labels.count("")
    enough = [label for label in set(labels) if label and labels.count(label) > 1]
    if loose == len(labels):
        return "the sounds are not in sub-folders, one for each class"
    if loose:
        return f"{loose} of {len(labels)} sounds are in no sub-folder and have no class"
    if len(enough) < 2:
        return f"{len(enough)} of {len(set(labels))} sub-folders have two sounds or more, and two are needed"
    return ""


def _found(root: Path) -> tuple[list[Path], dict[Path, str]]:
    if not root.is_dir():
        raise UsageError(
            f"{display(root)} is not a folder; give one whose sub-folders hold the sounds of one class each"
        )
    seen = list(scan([root]))
    paths = [item.path for item in seen if isinstance(item, Found)]
    if len(paths) < FEWEST:
        raise UsageError(f"{len(paths)} audio files in {display(root)}; give a folder with at least {FEWEST}")
    return paths, {item.path: item.reason for item in seen if not isinstance(item, Found) and item.failed}


def _loaded(
    names: Sequence[str], weights: Mapping[str, str | os.PathLike[str]], given: Mapping[str, Any]
) -> dict[str, Encoder]:
    if isinstance(names, str) or len(set(names)) < len(names):
        raise UsageError(f"models={names!r}; give a list of names, each once, such as ['logmel', 'vggish']")
    if strangers := sorted(set(weights) - set(names)):
        raise UsageError(f"weights of {strangers[0]!r}, which is not compared; the models are: {', '.join(names)}")
    return {name: load(name, weights=weights.get(name), **given) for name in names}


def _check(encoders: Mapping[str, Encoder], classes: _Classes) -> None:
    if not encoders:
        raise UsageError("no models; give at least one, such as 'logmel'")
    if not classes.unlabelled:
        require("sklearn", *metrics.COMPARING)
        # Refuses folds that leave too few classes now, and not after an hour of embedding.
        metrics.knn(np.zeros((len(classes.labels), 1)), classes.labels, classes.folds, k=1)
    elif len(encoders) == 1:
        raise UsageError(
            f"one model and no labels leave nothing to compare ({classes.unlabelled}); give a second model, or classes"
        )


# -- measuring


@dataclass(frozen=True)
class _Measured:
    """What embedding gave: vectors and the number of segments by path, and what it took."""

    name: str
    dim: int
    precision: str
    seconds: float
    audio: Mapping[Path, float]
    vectors: Mapping[Path, NDArray[np.float32]]
    segments: Mapping[Path, int]
    failures: Mapping[Path, str]

    @property
    def seconds_per_hour(self) -> float:
        return self.seconds / max(sum(self.audio.values()), 1e-9) * 3600

    def bytes_per_track(self, paths: Sequence[Path]) -> float:
        per_vector = self.dim * np.dtype(np.float32).itemsize
        return float(np.mean([per_vector * (1 + self.segments[path]) for path in paths]))


def _read_once(paths: Sequence[Path], job: Job) -> None:
    """Bring the files near, so that the first encoder does not pay for the disk alone."""
    for done, path in enumerate(paths, start=1):
        with suppress(OSError), path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                job.check()
        job.report(Progress("reading", done, len(paths), "files"))


def _measure(name: str, encoder: Encoder, paths: Sequence[Path], job: Job) -> _Measured:
    job.report(Progress(name, 0, len(paths), UNIT))
    _warm_up(encoder, paths[0])
    vectors, segments, audio, failures = {}, {}, {}, {}
    began = time.perf_counter()
    for path, result in zip(paths, encoder.embed_many(paths, progress=job.part(name)), strict=True):
        if isinstance(result, Failure):
            failures[path] = result.reason
        else:
            vectors[path] = result.vector
            segments[path] = len(result.parts(SEGMENT_SECONDS))
            audio[path] = result.duration
    seconds = time.perf_counter() - began
    return _Measured(name, encoder.dim, encoder.passport.precision, seconds, audio, vectors, segments, failures)


def _warm_up(encoder: Encoder, path: Path) -> None:
    """Open the network and whatever decodes and resamples, on noise and on the first second of a file."""
    noise = np.random.default_rng(0).standard_normal(441_000).astype(np.float32) / 10
    for sound, end in (((noise, 44_100), None), (path, 1.0)):
        with suppress(SonovecError):  # of a file that cannot be read, the measurement will tell
            encoder.embed(sound, 0.0, end)


def _assemble(
    root: Path, paths: Sequence[Path], classes: _Classes, measured: Sequence[_Measured], failures: Mapping[Path, str]
) -> Comparison:
    stacked = [np.stack([one.vectors[path] for path in paths]) for one in measured]
    k = min(AGREEMENT_K, (len(paths) - 1) // 2)
    near = [metrics.neighbours(vectors, k) for vectors in stacked]
    agreement = [[metrics.overlap(a, b) for b in near] for a in near]
    rows = [
        Row(
            model=one.name,
            dim=one.dim,
            precision=one.precision,
            **_quality(vectors, classes),
            agreement=(sum(shared) - 1) / (len(shared) - 1) if len(shared) > 1 else None,
            seconds_per_hour=one.seconds_per_hour,
            bytes_per_track=one.bytes_per_track(paths),
        )
        for one, vectors, shared in zip(measured, stacked, agreement, strict=True)
    ]
    return Comparison(
        folder=to_text(root),
        sounds=len(paths),
        audio_seconds=sum(measured[0].audio[path] for path in paths),
        classes={}
        if classes.unlabelled
        else {name: classes.labels.count(name) for name in sorted(set(classes.labels))},
        unlabelled=classes.unlabelled,
        rows=rows,
        agreement=agreement,
        agreement_k=k,
        agreement_by_chance=metrics.agreement_by_chance(len(paths), k),
        failures=[(to_text(path), reason) for path, reason in failures.items()],
        notes=list(_notes(rows, classes, k)),
    )


def _quality(vectors: NDArray[np.float32], classes: _Classes) -> dict[str, Score | None]:
    if classes.unlabelled:
        return dict.fromkeys((*MEASURES, "p10"))
    mean_average_precision, p10 = metrics.retrieval(vectors, classes.labels)
    return {
        "probe": metrics.probe(vectors, classes.labels, classes.folds),
        "knn": metrics.knn(vectors, classes.labels, classes.folds),
        "mean_average_precision": mean_average_precision,
        "p10": p10,
    }


def _notes(rows: Sequence[Row], classes: _Classes, k: int) -> Iterable[str]:
    yield (
        "Times are of one run on this machine. They are for embedding only: the encoders were loaded and warmed up, and the "
        "files read, before."
    )
    if k < AGREEMENT_K:
        yield f"Agreement is over the {k} nearest sounds instead of {AGREEMENT_K}, since there are {len(classes.labels)}."
    if classes.unlabelled:
        return
    smallest = min(n for name in set(classes.labels) if (n := classes.labels.count(name)) > 1)
    if smallest <= metrics.FIRST:
        yield f"P@10 cannot reach 1: the smallest class has {smallest} sounds, so at most {smallest - 1} others are right."
    score = rows[0].probe
    if score and score.left_out:
        yield f"Left out of probe and 5-NN, since all their sounds are in one fold: {', '.join(score.left_out)}."


# -- advice


def _best(rows: Sequence[Row], measure: str) -> str:
    scores = {row.model: score for row in rows if (score := getattr(row, measure)) is not None}
    top = max(score.value for score in scores.values())
    best = [name for name, score in scores.items() if score.value == top]
    first = scores[best[0]]
    shown = f"{_text(measure, top)} (95 % interval {_text(measure, first.low)} to {_text(measure, first.high)})"
    name = MEASURES[measure]
    if len(rows) == 1:
        return f"{best[0]} has a {name} of {shown}."
    if len(best) > 1:
        return f"By {name}, {_and(best)} are level at {shown}."
    if reach := [name for name, score in scores.items() if score is not first and score.high >= first.low]:
        those = f"the interval of {reach[0]} overlaps" if len(reach) == 1 else f"the intervals of {_and(reach)} overlap"
        return f"By {name}, {best[0]} is best here with {shown}; {those} with it, so these sounds do not settle it."
    return f"By {name}, {best[0]} is best here with {shown}; no other interval reaches that."


def _text(measure: str, value: float) -> str:
    return f"{value:.3f}" if measure == "mean_average_precision" else f"{100 * value:.1f} %"


def _no_best(result: Comparison) -> str:
    return f"Nothing here says which encoder is better, since accuracy needs labels: {result.unlabelled}."


def _alike(result: Comparison) -> Iterable[str]:
    names = [row.model for row in result.rows]
    pairs = {(a, b): result.agreement[a][b] for a, b in combinations(range(len(names)), 2)}
    if pairs:
        a, b = max(pairs, key=pairs.__getitem__)
        most = "most, " if len(pairs) > 1 else ""
        yield (
            f"{names[a]} and {names[b]} share {most}{pairs[a, b]:.0%} of the {result.agreement_k} nearest sounds; "
            f"by chance it would be {result.agreement_by_chance:.0%}."
        )


def _cheapest(rows: Sequence[Row]) -> Iterable[str]:
    if len(rows) == 1:
        return
    fast = min(rows, key=lambda row: row.seconds_per_hour)
    least = min(row.bytes_per_track for row in rows)
    small = [row.model for row in rows if row.bytes_per_track == least]
    stores = ", and stores" if small == [fast.model] else f"; {_and(small)} store{'s' * (len(small) == 1)}"
    yield (
        f"{fast.model} took the least time, {fast.seconds_per_hour:.3g} s for an hour of audio"
        f"{stores} the least, {least:.0f} bytes per track."
    )


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
