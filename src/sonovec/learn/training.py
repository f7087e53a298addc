"""Train a detector: labels in, a detector out, with a report of how good it is on recordings that it has not heard."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.errors import PassportError, UsageError
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.learn import false_alarms as alarms
from sonovec.learn import report as reports
from sonovec.learn.curve import learning_curve
from sonovec.learn.detector import Detector, Exemplars
from sonovec.learn.examples import Examples, embed
from sonovec.learn.fit import BACKGROUND, Fitted, fit, trained
from sonovec.learn.journal import Journal, journal
from sonovec.learn.labels import LabelSet, read
from sonovec.learn.metric import Metric, metric
from sonovec.learn.outcomes import Outcomes, by_stretch, first_rows
from sonovec.learn.report import Report
from sonovec.learn.sources import library_at
from sonovec.learn.stored import Stored, stored
from sonovec.learn.targets import NOT_HEARD
from sonovec.learn.thresholds import Threshold, choose, held_out
from sonovec.paths import display, name_of, to_text
from sonovec.vectors import unit32

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder

Source = LabelSet | Examples | str | os.PathLike[str]

#: Kinds of heads in words.
HEADS = {"both": "logistic regression with centroids", "logistic": "logistic regression"}
#: What the folder of a detector is called, and beside it that of a training that has not ended.
ENDING, UNFINISHED = ".detector", ".part"


@dataclass(frozen=True, eq=False, repr=False)
class Training(Brief):
    """A detector, its report as a record, and recordings that were not found or could not be decoded, with the reason."""

    detector: Detector
    report: Report
    failures: tuple[str, ...] = ()

    def to_json(self, folder: Path) -> dict[str, Any]:
        """What ``sonovec train --json`` prints."""
        detector = self.detector
        return {
            "detector": to_text(folder),
            "name": detector.name,
            "version": detector.version,
            "passport": detector.passport.to_json(),
            "settings": dict(detector.settings),
            "report": self.report.to_json(),
            "failures": list(self.failures),
        }


@dataclass(frozen=True)
class Settings:
    """How a detector is trained: what `train` takes, where each field is described."""

    group: str | None = None
    audio: str | os.PathLike[str] | None = None
    min_score: float | None = None
    rest: bool | None = None
    background: str | os.PathLike[str] | None = None
    precision: float | None = None
    seed: int = 0
    false_alarms: str | os.PathLike[str] | None = None

    def check(self) -> None:
        """Refuse what cannot be, before any work is done."""
        if self.precision is not None and not 0 < self.precision < 1:
            raise UsageError(
                f"precision={self.precision!r} is not a share of detections that are right; give one between 0 and 1, such "
                "as precision=0.95, or none for the best F1"
            )
        pool = self.false_alarms
        if pool is not None and library_at(pool) is None and not Path(pool).exists():
            raise UsageError(f"false_alarms={display(pool)!r}: no such folder; give a folder of sounds, or a library")

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        places = {name: getattr(self, name) for name in ("audio", "background", "false_alarms")}
        return {
            "group": self.group,
            "min_score": self.min_score,
            "rest": self.rest,
            "precision": self.precision,
            "seed": self.seed,
            **{name: None if place is None else to_text(place) for name, place in places.items()},
        }


def train(
    labels: Source,
    encoder: Encoder | None = None,
    *,
    name: str | None = None,
    group: str | None = None,
    audio: str | os.PathLike[str] | None = None,
    min_score: float | None = None,
    rest: bool | None = None,
    background: str | os.PathLike[str] | None = None,
    precision: float | None = None,
    seed: int = 0,
    false_alarms: str | os.PathLike[str] | None = None,
    progress: Watched = None,
) -> Detector:
    """Train a detector on labelled sounds.

    The same labels, recordings, settings and encoder give the same detector, to the bit.

    Parameters
    ----------
    labels : path, LabelSet or Examples
        What `sonovec.learn.labels.read` reads: a folder whose sub-folders are the classes, a list, labels of Audacity or
        Raven, a library; or what it gave; or what `sonovec.learn.examples.embed` made of it.
    encoder : Encoder, optional
        Without it the built-in one.
    name : str, optional
        Of the detector, as labels of its have it in their source; without it the name of the labels.
    group : str, optional
        A column of the list, or a regular expression for file names: what must not be split over training and test. The
        recording, without it.
    audio : path, optional
        Where the recordings of a list lie.
    min_score, rest
        Of labels, as `sonovec.learn.labels.read` takes them.
    background : path, optional
        A folder of sounds, or a library, in which none of the classes is heard.
    precision : float, optional
        Each threshold is the lowest at which so large a share of detections is right; without it, that of the best F1.
    seed : int
        Of folds, of the learning curve and of intervals.
    false_alarms : path, optional
        A folder of sounds, or a library, in which none of the classes is heard, to count false alarms per hour in.
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    Detector
        Its `report` is that of `sonovec.learn.report.Report.to_json`; `Detector.save` writes it.

    Raises
    ------
    UsageError
        There is nothing to train on, or a setting cannot be.
    PassportError
        Examples or a background are of another encoder.
    MissingExtraError
        scikit-learn is not installed.

    Examples
    --------
    >>> import tempfile, sonovec, sonovec.demo
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = sonovec.demo.write(folder, per_kind=2)
    >>> detector = train(folder, sonovec.load("logmel"))
    >>> len(detector.classes), detector.report["mean_average_precision"]["value"] > 0.7
    (14, True)
    """
    settings = Settings(group, audio, min_score, rest, background, precision, seed, false_alarms)
    with running(progress) as job:
        return _train(labels, encoder, settings, name, None, job).detector


def default_folder(labels: str | os.PathLike[str]) -> Path:
    """Where a detector is written unless the user says where: in this folder, by the name of its labels.

    Examples
    --------
    >>> print(default_folder("/data/crows.txt"), default_folder("http://localhost:19530/crows"))
    crows.detector crows.detector
    """
    return Path(f"{_name_of(labels)}{ENDING}")


def train_into(
    folder: Path, labels: Source, encoder: Encoder | None, settings: Settings, *, progress: Watched = None
) -> Training:
    """Train a detector and write it to a folder; a run that was killed is taken up again by the same call.

    What is embedded is kept beside the folder until the detector is written, as ``crows.detector.part``.

    Raises
    ------
    UsageError
        As `train`; or the folder is something else, or cannot be written.
    """
    Detector.check_place(folder)
    name = name_of(folder.name).removesuffix(ENDING)
    with running(progress) as job, journal(folder.with_name(folder.name + UNFINISHED)) as kept:
        found = _train(labels, encoder, settings, name, kept, job)
        found.detector.save(folder)
    return found


def _train(
    labels: Source, encoder: Encoder | None, settings: Settings, name: str | None, kept: Journal | None, job: Job
) -> Training:
    settings.check()
    heard_by = encoder or _encoder_of(labels)
    examples = _examples(labels, heard_by, settings, kept, job)
    job.report(Progress("training"))
    others = stored(examples.passport, examples.vectors.shape[1])
    sees = metric(examples.passport)
    fitted = fit(
        examples.vectors,
        examples.targets,
        examples.groups,
        examples.weights,
        background=others.vectors,
        metric=sees,
        classes=examples.classes,
        seed=settings.seed,
    )
    outcomes = by_stretch(examples, fitted.probabilities)
    thresholds = _thresholds(outcomes, fitted.background, settings.precision)
    report = _report(examples, others, sees, fitted, outcomes, thresholds, settings, job)
    detector = Detector(
        name=name or _name_of(labels),
        classes=examples.classes,
        thresholds=np.array([each.value for each in thresholds], np.float32),
        head=fitted.head,
        passport=examples.passport,
        model={"name": heard_by.card.source, "options": dict(heard_by.options)},
        exemplars=Exemplars(
            unit32(examples.vectors).astype(np.float16), examples.targets, examples.times, examples.paths
        ),
        settings={
            **settings.to_json(),
            "kind": fitted.kind,
            "strength": fitted.strength,
            "stored_background": others.id or None,
            "metric": sees.id or None,
        },
    )
    if settings.false_alarms is not None:
        found = alarms.measure(detector, heard_by, settings.false_alarms, outcomes, kept=kept, progress=job.report)
        report = report.with_false_alarms(found)
    return Training(replace(detector, report=report.to_json()), report, examples.failures)


def _encoder_of(labels: Source) -> Encoder:
    """The encoder of examples, or else the built-in one."""
    from sonovec.embedding.encoder import load

    if not isinstance(labels, Examples):
        return load()
    passport = labels.passport
    return load(passport.model, hop=passport.hop / passport.rate, **passport.options)  # type: ignore[arg-type]


def _examples(labels: Source, encoder: Encoder, settings: Settings, kept: Journal | None, job: Job) -> Examples:
    """What to train on: read and embedded, unless it is given."""
    if isinstance(labels, Examples):
        if not labels.passport.is_comparable(encoder.passport):
            field, theirs, ours = labels.passport.differences(encoder.passport)[0]
            raise PassportError(
                f"the examples have vectors with {field}={theirs!r}, and those of the encoder {ours!r}; give the encoder "
                "that made them, or none"
            )
        return labels
    if isinstance(labels, LabelSet):
        found = labels
    else:
        chosen = {"min_score": settings.min_score, "rest": settings.rest}
        found = read(labels, group=settings.group, audio=settings.audio, **chosen)  # type: ignore[arg-type]
    return embed(found, encoder, background=settings.background, kept=kept, progress=job.report)


def _thresholds(outcomes: Outcomes, background: NDArray[np.float64], precision: float | None) -> list[Threshold]:
    """The threshold of each class, by the stretches and, with the weight that it has in training, by the background."""
    weights = np.concatenate([np.ones(len(outcomes)), np.full(len(background), BACKGROUND / max(len(background), 1))])
    said = np.concatenate([outcomes.probabilities, background])
    heard = np.concatenate([outcomes.targets, np.full(background.shape, NOT_HEARD)])
    return [choose(*column, precision=precision, weights=weights) for column in zip(said.T, heard.T, strict=True)]


def _report(
    examples: Examples,
    others: Stored,
    sees: Metric,
    fitted: Fitted,
    outcomes: Outcomes,
    thresholds: Sequence[Threshold],
    settings: Settings,
    job: Job,
) -> Report:
    def predict(train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.float64]:
        head = trained(
            examples.vectors[train],
            examples.targets[train],
            examples.weights[train],
            kind=fitted.kind,
            strength=fitted.strength,
            background=others.vectors,
            metric=sees,
        )
        return head.probabilities(examples.vectors[test])

    def tell(done: int, total: int) -> None:
        job.report(Progress("measuring", done, total, "trainings"))

    return reports.make(
        outcomes,
        [each.value for each in thresholds],
        examples.vectors[first_rows(examples)],
        folds=len(np.unique(fitted.folds)),
        judged_by=held_out(
            outcomes.probabilities,
            outcomes.targets,
            fitted.folds[first_rows(examples)],
            precision=settings.precision,
        ),
        learning_curve=learning_curve(examples, outcomes, fitted.folds, predict, settings.seed, tell),
        choices=choices(examples, others, sees, fitted, thresholds, settings),
        calibrated=fitted.calibrated,
        counts_alarms=settings.false_alarms is not None,
        notes=examples.notes,
        seed=settings.seed,
    )


def choices(
    examples: Examples,
    others: Stored,
    sees: Metric,
    fitted: Fitted,
    thresholds: Sequence[Threshold],
    settings: Settings,
) -> list[str]:
    """What was chosen for the user, and why."""
    passport, count = examples.passport, len(np.unique(fitted.folds))
    tried = ", ".join(f"{each.kind} {each.strength:g}: {each.log_loss:.4f}" for each in fitted.trials)
    compared = len(fitted.trials) > 1
    why = (
        f"of {len(fitted.trials)} that were tried on groups that they had not heard, by log loss ({tried}); another than the "
        "first is taken if it is better by more than a standard error"
        if compared
        else "there are too few groups to compare heads by, and it is best with few examples"
    )
    dealt = "each group is one" if len(set(examples.groups)) == count else "no group is in two of them"
    rule = (
        "of the best F1"
        if settings.precision is None
        else f"of the highest recall with a precision of {100 * settings.precision:g} % or more"
    )
    return [
        f"vectors: {passport.model}, windows of {passport.window / passport.rate:g} s",
        *(
            [f"metric: directions in which recordings of one sound differ count less, by {passport.model} ({sees.id})"]
            if sees.id
            else []
        ),
        f"head: {HEADS.get(fitted.kind, fitted.kind)}, strength {fitted.strength:g}: {why}",
        f"cross-validation: {count} folds, {dealt}" if count > 1 else "no cross-validation: there is one group",
        *(
            [
                f"background: also {len(others.vectors)} windows of other sounds that come with {passport.model} "
                f"({others.id}), which weigh as much as {BACKGROUND:g} examples in training and for thresholds"
            ]
            if others.id
            else []
        ),
        f"thresholds: for each class that {rule}, on the probabilities of the cross-validation; the figures of each fold are "
        "at thresholds that were chosen on the other folds",
        *(f"{name}: {each.note}" for name, each in zip(examples.classes, thresholds, strict=True) if each.note),
    ]


def _name_of(labels: Source) -> str:
    if isinstance(labels, LabelSet):
        return _name_of(labels.origin)
    if isinstance(labels, Examples):
        return "detector"
    path = Path(os.fspath(labels).rstrip("/\\"))
    return name_of(path.name if path.is_dir() else path.stem) or "detector"
