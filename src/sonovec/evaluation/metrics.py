"""Measures of vectors: a linear probe, nearest neighbours, retrieval, and whether two encoders agree.

Closeness is cosine everywhere but in the probe. It is compared to nine decimals and ties go to the item that comes first
in the input, so that copies of a sound tie whatever the order of summation, and every figure is the same on every run. A
vector of zeros has cosine 0 with everything.

Every figure but agreement is a mean over sounds with a 95 % interval by bootstrap: sounds are drawn with replacement 1,000
times from those that were counted, with their outcomes as they are. The interval tells what other sounds of the same
collection might give; it knows nothing of another training, nor that sounds may be cut from one recording. Where every
sound has the same outcome it has no width, which is too good to be true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.errors import UsageError
from sonovec.extras import require
from sonovec.vectors import unit

#: Folds of a cross-validation, where the caller gives none.
FOLDS = 5
#: Inverse strength of the probe's L2 penalty.
PROBE_C = 1.0
#: Resamplings of a bootstrap, and the share of them that lies within the interval.
DRAWS = 1000
CONFIDENCE = 0.95
#: What is said where a package is missing: what needs it, and the extra that it comes with.
COMPARING = ("comparing encoders", "evaluate")
#: Results of a query that precision is taken over.
FIRST = 10

# Cosines become whole numbers, so that ties are exact; rows are compared in blocks, so that memory stays bounded.
_STEPS = 10**9
_BLOCK_CELLS = 1 << 23


@dataclass(frozen=True)
class Score:
    """A mean over sounds, between 0 and 1.

    Attributes
    ----------
    value, low, high : float
        The mean, and the ends of its 95 % interval.
    n : int
        Sounds that were counted.
    left_out : tuple of str
        Classes that could not be counted, since they have too few sounds.
    """

    value: float
    low: float
    high: float
    n: int
    left_out: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {**asdict(self), "left_out": list(self.left_out)}


def probe(
    vectors: ArrayLike,
    labels: Sequence[Any],
    folds: ArrayLike | None = None,
    seed: int = 0,
    *,
    queries: ArrayLike | None = None,
) -> Score:
    """Accuracy of a linear classifier on sounds that it was not trained on.

    For each fold, a logistic regression (multinomial, L2 with C = 1, scikit-learn's lbfgs) is trained on the vectors of all
    other folds, each feature brought to mean 0 and deviation 1 by what the training vectors have, and predicts the fold. The
    figure is the share of all sounds that were predicted rightly.

    Parameters
    ----------
    vectors : array, shape (n, dim)
        One finite vector for each sound.
    labels : sequence, length n
    folds : array, shape (n,), optional
        The fold of each sound: whatever belongs together, such as cuts of one recording, should be in one fold. Without
        it, `stratified_folds`.
    seed : int
        Of the folds and the bootstrap.
    queries : array, shape (n, dim), optional
        What is predicted in place of `vectors`, which are still what is trained on: the same sounds with noise, say.

    Returns
    -------
    Score
        A class whose sounds are all in one fold, such as a class of one, is left out.

    Raises
    ------
    UsageError
        If the shapes do not fit, a vector is not finite, or fewer than two classes can be counted.
    MissingExtraError
        If scikit-learn is not installed.

    Examples
    --------
    >>> vectors = [[0, 1], [0, 2], [0, 3], [5, 1], [5, 2], [5, 3]]
    >>> probe(vectors, ["dog", "dog", "dog", "cat", "cat", "cat"]).value
    1.0
    """
    return probes(vectors, labels, {"": vectors if queries is None else queries}, folds, seed)[""].score


@dataclass(frozen=True)
class Probed:
    """What a probe said of each sound that was counted.

    Attributes
    ----------
    score : Score
    labels, predicted : tuple of str
        The class of each sound that was counted, and what was predicted.
    """

    score: Score
    labels: tuple[str, ...]
    predicted: tuple[str, ...]


def probes(
    vectors: ArrayLike,
    labels: Sequence[Any],
    queries: Mapping[str, ArrayLike],
    folds: ArrayLike | None = None,
    seed: int = 0,
    tell: Callable[[int, int], object] = lambda done, folds: None,
) -> dict[str, Probed]:
    """`probe` for several kinds of queries at once, with the predictions; each fold is trained once.

    Before each fold `tell` is called with the number of those that are done and of all; what it raises ends it.

    Examples
    --------
    >>> vectors = [[0, 1], [0, 2], [0, 3], [5, 1], [5, 2], [5, 3]]
    >>> probed = probes(vectors, ["dog"] * 3 + ["cat"] * 3, {"clean": vectors, "mute": [[5, 0]] * 6})
    >>> probed["clean"].score.value, probed["mute"].predicted
    (1.0, ('cat', 'cat', 'cat', 'cat', 'cat', 'cat'))
    """
    require("sklearn", *COMPARING)
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    split = _split(_vectors(vectors), labels, folds, seed)
    asked = {name: _like(each, vectors)[split.rows] for name, each in queries.items()}
    predicted = {name: np.empty(len(split.codes), np.int64) for name in asked}
    # Its many small products take twenty times as long where threads wait for each other.
    with threadpool_limits(1):
        parts = list(split.parts())
        for done, (train, test) in enumerate(parts):
            tell(done, len(parts))
            scaler = StandardScaler().fit(split.vectors[train])
            classifier = LogisticRegression(C=PROBE_C, max_iter=5000)
            classifier.fit(scaler.transform(split.vectors[train]), split.codes[train])
            for name, each in asked.items():
                predicted[name][test] = classifier.predict(scaler.transform(each[test]))
    names = [str(name) for name in split.names]
    return {
        name: Probed(
            _score((codes == split.codes).astype(np.float64), seed, split.left_out),
            tuple(names[code] for code in split.codes),
            tuple(names[code] for code in codes),
        )
        for name, codes in predicted.items()
    }


def knn(
    vectors: ArrayLike,
    labels: Sequence[Any],
    folds: ArrayLike | None = None,
    k: int = 5,
    seed: int = 0,
    *,
    queries: ArrayLike | None = None,
) -> Score:
    """Accuracy of a vote of the `k` nearest sounds of other folds.

    Every neighbour has one vote. If classes have equally many, the one with the larger sum of cosines wins, then the one
    that comes first in sorted order.

    Parameters
    ----------
    vectors, labels, folds, seed, queries
        As for `probe`.
    k : int
        Neighbours that vote; all of the other folds where there are fewer.

    Returns
    -------
    Score
        Classes are left out as by `probe`.

    Raises
    ------
    UsageError
        As `probe`, or if `k` is less than 1.

    Examples
    --------
    >>> vectors = [[0, 1], [0, 2], [1, 9], [1, 0], [2, 0], [9, 1]]
    >>> knn(vectors, ["dog", "dog", "dog", "cat", "cat", "cat"], k=1).value
    1.0
    """
    if k < 1:
        raise UsageError(f"k={k} is not a number of neighbours; give 1 or more, such as k=5")
    split = _split(_vectors(vectors), labels, folds, seed)
    units = unit(split.vectors, least=0)
    asked = units if queries is None else unit(_like(queries, vectors)[split.rows], least=0)
    right = np.empty(len(units))
    for train, test in split.parts():
        for rows in _blocks(test, len(train)):
            steps = _closeness(asked[rows], units[train])
            nearest = _first(_keys(steps), k) % len(train)
            votes = np.zeros((len(rows), len(split.names)), np.int64)
            # A vote outweighs any sum of cosines, so one number holds both; no vote at all is zero.
            worth = np.take_along_axis(steps, nearest, axis=1) + 4 * k * _STEPS
            np.add.at(votes, (np.arange(len(rows))[:, None], split.codes[train][nearest]), worth)
            right[rows] = votes.argmax(axis=1) == split.codes[rows]
    return _score(right, seed, split.left_out)


def retrieval(
    vectors: ArrayLike, labels: Sequence[Any], seed: int = 0, *, queries: ArrayLike | None = None
) -> tuple[Score, Score]:
    """How far up sounds of the same class come when each sound is the query: mAP and P@10.

    Every sound ranks all others, itself left out, by cosine. Its average precision is the mean, over the others of its
    class, of the share of its class among the results up to and with that one; mAP is the mean over sounds. P@10 is the
    share of its class among the first ten results, or all results if there are fewer; in a class of m sounds it cannot be
    more than (m - 1) / 10. Unlike the probe, there are no folds.

    Parameters
    ----------
    vectors, labels, seed, queries
        As for `probe`.

    Returns
    -------
    mAP, P@10 : Score
        A sound that is the only one of its class is no query, but stands among the results of others.

    Raises
    ------
    UsageError
        If the shapes do not fit, a vector is not finite, or no class has two sounds.

    Examples
    --------
    >>> mean_average_precision, p10 = retrieval([[0, 1], [0, 2], [1, 0], [3, 0]], ["dog", "dog", "cat", "cat"])
    >>> mean_average_precision.value, round(p10.value, 3)
    (1.0, 0.333)
    """
    array = _vectors(vectors)
    names, codes = _coded(labels, len(array))
    counts = np.bincount(codes)
    counted = np.flatnonzero(counts[codes] > 1)
    if len(counted) == 0:
        raise UsageError(f"{len(array)} sounds, and no two of one class; give labels that occur at least twice")
    units = unit(array, least=0)
    asked = units if queries is None else unit(_like(queries, vectors), least=0)
    precision, at_first = np.empty(len(array)), np.empty(len(array))
    ranks = np.arange(1, len(array))
    for rows in _blocks(counted, len(array)):
        keys = _keys_of_others(units, rows, asked)
        keys.sort(axis=1)
        relevant = codes[keys[:, :-1] % len(array)] == codes[rows, None]
        hits = relevant.cumsum(axis=1)
        precision[rows] = (hits / ranks * relevant).sum(axis=1) / (counts[codes[rows]] - 1)
        at_first[rows] = relevant[:, :FIRST].mean(axis=1)
    left_out = tuple(names[counts == 1])
    return _score(precision[counted], seed, left_out), _score(at_first[counted], seed, left_out)


@dataclass(frozen=True)
class EqualError:
    """Where a threshold takes as many pairs wrongly for alike as it misses.

    Attributes
    ----------
    rate : float
        The share of either, in [0, 1]; 0.5 is chance.
    threshold : float
        Pairs that score this or more are taken for alike.
    """

    rate: float
    threshold: float


def equal_error(scores: ArrayLike, alike: ArrayLike) -> EqualError:
    """The equal error rate of scores of pairs, such as cosines of two utterances that one person said or two.

    Where no threshold makes both errors equal, the rate is the mean of the two where they are nearest.

    Parameters
    ----------
    scores : array, shape (n,)
        Finite; higher means more alike.
    alike : array of bool, shape (n,)
        Which pairs are in truth alike.

    Raises
    ------
    UsageError
        If the shapes differ, a score is not finite, or all pairs are of one kind.

    Examples
    --------
    >>> equal_error([0.9, 0.8, 0.3, 0.6, 0.2, 0.1], [True, True, True, False, False, False])
    EqualError(rate=0.3333..., threshold=0.6)
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(alike, bool)
    if values.ndim != 1 or values.shape != truth.shape or not np.isfinite(values).all():
        raise UsageError(
            f"scores of shape {values.shape} for {truth.shape} pairs; give a finite score for each pair in one dimension"
        )
    if truth.all() or not truth.any():
        raise UsageError("all pairs are of one kind; give some that are alike and some that are not")
    thresholds = np.unique(values)
    of_alike, of_others = np.sort(values[truth]), np.sort(values[~truth])
    missed = np.searchsorted(of_alike, thresholds) / len(of_alike)
    taken = 1 - np.searchsorted(of_others, thresholds) / len(of_others)
    place = int(np.abs(missed - taken).argmin())
    return EqualError(float(missed[place] + taken[place]) / 2, float(thresholds[place]))


def agreement(a: ArrayLike, b: ArrayLike, k: int = 10) -> float:
    """Mean share of the `k` nearest sounds that two encoders have in common, over all sounds.

    Needs no labels. Two encoders that know nothing of each other agree by `agreement_by_chance`.

    Parameters
    ----------
    a, b : array, shape (n, dim_a) and (n, dim_b)
        The same sounds in the same order.
    k : int
        Nearest sounds, the sound itself left out.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    UsageError
        If `a` and `b` differ in length, a vector is not finite, or `k` is not between 1 and n - 2: among n - 1 nearest
        of n sounds there is nothing to disagree about.

    Examples
    --------
    >>> agreement([[0, 1], [0, 2], [1, 0], [3, 0]], [[1, 0, 0], [2, 0, 0], [0, 1, 0], [0, 3, 0]], k=1)
    1.0
    """
    first, second = _vectors(a), _vectors(b)
    if len(first) != len(second):
        raise UsageError(f"{len(first)} and {len(second)} vectors; give those of the same sounds in the same order")
    return overlap(neighbours(first, k), neighbours(second, k))


def agreement_by_chance(n: int, k: int = 10) -> float:
    """Agreement to be expected of neighbours that are drawn at random among `n` sounds: k / (n - 1).

    Examples
    --------
    >>> agreement_by_chance(101)
    0.1
    """
    return k / (n - 1)


def neighbours(vectors: ArrayLike, k: int = 10) -> NDArray[np.int64]:
    """Indices of the `k` nearest other rows of each row, nearest first: shape (n, k).

    Raises
    ------
    UsageError
        As `agreement`.

    Examples
    --------
    >>> neighbours([[0, 1], [1, 9], [1, 0], [3, 0]], k=1).tolist()
    [[1], [0], [3], [2]]
    """
    array = _vectors(vectors)
    if not 1 <= k <= len(array) - 2:
        raise UsageError(
            f"k={k} nearest of {len(array)} sounds cannot be compared; give at least 3 sounds, and k from 1 to "
            "the number of sounds minus 2"
        )
    units = unit(array, least=0)
    nearest = np.empty((len(array), k), np.int64)
    for rows in _blocks(np.arange(len(array)), len(array)):
        nearest[rows] = _first(_keys_of_others(units, rows), k) % len(array)
    return nearest


def overlap(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Mean share of indices that rows of the two have in common; shape (n, k) both, no index twice in a row.

    Examples
    --------
    >>> overlap(np.array([[1, 2], [0, 2]]), np.array([[2, 1], [2, 3]]))
    0.75
    """
    both = np.sort(np.concatenate([first, second], axis=1), axis=1)
    return float((both[:, 1:] == both[:, :-1]).sum() / first.size)


def stratified_folds(labels: Sequence[Any], n_folds: int = FOLDS, seed: int = 0) -> NDArray[np.int64]:
    """Deal sounds to folds so that every class, and the whole, is spread as evenly as can be.

    The sounds of each class, shuffled, are dealt to the folds in turn; the next class goes on where the last one stopped. A
    small class needs no fewer folds: it is absent from some, and never from all but one.

    Parameters
    ----------
    labels : sequence, length n
    n_folds : int
        At least 2; fewer are used where even the largest class has fewer sounds.
    seed : int

    Returns
    -------
    array, shape (n,), int64
        From 0 to the number of folds less one.

    Raises
    ------
    UsageError
        If `n_folds` is less than 2.

    Examples
    --------
    >>> sorted(stratified_folds(["a"] * 4 + ["b"] * 2, n_folds=2).tolist())
    [0, 0, 0, 1, 1, 1]
    """
    if n_folds < 2:
        raise UsageError(f"n_folds={n_folds} leaves nothing to train on; give 2 or more, such as n_folds=5")
    names, codes = _coded(labels, len(labels))
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(np.flatnonzero(codes == code)) for code in range(len(names))])
    folds = np.empty(len(order), np.int64)
    folds[order] = np.arange(len(order)) % max(2, min(n_folds, np.bincount(codes).max()))
    return folds


def interval(outcomes: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of `outcomes`, shape (n,), by percentiles of 1,000 bootstrap means.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.

    Examples
    --------
    >>> low, high = interval([0, 1] * 200)
    >>> 0.44 < low < 0.47, 0.53 < high < 0.56
    (True, True)
    """
    values = np.asarray(outcomes, np.float64)
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _score(outcomes: NDArray[np.float64], seed: int, left_out: tuple[str, ...]) -> Score:
    return Score(float(outcomes.mean()), *interval(outcomes, seed), len(outcomes), left_out)


# -- what is counted


@dataclass(frozen=True)
class _Split:
    """The sounds that a cross-validation counts: their rows, vectors, classes as indices of `names`, folds."""

    rows: NDArray[np.int64]
    vectors: NDArray[np.float64]
    codes: NDArray[np.int64]
    folds: NDArray[np.int64]
    names: NDArray[np.str_]
    left_out: tuple[str, ...]

    def parts(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each fold, the indices to train on and those to test on."""
        for fold in np.unique(self.folds):
            yield np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)


def _split(vectors: NDArray[np.float64], labels: Sequence[Any], folds: ArrayLike | None, seed: int) -> _Split:
    names, codes = _coded(labels, len(vectors))
    given = stratified_folds(labels, seed=seed) if folds is None else np.asarray(folds)
    if given.shape != (len(vectors),):
        raise UsageError(f"folds of shape {given.shape} for {len(vectors)} sounds; give one fold for each")
    fold_codes = np.unique(given, return_inverse=True)[1]
    # A class can be told apart only where some of it is trained on while the rest is tested.
    spread = np.unique(np.stack([codes, fold_codes]), axis=1)[0]
    counted = np.bincount(spread, minlength=len(names)) > 1
    if counted.sum() < 2:
        raise UsageError(
            f"{counted.sum()} of {len(names)} classes have sounds in two folds; give at least two classes of two sounds each"
        )
    rows = np.flatnonzero(counted[codes])
    return _Split(rows, vectors[rows], codes[rows], fold_codes[rows], names, tuple(names[~counted]))


def _coded(labels: Sequence[Any], n: int) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Names of classes in sorted order, and the class of each sound as an index of them."""
    if len(labels) != n:
        raise UsageError(f"{len(labels)} labels for {n} sounds; give one label for each")
    names, codes = np.unique(np.array([str(label) for label in labels], object), return_inverse=True)
    return names, codes.astype(np.int64)


def _vectors(vectors: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(vectors, np.float64)
    if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise UsageError(
            f"vectors of shape {array.shape}; give finite numbers in an array of shape (sounds, dimensions)"
        )
    return array


def _like(queries: ArrayLike, vectors: ArrayLike) -> NDArray[np.float64]:
    """Queries as an array; one for each vector."""
    array = _vectors(queries)
    if array.shape != np.shape(vectors):
        raise UsageError(f"queries of shape {array.shape} for vectors of shape {np.shape(vectors)}; give one for each")
    return array


# -- closeness


def _closeness(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cosines of unit vectors in steps of 1e-9, shape (len(a), len(b))."""
    return np.asarray(np.rint(a @ b.T * _STEPS), np.int64)


def _keys(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers that sort columns by closeness, then by index; the index is the remainder by the number of columns."""
    n = steps.shape[1]
    return np.asarray(np.arange(n) - steps * n)


def _keys_of_others(
    units: NDArray[np.float64], rows: NDArray[np.int64], asked: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Keys of all vectors as neighbours of those in `rows`, or of what is asked in their place; each row's own comes last."""
    keys = _keys(_closeness((units if asked is None else asked)[rows], units))
    keys[np.arange(len(rows)), rows] = np.iinfo(np.int64).max
    return keys


def _first(keys: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """The `k` smallest keys of each row, sorted."""
    k = min(k, keys.shape[1])
    return np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1)


def _blocks(rows: NDArray[np.int64], columns: int) -> Iterator[NDArray[np.int64]]:
    step = max(1, _BLOCK_CELLS // columns)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
