"""The measures of a report, against scikit-learn and against what must hold whatever the probabilities are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.learn import measures
from sonovec.learn.outcomes import Outcomes


def outcomes_of(targets: np.ndarray, probabilities: np.ndarray, groups: list[str] | None = None) -> Outcomes:
    n, n_classes = targets.shape
    names = groups or [f"recording {row}" for row in range(n)]
    times = np.stack([np.arange(n), np.arange(n) + 1.0], axis=1)
    classes = tuple(f"class {column}" for column in range(n_classes))
    return Outcomes(classes, targets.astype(np.int8), probabilities, tuple(names), tuple(names), times)


@st.composite
def some_outcomes(draw: st.DrawFn) -> Outcomes:
    n, n_classes = draw(st.integers(2, 40)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    targets = rng.integers(-1, 2, size=(n, n_classes))
    probabilities = rng.integers(0, draw(st.sampled_from([3, 1000])), size=(n, n_classes)) / 1000  # with ties
    probabilities[rng.random((n, n_classes)) < 0.1] = np.nan
    return outcomes_of(targets, probabilities, [f"group {code}" for code in rng.integers(0, 6, n)])


@settings(max_examples=12)
@given(some_outcomes())
def test_average_precision_is_that_of_scikit_learn(outcomes: Outcomes) -> None:
    from sklearn.metrics import average_precision_score

    scores, mean = measures.average_precisions(outcomes)
    values = []
    for column, score in enumerate(scores):
        known = outcomes.known[:, column]
        heard = outcomes.targets[known, column] == 1
        assert (score is None) == (not heard.any())
        if score is not None:
            values.append(average_precision_score(heard, outcomes.probabilities[known, column]))
            assert score.value == pytest.approx(values[-1])
            assert 0 <= score.low <= score.high <= 1
    assert (mean is None) == (not values)
    if mean is not None:
        assert mean.value == pytest.approx(np.mean(values))


@settings(max_examples=20)
@given(some_outcomes(), st.floats(0.0005, 1))
def test_counts_are_those_of_scikit_learn(outcomes: Outcomes, threshold: float) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    figures, _ = measures.class_figures(outcomes, [threshold] * len(outcomes.classes))
    for column, each in enumerate(figures):
        known = outcomes.known[:, column]
        if each.recall is None:
            assert not outcomes.positive[:, column].any()
            continue
        precision, recall, f1, _ = precision_recall_fscore_support(
            outcomes.targets[known, column] == 1,
            outcomes.probabilities[known, column] >= threshold,
            average="binary",
            zero_division=0,
        )
        assert each.recall.value == pytest.approx(recall)
        assert each.f1 is not None and each.f1.value == pytest.approx(f1)
        assert (each.precision.value if each.precision else 0) == pytest.approx(precision)


@given(some_outcomes())
def test_the_confusion_counts_each_class_that_is_heard_once(outcomes: Outcomes) -> None:
    counts = measures.confusion(outcomes, [0.5] * len(outcomes.classes))
    assert counts[:-1].sum(axis=1).tolist() == outcomes.positive.sum(axis=0).tolist()
    told = measures.mistakes(counts, outcomes.classes)
    assert sum(count for *_, count in told) == counts.sum() - np.trace(counts)


@settings(max_examples=8)
@given(some_outcomes(), st.randoms())
def test_nothing_depends_on_the_order_of_the_stretches(outcomes: Outcomes, random) -> None:
    order = list(range(len(outcomes)))
    random.shuffle(order)
    other = Outcomes(
        outcomes.classes,
        outcomes.targets[order],
        outcomes.probabilities[order],
        *(tuple(np.array(names)[order].tolist()) for names in (outcomes.groups, outcomes.paths)),
        outcomes.times[order],
    )
    thresholds = [0.5] * len(outcomes.classes)
    for mine, theirs in zip(*(measures.class_figures(each, thresholds)[0] for each in (outcomes, other)), strict=True):
        for name in ("precision", "recall", "f1", "average_precision"):
            a, b = getattr(mine, name), getattr(theirs, name)
            assert (a is None and b is None) or (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))
    assert (measures.confusion(outcomes, thresholds) == measures.confusion(other, thresholds)).all()


def test_intervals_are_wider_where_groups_are_right_or_wrong_together() -> None:
    right = np.repeat([1, 0, 1, 1, 0, 1, 1, 1, 1, 0], 10)[:, None]
    [together] = measures.ratios(right, np.ones_like(right), np.repeat(list("abcdefghij"), 10).tolist())
    [apart] = measures.ratios(right, np.ones_like(right), list(map(str, range(100))))
    assert together is not None and apart is not None
    assert together.value == apart.value == pytest.approx(0.7)
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(0), 0
    for seed in range(200):
        chance = rng.beta(6, 2, size=30)  # of each group; 0.75 on the mean
        right = rng.random((30, 5)) < chance[:, None]
        [score] = measures.ratios(
            right.reshape(-1, 1), np.ones((150, 1)), np.repeat(np.arange(30), 5).astype(str).tolist(), seed
        )
        assert score is not None
        covered += score.low <= 0.75 <= score.high
    assert 0.9 <= covered / 200 <= 0.98


def test_what_was_always_right_is_not_certain() -> None:
    ones = np.ones((40, 1))
    [right], [wrong] = (measures.ratios(each, ones, [str(row) for row in range(40)]) for each in (ones, 0 * ones))
    assert right is not None and wrong is not None
    assert (right.value, right.high, round(right.low, 3)) == (1, 1, 0.912), "Clopper and Pearson, 40 of 40"
    assert (wrong.value, wrong.low, round(wrong.high, 3)) == (0, 0, 0.088)


def test_accuracy_is_counted_where_classes_exclude_each_other() -> None:
    targets = np.array([[1, 0], [0, 1], [0, 1], [0, 0]])
    probabilities = np.array([[0.9, 0.2], [0.3, 0.6], [0.7, 0.5], [0.9, 0.1]])
    score = measures.accuracy(outcomes_of(targets, probabilities))
    assert score is not None and (score.value, score.n) == (pytest.approx(2 / 3), 3)
    assert measures.accuracy(outcomes_of(np.array([[1, 1], [0, 1]]), probabilities[:2])) is None
    assert measures.accuracy(outcomes_of(np.array([[1, -1], [0, 1]]), probabilities[:2])) is None


def test_a_gain_is_of_the_same_draws() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((200, 3)) < 0.3).astype(int)
    weak, strong = (np.clip(targets * size + rng.random((200, 3)) * (1 - size), 0, 1) for size in (0.3, 0.5))
    groups = [f"{row % 20}" for row in range(200)]
    gained = measures.gain(outcomes_of(targets, weak, groups), outcomes_of(targets, strong, groups))
    nothing = measures.gain(outcomes_of(targets, weak, groups), outcomes_of(targets, weak, groups))
    assert gained is not None and nothing is not None
    assert 0 < gained.low < gained.value < gained.high
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


def test_each_stretch_is_judged_by_its_own_threshold() -> None:
    targets, said = np.int8([[1], [1], [0], [0]]), np.array([[0.6], [0.4], [0.6], [0.4]])
    outcomes = Outcomes(("dog",), targets, said, tuple("abcd"), tuple("abcd"), np.zeros((4, 2)))
    by = np.array([[0.5], [0.3], [0.7], [0.3]])
    [figures], _ = measures.class_figures(outcomes, [0.45], judged_by=by)
    assert figures.threshold == 0.45
    assert figures.precision is not None and figures.precision.value == pytest.approx(2 / 3)
    assert figures.recall is not None and figures.recall.value == 1
    assert measures.confusion(outcomes, by).tolist() == [[2, 0], [1, 1]]
