"""The report of a training: how good the detector is on recordings that it has not heard, and what cannot be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.evaluation.metrics import Score
from sonovec.learn import calibration, measures
from sonovec.learn.calibration import Calibration
from sonovec.learn.curve import LearningCurve
from sonovec.learn.false_alarms import FalseAlarms
from sonovec.learn.measures import ClassFigures
from sonovec.learn.outcomes import NONE, Outcomes
from sonovec.learn.suspects import MOST, LabelSuspect, Leak, label_suspects, leaks

#: Points of a precision-recall curve that are kept.
POINTS = 50
#: False detections that are named.
NAMED = 10
#: With fewer groups than this an interval is rough.
FEW = 10


@dataclass(frozen=True)
class FalseDetection:
    """A stretch without a class, and the probability of it there, which reaches the threshold chosen without its fold."""

    path: str
    start: float
    end: float
    label: str
    detected: str
    probability: float


@dataclass(frozen=True, repr=False)
class Report(Brief):
    """How good a detector is, by heads that had not heard the group that they were asked about.

    Attributes
    ----------
    stretches, groups, folds, background : int
        Labelled stretches, their groups, the folds of the cross-validation, and the stretches in which no class is heard.
    classes : tuple of ClassFigures
    mean_average_precision : Score or None
        Mean over the classes.
    accuracy : Score or None
        Share of stretches whose most probable class is theirs; None where classes overlap.
    calibration : Calibration or None
        Of all classes together, each probability of each stretch counted once.
    confidence : Calibration or None
        Of the most probable class alone; None where classes overlap.
    curves : mapping of str to (n, 2) list
        Recall and precision of each class, from the highest probability to the lowest.
    confusion : tuple of tuple of int
        Rows are what is heard, columns what is detected, both the classes and then none of them.
    learning_curve : LearningCurve or None
    label_suspects, leaks : tuple
        The first fifty; `suspects` counts all: ``{"labels": 3, "leaks": 0}``.
    false_detections : tuple of FalseDetection
        The most probable ones.
    choices, unknown, notes : tuple of str
        What was chosen for the user, what cannot be known, and what was left out.
    false_alarms : FalseAlarms or None
        On a pool of other sounds.
    """

    stretches: int
    groups: int
    folds: int
    background: int
    classes: tuple[ClassFigures, ...]
    mean_average_precision: Score | None
    accuracy: Score | None
    calibration: Calibration | None
    confidence: Calibration | None
    curves: Mapping[str, list[tuple[float, float]]]
    confusion: tuple[tuple[int, ...], ...]
    learning_curve: LearningCurve | None
    label_suspects: tuple[LabelSuspect, ...]
    leaks: tuple[Leak, ...]
    suspects: Mapping[str, int]
    false_detections: tuple[FalseDetection, ...]
    choices: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    false_alarms: FalseAlarms | None = None

    def with_false_alarms(self, found: FalseAlarms) -> Report:
        """The same with what was heard in a pool."""
        return replace(self, false_alarms=found)

    @property
    def mistakes(self) -> list[tuple[str, str, int]]:
        """What is taken for what, the most frequent first: (heard, detected, stretches)."""
        return measures.mistakes(np.array(self.confusion), [each.name for each in self.classes])

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "stretches": self.stretches,
            "groups": self.groups,
            "folds": self.folds,
            "background": self.background,
            "classes": [each.to_json() for each in self.classes],
            **{
                name: None if (value := getattr(self, name)) is None else value.to_json()
                for name in (
                    *("mean_average_precision", "accuracy", "calibration", "confidence", "learning_curve"),
                    "false_alarms",
                )
            },
            "curves": {name: [list(point) for point in curve] for name, curve in self.curves.items()},
            "confusion": {
                "names": [*(each.name for each in self.classes), NONE],
                "stretches": [list(row) for row in self.confusion],
            },
            "label_suspects": [each.to_json() for each in self.label_suspects],
            "leaks": [each.to_json() for each in self.leaks],
            "suspects": dict(self.suspects),
            "false_detections": [asdict(each) for each in self.false_detections],
            "choices": list(self.choices),
            "unknown": list(self.unknown),
            "notes": list(self.notes),
        }


def make(
    outcomes: Outcomes,
    thresholds: Sequence[float],
    vectors: NDArray[np.floating],
    *,
    folds: int,
    judged_by: NDArray[np.float64] | None = None,
    learning_curve: LearningCurve | None = None,
    choices: Sequence[str] = (),
    calibrated: bool = True,
    counts_alarms: bool = False,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Report:
    """Make the report of held-out probabilities.

    Parameters
    ----------
    outcomes : Outcomes
    thresholds : sequence of float, length n_classes
        Of the detector.
    vectors : array, shape (n_stretches, dim)
        The mean vector of each stretch, in which copies are looked for.
    folds : int
        Of the cross-validation; 0 where there was none.
    judged_by : array, shape (n_stretches, n_classes), optional
        The threshold of each stretch, chosen without its fold; that of the detector without it.
    learning_curve : LearningCurve, optional
    choices, notes : sequence of str
    calibrated : bool
        Whether there were enough groups to calibrate by.
    counts_alarms : bool
        Whether false alarms are still to be counted.
    seed : int
        Of the intervals.

    Returns
    -------
    Report
    """
    judged_by = np.broadcast_to(thresholds, outcomes.targets.shape) if judged_by is None else judged_by
    figures, mean = measures.class_figures(outcomes, thresholds, seed, judged_by)
    suspects, copies = label_suspects(outcomes), leaks(outcomes, vectors)
    return Report(
        stretches=len(outcomes),
        groups=len(set(outcomes.groups)),
        folds=folds,
        background=int((outcomes.targets == 0).all(axis=1).sum()),
        classes=tuple(figures),
        mean_average_precision=mean,
        accuracy=measures.accuracy(outcomes, seed),
        calibration=calibration.measured(outcomes.probabilities, outcomes.targets) if outcomes.known.any() else None,
        confidence=measures.confidence_calibration(outcomes),
        curves={
            name: _thinned(*measures.precision_recall(outcomes, column))
            for column, name in enumerate(outcomes.classes)
            if outcomes.positive[:, column].any()
        },
        confusion=tuple(map(tuple, measures.confusion(outcomes, judged_by).tolist())),
        learning_curve=learning_curve,
        label_suspects=tuple(suspects[:MOST]),
        leaks=tuple(copies[:MOST]),
        suspects={"labels": len(suspects), "leaks": len(copies)},
        false_detections=tuple(_false_detections(outcomes, judged_by)),
        choices=tuple(choices),
        unknown=tuple(unknown(outcomes, calibrated, counts_alarms)),
        notes=tuple(notes),
    )


def _thinned(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Points of a curve, at most so many, the ends among them."""
    kept = np.unique(np.linspace(0, len(recall) - 1, POINTS).round().astype(int))
    return [(round(float(recall[place]), 4), round(float(precision[place]), 4)) for place in kept]


def _false_detections(outcomes: Outcomes, judged_by: NDArray[np.float64]) -> list[FalseDetection]:
    rows, columns = np.nonzero(outcomes.negative & (outcomes.probabilities >= judged_by))
    found = [
        FalseDetection(
            outcomes.paths[row],
            float(outcomes.times[row, 0]),
            float(outcomes.times[row, 1]),
            outcomes.label(row),
            outcomes.classes[column],
            float(outcomes.probabilities[row, column]),
        )
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    return sorted(found, key=lambda each: (-each.probability, each.path, each.start))[:NAMED]


def unknown(outcomes: Outcomes, calibrated: bool = True, counts_alarms: bool = False) -> list[str]:
    """What cannot be known from these examples, and what would help.

    Examples
    --------
    >>> outcomes = Outcomes(("dog",), np.int8([[1], [0]]), np.full((2, 1), np.nan), ("a", "a"), ("a", "a"), np.zeros((2, 2)))
    >>> unknown(outcomes)
    ["all examples are from one group, 'a': how good the detector is on another cannot be known; add examples from other ..."]
    """
    names = sorted(set(outcomes.groups))
    if len(names) == 1:
        return [
            f"all examples are from one group, {names[0]!r}: how good the detector is on another cannot be known; add "
            "examples from other recordings"
        ]
    told = []
    groups = np.array(outcomes.groups, object)
    for column, name in enumerate(outcomes.classes):
        heard = outcomes.targets[:, column] == 1
        if not outcomes.positive[:, column].any():
            own = sorted(set(groups[heard].tolist()))
            of = (
                f"its examples are all from one group, {own[0]!r}"
                if len(own) == 1
                else "its groups are all in one fold"
            )
            count = "one example" if heard.sum() == 1 else f"{heard.sum()} examples"
            told.append(f"how well {name!r} is detected ({count}): {of}; add examples from other recordings")
    if not counts_alarms and not (outcomes.targets == 0).all(axis=1).any():
        told.append(
            "what the detector says of sounds that hold none of its classes: there is no background of yours; add "
            "some (--background FOLDER), or count false alarms (--false-alarms FOLDER)"
        )
    if not calibrated:
        told.append(
            "whether probabilities are right: too few examples or groups to calibrate by; take them as a rough guide"
        )
    if len(names) < FEW:
        told.append(f"how far the figures reach: {len(names)} groups are few, and the intervals are rough")
    return told


# -- as text


def percent(score: Score | None) -> str:
    """A share in percent with its interval, or a dash.

    Examples
    --------
    >>> percent(Score(0.95, 0.93, 0.97, 400)), percent(None)
    ('95.0 (93.0-97.0)', '-')
    """
    return f"{100 * score.value:.1f} ({100 * score.low:.1f}-{100 * score.high:.1f})" if score else "-"


COLUMNS = ("class", "examples", "groups", "threshold", "precision %", "recall %", "F1 %", "AP %", "calibration error")
ALARM_COLUMNS = ("class", "threshold", "false alarms per hour", "at 90 % recall: threshold", "false alarms per hour ")


def rows(report: Report) -> list[tuple[str, ...]]:
    """A row for each class."""
    return [
        (
            each.name,
            str(each.stretches),
            str(each.groups),
            f"{each.threshold:.2f}",
            *map(percent, (each.precision, each.recall, each.f1, each.average_precision)),
            f"{each.calibration.error:.3f}" if each.calibration else "-",
        )
        for each in report.classes
    ]


def alarm_rows(found: FalseAlarms) -> list[tuple[str, ...]]:
    """A row for each class: false alarms per hour with their intervals."""
    told_of: list[tuple[str, ...]] = []
    for each in found.classes:
        told = [
            (f"{rate.threshold:.2f}", f"{rate.per_hour:.1f} ({rate.low:.1f}-{rate.high:.1f})") if rate else ("-", "-")
            for rate in (each.at_threshold, each.at_recall)
        ]
        told_of.append((each.name, *told[0], *told[1]))
    return told_of


def summary(report: Report) -> list[str]:
    """The figures of all classes together, one a line."""
    lines = []
    if report.accuracy:
        lines.append(f"accuracy {percent(report.accuracy)} %: the most probable class is the right one")
    if report.mean_average_precision:
        lines.append(f"mean average precision {percent(report.mean_average_precision)} %")
    if report.calibration:
        of_best = f"; of the most probable class {report.confidence.error:.3f}" if report.confidence else ""
        lines.append(f"calibration error {report.calibration.error:.3f}{of_best}")
    if report.learning_curve:
        lines.append(report.learning_curve.advice)
    return lines
