"""How good an encoder is on labelled sounds, and how much of that it keeps when the sounds are harmed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.stream import load as load_audio
from sonovec.audio.waveform import Waveform
from sonovec.brief import Brief
from sonovec.embedding.embedding import Embedding, Failure
from sonovec.embedding.encoder import Encoder
from sonovec.errors import SonovecError, UsageError
from sonovec.evaluation import metrics
from sonovec.evaluation.dataset import Dataset
from sonovec.evaluation.metrics import Score
from sonovec.evaluation.perturb import PERTURBATIONS, Perturbation
from sonovec.extras import require
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.log import as_failure
from sonovec.paths import display, to_text
from sonovec.vectors import cosines

#: Neighbours that vote.
K = 5
#: Pairs of classes that are most often taken for each other: how many are told.
CONFUSIONS = 10

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Point:
    """What is left at one level of a perturbation.

    Attributes
    ----------
    kind, unit : str
    level : float
    cosine : Score
        Of a harmed sound's vector with its own clean one.
    probe, knn, p10 : Score
        As of clean sounds, when the harmed sound is what is asked for among clean ones.
    """

    kind: str
    unit: str
    level: float
    cosine: Score
    probe: Score
    knn: Score
    p10: Score


@dataclass(frozen=True, repr=False)
class Evaluation(Brief):
    """What was measured; see `evaluate`.

    Attributes
    ----------
    dataset : str
    folds : str
        Where the folds come from.
    classes : mapping of str to int
    model : str
    passport : mapping
    dim : int
    probe, knn, mean_average_precision, p10 : Score
    by_class : mapping of str to float
        Share of each class that the probe names rightly.
    confusions : tuple of (str, str, int)
        A class, what the probe took it for, and how often; most frequent first.
    robustness : tuple of Point
    audio_seconds, seconds : float
        Clean sound, and how long embedding it took.
    failures : tuple of (str, str)
        Files that were left out, and why.
    """

    dataset: str
    folds: str
    classes: Mapping[str, int]
    model: str
    passport: Mapping[str, object]
    dim: int
    probe: Score
    knn: Score
    mean_average_precision: Score
    p10: Score
    by_class: Mapping[str, float]
    confusions: tuple[tuple[str, str, int], ...]
    robustness: tuple[Point, ...]
    audio_seconds: float
    seconds: float
    failures: tuple[tuple[str, str], ...]

    @property
    def sounds(self) -> int:
        """How many were evaluated."""
        return sum(self.classes.values())

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            **asdict(self),
            "sounds": self.sounds,
            "times_real_time": self.audio_seconds / self.seconds,
            "confusions": [{"class": a, "taken_for": b, "sounds": n} for a, b, n in self.confusions],
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures],
        }


def evaluate(
    dataset: Dataset,
    encoder: Encoder,
    *,
    perturbations: Sequence[str] = tuple(PERTURBATIONS),
    seed: int = 0,
    progress: Watched = None,
) -> Evaluation:
    """Measure an encoder on labelled sounds.

    A linear probe and the vote of the 5 nearest, both cross-validated over the dataset's folds; retrieval mAP and P@10 (see
    `metrics` for each); then the same of harmed sounds as queries against clean ones.

    Parameters
    ----------
    dataset : Dataset
    encoder : Encoder
    perturbations : sequence of str
        Names in `perturb.PERTURBATIONS`.
    seed : int
        Of the perturbations, the bootstrap, and the folds where the dataset has none.
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    Evaluation

    Raises
    ------
    UsageError
        If a perturbation is unknown, or too few sounds can be read.
    MissingExtraError
        If scikit-learn is not installed.

    Examples
    --------
    >>> import tempfile, sonovec
    >>> from sonovec import demo
    >>> from sonovec.evaluation.dataset import read
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = demo.write(folder, per_kind=2)
    >>> result = evaluate(read(folder), sonovec.load("logmel"), perturbations=["gain"])
    >>> result.sounds, [point.level for point in result.robustness]
    (28, [6.0, -6.0, -20.0, -40.0])
    """
    kinds = _chosen(perturbations)
    if seed < 0:
        raise UsageError(f"seed={seed} is negative; give a whole number from 0 on, such as seed=0")
    require("sklearn", *metrics.COMPARING)
    with running(progress) as job:
        return _evaluated(dataset, encoder, kinds, seed, job)


def _evaluated(dataset: Dataset, encoder: Encoder, kinds: Sequence[Perturbation], seed: int, job: Job) -> Evaluation:
    job.report(Progress("opening the encoder", note=encoder.card.name))
    encoder.prepare()
    began = time.perf_counter()
    clean = _embed(encoder, dataset.paths, list(dataset.paths), "clean", job)
    seconds = time.perf_counter() - began
    failures = {path: result.reason for path, result in clean.items() if isinstance(result, Failure)}
    harmed: dict[tuple[str, float], dict[Path, Embedding | Failure]] = {}
    readable = [path for path in dataset.paths if path not in failures]
    for kind in kinds:
        for level in kind.levels:
            sounds = _harmed(readable, kind, level, seed, encoder.isolate)
            told = f"{kind.name} {level:g} {kind.unit}"
            harmed[kind.name, level] = results = _embed(encoder, readable, sounds, told, job)
            failures |= {
                path: f"{told}: {result.reason}" for path, result in results.items() if isinstance(result, Failure)
            }
    usable = dataset.only([path for path in readable if path not in failures])
    if len(usable.paths) < 3:
        raise UsageError(
            f"{display(dataset.source)}: {len(usable.paths)} of {len(dataset.paths)} sounds could be read; give at least 3"
        )
    vectors = _stacked(clean, usable.paths)
    queries = {key: _stacked(results, usable.paths) for key, results in harmed.items()}
    return _measured(dataset, usable, encoder, clean, vectors, queries, seconds, failures, seed, job)


def _chosen(names: Sequence[str]) -> list[Perturbation]:
    unknown = [name for name in names if name not in PERTURBATIONS]
    if unknown:
        raise UsageError(f"perturbation {unknown[0]!r} is unknown; there are: {', '.join(PERTURBATIONS)}")
    return [PERTURBATIONS[name] for name in dict.fromkeys(names)]


def _embed(
    encoder: Encoder, paths: Sequence[Path], sounds: Any, told: str, job: Job
) -> dict[Path, Embedding | Failure]:
    def tell(progress: Progress) -> None:
        job.report(replace(progress, stage=told, total=len(paths)))

    return dict(zip(paths, encoder.embed_many(sounds, progress=tell), strict=True))


def _harmed(
    paths: Sequence[Path], kind: Perturbation, level: float, seed: int, isolate: bool
) -> Iterator[Waveform | SonovecError]:
    """Harmed sounds, one at a time; in place of one that cannot be harmed its error, to fail where others do."""
    for number, path in enumerate(paths):
        rng = np.random.default_rng([seed, number])
        harmed: Waveform | SonovecError
        try:
            sound = load_audio(path, isolate=isolate)
            harmed = Waveform(kind.apply(sound.samples, sound.rate, level, rng), sound.rate)
        except Exception as error:  # noqa: BLE001 - it is this file's alone
            harmed = as_failure(display(path), error)
        yield harmed


def _stacked(results: Mapping[Path, Embedding | Failure], paths: Sequence[Path]) -> Floats:
    found = [results[path] for path in paths]
    return np.stack([result.vector for result in found if isinstance(result, Embedding)])


def _measured(
    dataset: Dataset,
    usable: Dataset,
    encoder: Encoder,
    clean: Mapping[Path, Embedding | Failure],
    vectors: Floats,
    queries: Mapping[tuple[str, float], Floats],
    seconds: float,
    failures: Mapping[Path, str],
    seed: int,
    job: Job,
) -> Evaluation:
    names = {key: f"{key[0]} {key[1]}" for key in queries}
    asked = {"": vectors, **{names[key]: query for key, query in queries.items()}}

    def tell(done: int, folds: int) -> None:
        job.report(Progress("training the probe", done, folds, "folds"))

    probed = metrics.probes(vectors, usable.labels, asked, usable.folds, seed, tell)
    average, first = metrics.retrieval(vectors, usable.labels, seed)
    points: list[Point] = []
    for key, query in queries.items():
        job.report(Progress("measuring", len(points), len(queries), "kinds of harm", note=names[key]))
        kind, level = key
        points.append(
            Point(
                kind,
                PERTURBATIONS[kind].unit,
                level,
                cosine=_mean(cosines(vectors, query), seed),
                probe=probed[names[key]].score,
                knn=metrics.knn(vectors, usable.labels, usable.folds, K, seed, queries=query),
                p10=metrics.retrieval(vectors, usable.labels, seed, queries=query)[1],
            )
        )
    durations = [result.duration for result in clean.values() if isinstance(result, Embedding)]
    return Evaluation(
        dataset=to_text(dataset.source),
        folds="given" if usable.folds else f"{metrics.FOLDS}, dealt evenly (seed {seed})",
        classes=usable.classes,
        model=encoder.card.name,
        passport=encoder.passport.to_json(),
        dim=encoder.dim,
        probe=probed[""].score,
        knn=metrics.knn(vectors, usable.labels, usable.folds, K, seed),
        mean_average_precision=average,
        p10=first,
        by_class=_by_class(probed[""]),
        confusions=_confusions(probed[""]),
        robustness=tuple(points),
        audio_seconds=sum(durations),
        seconds=seconds,
        failures=(*dataset.unreadable, *((to_text(path), reason) for path, reason in failures.items())),
    )


def _mean(values: NDArray[np.float64], seed: int) -> Score:
    return Score(float(values.mean()), *metrics.interval(values, seed), len(values))


def _by_class(probed: metrics.Probed) -> dict[str, float]:
    totals = Counter(probed.labels)
    right = Counter(label for label, said in zip(probed.labels, probed.predicted, strict=True) if label == said)
    return {label: right[label] / count for label, count in sorted(totals.items())}


def _confusions(probed: metrics.Probed) -> tuple[tuple[str, str, int], ...]:
    wrong = Counter(pair for pair in zip(probed.labels, probed.predicted, strict=True) if pair[0] != pair[1])
    ordered = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    return tuple((label, said, count) for (label, said), count in ordered[:CONFUSIONS])
