"""The learning curve says whether more examples would help, and is fair to small classes."""

from __future__ import annotations

import numpy as np

from sonovec.embedding.passport import Passport
from sonovec.learn.curve import _chosen, advice, learning_curve
from sonovec.learn.examples import Examples
from sonovec.learn.outcomes import by_stretch

PASSPORT = Passport("logmel", "1", {}, "", "mel", "soxr", "mean", 16000, 16000, 16000, "pad", "f32")


def curve_of(noise: float, n: int = 120, dim: int = 40):
    """Nearest means of two classes in noise: the more examples, the better, where there is noise."""
    rng = np.random.default_rng(0)
    targets = np.eye(2, dtype=np.int8)[np.arange(n) % 2]
    vectors = targets @ rng.standard_normal((2, dim)) + noise * rng.standard_normal((n, dim))
    groups = np.array([f"g{row // 2}" for row in range(n)])
    folds, stretches = np.arange(n) // 2 % 5, np.arange(n)

    def predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        means = [vectors[train][targets[train, column] == 1].mean(axis=0) for column in (0, 1)]
        score = vectors[test] @ (means[1] - means[0])
        return np.stack([1 - np.tanh(score / 100), 1 + np.tanh(score / 100)], axis=1) / 2

    names = tuple(groups.tolist())
    examples = Examples(
        np.float32(vectors), targets, ("a", "b"), names, stretches, names, np.zeros((n, 2)), np.ones(n), PASSPORT
    )
    full = np.empty((n, 2))
    for fold in range(5):
        full[folds == fold] = predict(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))
    told: list[tuple[int, int]] = []
    outcomes = by_stretch(examples, full)
    return learning_curve(examples, outcomes, folds, predict, tell=lambda *each: told.append(each)), told


def test_it_rises_where_more_examples_help_and_says_so() -> None:
    curve, told = curve_of(noise=8.0, n=240, dim=400)
    assert curve is not None
    assert [point.fraction for point in curve.points] == [0.25, 0.5, 0.75, 1]
    assert [point.stretches for point in curve.points] == [48, 96, 144, 192]
    assert curve.points[0].mean_average_precision.value < curve.points[-1].mean_average_precision.value
    assert curve.advice.startswith("more examples would help")
    assert told == [(done, 15) for done in range(15)]


def test_it_is_flat_where_all_is_learnt_and_says_so() -> None:
    curve, _ = curve_of(noise=0.1)
    assert curve is not None
    assert curve.points[0].mean_average_precision.value == 1
    assert curve.advice.startswith("more examples of the same kind would help little")


def test_too_few_groups_give_none() -> None:
    assert curve_of(noise=1.0, n=6)[0] is None


def test_a_share_of_groups_is_fair_to_small_classes_and_grows() -> None:
    targets = np.zeros((100, 3), np.int8)
    targets[:80, 0], targets[80:90, 1], targets[90:94, 2] = 1, 1, 1
    groups = np.array([f"g{row}" for row in range(100)])
    shares = [_chosen(targets, groups, fraction, seed=0) for fraction in (0.25, 0.5, 0.75)]
    for fraction, share in zip((0.25, 0.5, 0.75), shares, strict=True):
        chosen = np.isin(groups, share)
        assert targets[chosen].sum(axis=0).tolist() == [80 * fraction, round(10 * fraction + 0.01), 4 * fraction]
    assert set(shares[0]) <= set(shares[1]) <= set(shares[2])


def test_words_follow_the_figures() -> None:
    from sonovec.evaluation.metrics import Score

    assert "may be chance (-1.0 to +5.0)" in advice(Score(0.02, -0.01, 0.05, 9), Score(0.9, 0.8, 1, 9))
    assert "another encoder" in advice(Score(0.0, -0.01, 0.05, 9), Score(0.5, 0.4, 0.6, 9))
