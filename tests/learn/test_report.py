"""A report can be made, written, printed and drawn whatever was and was not known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.charts import save
from sonovec.learn import chart, report
from sonovec.learn.false_alarms import ClassAlarms, FalseAlarms, rate
from sonovec.learn.outcomes import Outcomes


def outcomes_of(n: int, n_classes: int, seed: int, missing: float = 0.0) -> Outcomes:
    rng = np.random.default_rng(seed)
    targets = np.eye(n_classes + 1, dtype=np.int8)[rng.integers(0, n_classes + 1, n)][:, :n_classes]
    probabilities = np.clip(targets * 0.7 + rng.random(targets.shape) * 0.3, 0, 1)
    probabilities[rng.random(targets.shape) < missing] = np.nan
    names = tuple(f"{row // 2}.wav" for row in range(n))
    classes = tuple(f"class {column}" for column in range(n_classes))
    return Outcomes(classes, targets, probabilities, names, names, np.tile([0.0, 1.0], (n, 1)))


def report_of(outcomes: Outcomes, folds: int = 5) -> report.Report:
    vectors = np.random.default_rng(0).standard_normal((len(outcomes), 8))
    return report.make(outcomes, [0.5] * len(outcomes.classes), vectors, folds=folds)


@settings(max_examples=15)
@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 99), st.sampled_from([0.0, 0.3, 1.0]))
def test_it_is_json_and_a_table_whatever_is_known(n: int, n_classes: int, seed: int, missing: float) -> None:
    found = report_of(outcomes_of(n, n_classes, seed, missing))
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert sum(map(sum, told["confusion"]["stretches"])) >= 0
    assert [row[0] for row in report.rows(found)] == [each["class"] for each in told["classes"]]
    assert all(len(row) == len(report.COLUMNS) for row in report.rows(found))
    for each in told["classes"]:
        curve = told["curves"].get(each["class"])
        assert (curve is None) == (each["average_precision"] is None)
        if curve is not None:
            recalls = [recall for recall, _ in curve]
            assert recalls == sorted(recalls) and recalls[-1] == 1 and len(curve) <= report.POINTS


def test_the_figures_of_a_curve_are_those_of_the_thresholds() -> None:
    outcomes = outcomes_of(60, 1, seed=0)
    found = report_of(outcomes)
    heard, said = outcomes.targets[:, 0] == 1, outcomes.probabilities[:, 0]
    expected = {
        (round(float(heard[said >= t].sum() / heard.sum()), 4), round(float(heard[said >= t].mean()), 4))
        for t in said[heard]
    }
    assert set(map(tuple, found.curves["class 0"])) == expected


def test_false_detections_are_named_with_their_seconds() -> None:
    outcomes = outcomes_of(40, 2, seed=0)
    row = int(np.flatnonzero((outcomes.targets == 0).all(axis=1))[0])
    outcomes.probabilities[row, 1] = 0.99
    first = report_of(outcomes).false_detections[0]
    assert (first.path, first.start, first.end) == (outcomes.paths[row], 0, 1)
    assert (first.label, first.detected, first.probability) == ("none of them", "class 1", 0.99)
    assert ("none of them", "class 1", 1) in report_of(outcomes).mistakes


def alarms() -> FalseAlarms:
    return FalseAlarms("pool", 2.0, 3, (ClassAlarms("class 0", rate(0.4, 8, 2.0), rate(0.5, 0, 2.0)),))


def test_false_alarms_are_rows() -> None:
    assert report.alarm_rows(alarms()) == [("class 0", "0.50", "0.0 (0.0-1.8)", "0.40", "4.0 (1.7-7.9)")]
    whole = report_of(outcomes_of(20, 1, seed=0)).with_false_alarms(alarms())
    assert whole.to_json()["false_alarms"]["classes"][0]["at_threshold"]["events"] == 0


@pytest.mark.parametrize(
    ("n", "n_classes", "missing"),
    [(10, 2, 1.0), *(pytest.param(40, many, 0.0, marks=pytest.mark.slow) for many in (1, 3, 30))],
)
def test_it_is_drawn(tmp_path: Path, n: int, n_classes: int, missing: float) -> None:
    figure = chart.make_figure(report_of(outcomes_of(n, n_classes, 0, missing)), "a title with $")
    save(figure, tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert [axes.get_title() for axes in figure.axes][1:] == [
        "Is a probability one? (larger dots: more stretches)",
        "Would more examples help?",
        "What is taken for what (stretches)",
    ]
