"""The fast measures against slow and obvious ones."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonovec.errors import UsageError
from sonovec.evaluation import metrics

# Small whole numbers make many exact ties, and zeros.
vectors = st.integers(3, 14).flatmap(lambda n: arrays(np.int64, (n, 3), elements=st.integers(-2, 2)))
some = settings(max_examples=150)


@st.composite
def labelled(draw):
    rows = draw(vectors)
    labels = draw(st.lists(st.sampled_from("abc"), min_size=len(rows), max_size=len(rows)))
    return rows, labels


@st.composite
def folded(draw):
    rows, labels = draw(labelled())
    folds = draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    return rows, labels, folds


def cosine(a, b):
    """Nine decimals of the cosine, as a whole number."""
    length = math.sqrt(sum(int(x) ** 2 for x in a)) * math.sqrt(sum(int(x) ** 2 for x in b))
    return round(sum(int(x) * int(y) for x, y in zip(a, b, strict=True)) / length * 1e9) if length else 0


def ranking(rows, query, others):
    return sorted(others, key=lambda other: (-cosine(rows[query], rows[other]), other))


def counted_classes(labels, folds):
    return {label for label in labels if len({f for f, other in zip(folds, labels, strict=True) if other == label}) > 1}


def slow_knn(rows, labels, folds, k):
    counted = counted_classes(labels, folds)
    used = [i for i, label in enumerate(labels) if label in counted]
    right = 0
    for query in used:
        nearest = ranking(rows, query, [i for i in used if folds[i] != folds[query]])[:k]
        votes, sums = defaultdict(int), defaultdict(int)
        for i in nearest:
            votes[labels[i]] += 1
            sums[labels[i]] += cosine(rows[query], rows[i])
        winner = min(votes, key=lambda label: (-votes[label], -sums[label], label))
        right += winner == labels[query]
    return right / len(used)


def slow_retrieval(rows, labels):
    precisions, firsts = [], []
    for query, label in enumerate(labels):
        if labels.count(label) < 2:
            continue
        hits = [labels[i] == label for i in ranking(rows, query, [i for i in range(len(labels)) if i != query])]
        at_hits = [Fraction(sum(hits[: i + 1]), i + 1) for i, hit in enumerate(hits) if hit]
        precisions.append(sum(at_hits) / len(at_hits))
        firsts.append(Fraction(sum(hits[:10]), len(hits[:10])))
    return float(sum(precisions) / len(precisions)), float(sum(firsts) / len(firsts)), len(firsts)


def slow_neighbours(rows, k):
    return [ranking(rows, query, [i for i in range(len(rows)) if i != query])[:k] for query in range(len(rows))]


@pytest.mark.slow
@some
@given(case=folded(), k=st.integers(1, 6), block=st.sampled_from([1, 20, 1 << 23]))
def test_knn_is_the_slow_one(case, k, block):
    rows, labels, folds = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_BLOCK_CELLS", block)
        if len(counted_classes(labels, folds)) < 2:
            with pytest.raises(UsageError, match="classes have sounds in two folds"):
                metrics.knn(rows, labels, folds, k)
            return
        score = metrics.knn(rows, labels, folds, k)
    assert score.value == pytest.approx(slow_knn(rows, labels, folds, k), abs=1e-12)
    assert set(score.left_out) == set(labels) - counted_classes(labels, folds)
    assert score.n == sum(label in counted_classes(labels, folds) for label in labels)
    assert 0 <= score.low <= score.high <= 1


@pytest.mark.slow
@some
@given(case=labelled(), block=st.sampled_from([1, 20, 1 << 23]))
def test_retrieval_is_the_slow_one(case, block):
    rows, labels = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_BLOCK_CELLS", block)
        if len(set(labels)) == len(labels):
            with pytest.raises(UsageError, match="no two of one class"):
                metrics.retrieval(rows, labels)
            return
        mean_average_precision, p10 = metrics.retrieval(rows, labels)
    expected = slow_retrieval(rows, labels)
    assert (mean_average_precision.value, p10.value) == pytest.approx(expected[:2], abs=1e-12)
    assert mean_average_precision.n == p10.n == expected[2]
    assert set(p10.left_out) == {label for label in labels if labels.count(label) == 1}


@some
@given(rows=vectors, data=st.data())
def test_neighbours_and_agreement_are_the_slow_ones(rows, data):
    others = data.draw(arrays(np.int64, (len(rows), 2), elements=st.integers(-2, 2)))
    k = data.draw(st.integers(1, len(rows) - 2))
    first, second = slow_neighbours(rows, k), slow_neighbours(others, k)
    assert metrics.neighbours(rows, k).tolist() == first
    expected = np.mean([len(set(a) & set(b)) / k for a, b in zip(first, second, strict=True)])
    assert metrics.agreement(rows, others, k) == pytest.approx(expected)
    assert metrics.agreement(others, rows, k) == metrics.agreement(rows, others, k)
    assert metrics.agreement(rows, rows * 7, k) == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_probe_is_the_obvious_loop(seed):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=60)
    rows = rng.standard_normal((60, 5)) * [1, 10, 100, 1, 1] + labels[:, None] * [1, 3, 0, 0, 0]
    folds = metrics.stratified_folds(labels, seed=seed)
    predicted = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)), rows, labels, cv=PredefinedSplit(folds)
    )
    score = metrics.probe(rows, labels, folds)
    assert score.value == np.mean(predicted == labels)
    assert metrics.probe(rows, labels, seed=seed).value == score.value
    assert score == metrics.probe(rows, list(labels), list(folds)), "the same every time"
    assert score.low < score.value < score.high


def test_a_class_of_one_is_said_and_left_out():
    rows = [[0, 1], [0, 2], [1, 0], [2, 0], [9, 9]]
    labels = ["dog", "dog", "cat", "cat", "owl"]
    for score in (metrics.probe(rows, labels), metrics.knn(rows, labels, k=1), metrics.retrieval(rows, labels)[0]):
        assert (score.value, score.n, score.left_out) == (1.0, 4, ("owl",))
        assert score.to_json() == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 4, "left_out": ["owl"]}


def test_an_equal_vote_goes_to_the_closer_class_then_to_the_first_name():
    rows = [[10, 0], [10, 1], [10, 3], [9, -4]]
    folds = [0, 1, 1, 1]
    right = metrics.knn([*rows, [0, 1], [0, 1]], ["b", "b", "a", "c", "a", "c"], [*folds, 2, 3], k=3)
    assert right.value == slow_knn([*rows, [0, 1], [0, 1]], ["b", "b", "a", "c", "a", "c"], [*folds, 2, 3], 3)
    tied = metrics.knn([[1, 0], [1, 0], [1, 0], [1, 0]], ["a", "b", "a", "b"], [0, 0, 1, 1], k=2)
    assert tied.value == 0.5, "one vote each and the same cosine: always a"


@some
@given(
    labels=st.lists(st.sampled_from("abcd"), min_size=1, max_size=60), n_folds=st.integers(2, 7), seed=st.integers(0, 9)
)
def test_folds_are_even_within_every_class(labels, n_folds, seed):
    folds = metrics.stratified_folds(labels, n_folds, seed)
    used = max(2, min(n_folds, max(labels.count(label) for label in labels)))
    assert folds.tolist() == metrics.stratified_folds(labels, n_folds, seed).tolist()
    for part in [folds, *(folds[np.array(labels) == label] for label in set(labels))]:
        counts = np.bincount(part, minlength=used)
        assert len(counts) == used and counts.max() - counts.min() <= 1


@given(rows=vectors, scale=st.sampled_from([1e-300, 1e-3, 1e200]))
def test_the_length_of_vectors_does_not_matter(rows, scale):
    assert metrics.neighbours(rows * scale, 1).tolist() == metrics.neighbours(rows, 1).tolist()


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(100):
        low, high = metrics.interval(rng.random(100) < 0.7, seed)
        covered.append(low <= 0.7 <= high)
    assert 0.88 <= np.mean(covered) <= 1


def test_chance_is_what_random_vectors_agree_by():
    rng = np.random.default_rng(0)
    agreement = metrics.agreement(rng.standard_normal((600, 8)), rng.standard_normal((600, 8)))
    assert agreement == pytest.approx(metrics.agreement_by_chance(600), abs=0.005)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.knn([[1.0]], ["a"], k=0), r"k=0 is not a number of neighbours; give 1 or more, such as k=5"),
        (lambda: metrics.knn([[1.0]], ["a", "b"]), r"2 labels for 1 sounds; give one label for each"),
        (lambda: metrics.knn([[1.0], [2.0]], ["a", "b"], [1]), r"folds of shape \(1,\) for 2 sounds"),
        (lambda: metrics.probe([[1.0]] * 3, ["a"] * 3), r"1 of 1 classes have sounds in two folds; give at least two"),
        (lambda: metrics.probe([1.0, 2.0], ["a", "b"]), r"vectors of shape \(2,\); give finite numbers in an array"),
        (lambda: metrics.retrieval([[math.nan]], ["a"]), r"vectors of shape \(1, 1\); give finite numbers"),
        (lambda: metrics.agreement([[1.0]] * 5, [[1.0]] * 4), r"5 and 4 vectors; give those of the same sounds"),
        (
            lambda: metrics.agreement([[1.0]] * 11, [[1.0]] * 11),
            r"k=10 nearest of 11 sounds cannot be compared; give at least",
        ),
        (lambda: metrics.stratified_folds(["a"], 1), r"n_folds=1 leaves nothing to train on; give 2 or more"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(UsageError, match=message):
        call()


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40).filter(
        lambda pairs: len({alike for _, alike in pairs}) == 2
    )
)
def test_the_equal_error_is_where_both_errors_are_nearest(pairs):
    scores, alike = np.array([score for score, _ in pairs], float), np.array([each for _, each in pairs])
    errors = [((scores[alike] < at).mean(), (scores[~alike] >= at).mean()) for at in np.unique(scores)]
    found = metrics.equal_error(scores, alike)
    nearest = min(abs(missed - taken) for missed, taken in errors)
    missed, taken = (scores[alike] < found.threshold).mean(), (scores[~alike] >= found.threshold).mean()
    assert abs(missed - taken) == pytest.approx(nearest) and found.rate == pytest.approx((missed + taken) / 2)
    assert metrics.equal_error(3 * scores + 1, alike).rate == found.rate


def test_pairs_of_one_kind_have_no_equal_error():
    assert metrics.equal_error([0.1, 0.9], [False, True]).rate == 0
    assert metrics.equal_error([0.9, 0.1], [False, True]).rate == pytest.approx(1.0)
    for scores, alike, message in (
        ([1.0], [True], "one kind"),
        ([1.0, 2.0], [True], "shape"),
        ([np.nan, 1], [True, False], "finite"),
    ):
        with pytest.raises(UsageError, match=message):
            metrics.equal_error(scores, alike)
