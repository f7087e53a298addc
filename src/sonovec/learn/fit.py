"""Fits a head to examples: which kind, how strong, how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.extras import require
from sonovec.learn import calibration, folds, linear
from sonovec.learn.head import Head, sigmoid
from sonovec.learn.linear import Rows
from sonovec.learn.metric import PLAIN, Metric

Floats = NDArray[np.float64]

AUTO = "auto"
#: Kinds are compared where the classes have this many groups at the median; with fewer, the first kind is taken.
ENOUGH_TO_CHOOSE = 5
#: Examples in which a class is heard, and groups that they are from, from which on calibration can be trusted.
ENOUGH_EXAMPLES, ENOUGH_GROUPS = 20, 5
#: What the rows of a background weigh together, in examples.
BACKGROUND = 25.0
#: The cosine with an example from which on a row of background may be the same sound: it says nothing of that class.
ALIKE = 0.8


@dataclass(frozen=True)
class Trial:
    """A kind that was tried, on groups that it had not heard.

    Attributes
    ----------
    kind : str
    strength : float
    log_loss : float
        Mean over groups; NaN where no class could be tested.
    brier, calibration_error : float
        Over rows and classes; see `sonovec.learn.calibration`.
    """

    kind: str
    strength: float
    log_loss: float
    brier: float
    calibration_error: float

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: null for what is not known."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


@dataclass(frozen=True, eq=False, repr=False)
class Fitted(Brief):
    """A head, and what is known of it.

    Attributes
    ----------
    head : Head
        Trained on all rows.
    kind : str
    strength : float
    trials : tuple of Trial
        The chosen one among them.
    probabilities : array, shape (n, n_classes), float64
        For each row by a head, and a calibration, that did not hear its group; NaN where a class is heard in no other fold.
    background : array, shape (m, n_classes), float64
        The same for each row of the background; NaN where it is too much like the examples of a class.
    folds : array, shape (n,), int64
    calibrated : bool
        Whether enough was heard to calibrate by.
    notes : tuple of str
        What could not be known.
    """

    head: Head
    kind: str
    strength: float
    trials: tuple[Trial, ...]
    probabilities: Floats
    background: Floats
    folds: NDArray[np.int64]
    calibrated: bool
    notes: tuple[str, ...]


def fit(
    vectors: ArrayLike,
    targets: ArrayLike,
    groups: Sequence[str] | None = None,
    weights: ArrayLike | None = None,
    *,
    background: ArrayLike | None = None,
    metric: Metric = PLAIN,
    classes: Sequence[str] | None = None,
    kind: str = AUTO,
    seed: int = 0,
) -> Fitted:
    """Fit a head to examples, and calibrate it on groups that it did not hear.

    The groups are dealt to folds (see `sonovec.learn.folds.deal`); each fold is scored by a head that was fitted to the
    others, and these scores calibrate the head that is fitted to all rows (`sonovec.learn.calibration.platt`). The first
    kind is that which is best with few examples. Where the classes are heard in enough groups, ``"auto"`` compares all kinds
    and strengths in this way, and takes another if its log loss is lower by more than a standard error. The same input
    gives the same head, to the bit.

    Parameters
    ----------
    vectors : array, shape (n, dim)
        Finite; only their directions count.
    targets : array, shape (n, n_classes)
        1 where the class is heard, 0 where it is not, -1 where nobody knows: such a row is left out for the class.
    groups : sequence of str, length n, optional
        What must never be split over training and test; every row is its own without it.
    weights : array, shape (n,), optional
        How much each row counts; 1 without it.
    background : array, shape (m, dim), optional
        Sounds of all kinds, in which the classes are hardly heard, such as `sonovec.learn.stored.stored` gives. Together
        they weigh as much as `BACKGROUND` examples, and figures do not count them.
    metric : Metric, optional
        Directions of vectors that count less, such as `sonovec.learn.metric.metric` gives.
    classes : sequence of str, optional
        Their names, for notes and errors.
    kind : str
        ``"auto"``, or a kind in `sonovec.learn.linear.KINDS` with its first strength: it takes a fraction of the time.
    seed : int
        Of the folds.

    Returns
    -------
    Fitted

    Raises
    ------
    UsageError
        If shapes do not fit, a number is not finite, a class is never heard, or always.
    MissingExtraError
        If scikit-learn, with SciPy, is not installed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> vectors = np.repeat([[1.0, 0.0, 0.2], [0.0, 1.0, 0.2]], 20, axis=0) + rng.normal(0, 0.1, (40, 3))
    >>> fitted = fit(vectors, [[1, 0]] * 20 + [[0, 1]] * 20, classes=["crow", "owl"])
    >>> fitted.head.probabilities([[0.9, 0.1, 0.2]]).round(1).tolist()
    [[1.0, 0.0]]
    """
    from threadpoolctl import threadpool_limits

    require("scipy", "training a detector", "learn")
    task = _Task.of(vectors, targets, groups, weights, background, metric, classes, seed)
    with threadpool_limits(1):  # sums that are split over threads differ in their last bits
        tried = [_tried(task, *candidate) for candidate in _candidates(task, kind)]
        return _finished(task, _best(task, tried), tuple(each.trial for each in tried))


@dataclass(frozen=True, eq=False)
class _Task:
    """Examples as `fit` was given them, checked."""

    vectors: Floats
    targets: NDArray[np.int8]
    groups: tuple[str, ...]
    weights: Floats
    background: Floats
    metric: Metric
    names: tuple[str, ...]
    folds: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        vectors: ArrayLike,
        targets: ArrayLike,
        groups: Sequence[str] | None,
        weights: ArrayLike | None,
        background: ArrayLike | None,
        metric: Metric,
        classes: Sequence[str] | None,
        seed: int,
    ) -> _Task:
        rows, said = np.asarray(vectors, np.float64), np.asarray(targets)
        if rows.ndim != 2 or 0 in rows.shape or not np.isfinite(rows).all():
            raise UsageError(f"vectors of shape {rows.shape}; give finite numbers in an array of shape (examples, dim)")
        if said.ndim != 2 or said.shape[1] == 0 or len(said) != len(rows):
            raise UsageError(
                f"targets of shape {said.shape} for {len(rows)} vectors; give shape ({len(rows)}, number of classes)"
            )
        if not np.isin(said, (-1, 0, 1)).all():
            raise UsageError(
                "targets are 1 (heard), 0 (not heard) and -1 (not known), and there are others; give only these"
            )
        each = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)
        if each.shape != (len(rows),) or not np.isfinite(each).all() or not (each > 0).all():
            raise UsageError(f"weights of shape {each.shape} for {len(rows)} vectors; give a number above 0 for each")
        others = _background(background, rows.shape[1], metric)
        names = tuple(classes) if classes is not None else tuple(str(i) for i in range(said.shape[1]))
        if len(names) != said.shape[1]:
            raise UsageError(f"{len(names)} classes for targets of {said.shape[1]}; give one name for each column")
        for name, column in zip(names, said.T, strict=True):
            if not (column == 1).any():
                raise UsageError(f"class {name!r} is heard in no example; give one, or leave the class out")
            if not (column == 0).any():
                raise UsageError(
                    f"class {name!r} is heard in every example; give sounds without it, as another class or as background"
                )
        own = tuple(str(i) for i in range(len(rows))) if groups is None else tuple(str(group) for group in groups)
        return cls(rows, said.astype(np.int8), own, each, others, metric, names, folds.deal(own, said, seed))

    def rows(self, which: Any = slice(None)) -> Rows:
        """Some of the rows, or all."""
        return _rows(self.metric(self.vectors[which]), self.targets[which], self.weights[which])

    def groups_heard(self) -> list[int]:
        """In how many groups each class is heard."""
        names = np.array(self.groups, object)
        return [len(set(names[column == 1])) for column in self.targets.T]


@dataclass(frozen=True, eq=False)
class _Tried:
    trial: Trial
    scores: Floats
    probabilities: Floats
    background: Floats


def _candidates(task: _Task, kind: str) -> list[tuple[str, float]]:
    if kind != AUTO and kind not in linear.KINDS:
        raise UsageError(f"kind={kind!r} is unknown; there are: {', '.join([AUTO, *linear.KINDS])}")
    if kind != AUTO:
        return [(kind, linear.STRENGTHS[kind][0])]
    every = [(name, strength) for name in linear.KINDS for strength in linear.STRENGTHS[name]]
    return every if np.median(task.groups_heard()) >= ENOUGH_TO_CHOOSE else every[:1]


def trained(
    vectors: ArrayLike,
    targets: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    kind: str,
    strength: float,
    background: ArrayLike | None = None,
    metric: Metric = PLAIN,
) -> Head:
    """A head of one kind and strength, with the usual calibration of its kind: for a learning curve, say.

    Parameters
    ----------
    vectors, targets, weights, background, metric
        As of `fit`. A class that is never heard, or always, gets scores that are NaN.
    kind, strength
        As `Fitted` has them.

    Examples
    --------
    >>> head = trained([[1.0, 0.0], [0.0, 1.0]], [[1, 0], [0, 1]], kind="both", strength=10.0)
    >>> head.scores([[2.0, 0.0]]).round(1).tolist()
    [[10.1, -10.1]]
    """
    from threadpoolctl import threadpool_limits

    each = np.ones(len(np.asarray(targets))) if weights is None else np.asarray(weights, np.float64)
    rows = np.asarray(vectors, np.float64)
    with threadpool_limits(1):
        known, others = (
            _rows(metric(rows), np.asarray(targets), each),
            _background(background, rows.shape[1], metric),
        )
        return _head(known, others, kind, strength, metric)


def _background(vectors: ArrayLike | None, dim: int, metric: Metric) -> Floats:
    """Rows of background as the metric sees them; none of them where none are given."""
    rows = np.empty((0, dim)) if vectors is None else np.asarray(vectors, np.float64)
    if rows.ndim != 2 or rows.shape[1] != dim or not np.isfinite(rows).all():
        raise UsageError(
            f"a background of shape {rows.shape} for vectors of {dim}; give finite numbers of shape (rows, {dim})"
        )
    return metric(rows)


def _rows(seen: Floats, targets: NDArray[Any], weights: Floats) -> Rows:
    heard, not_heard = ((targets == value) * weights[:, None] for value in (1, 0))
    return Rows(seen, heard, not_heard)


def _center(rows: Rows) -> Floats:
    """The mean of the means of the classes; what is none of them is a class of its own here."""
    none = np.where((rows.heard > 0).any(axis=1), 0.0, rows.not_heard.max(axis=1))
    shares = np.column_stack([rows.heard, none])
    shares = shares[:, shares.sum(axis=0) > 0]
    return np.asarray(((shares / shares.sum(axis=0)).T @ rows.seen).mean(axis=0))


def _alike(background: Floats, rows: Rows) -> NDArray[np.bool_]:
    """Which rows of a background may be a sound of which class: shape (m, n_classes)."""
    return np.asarray((background @ rows.seen.T > ALIKE) @ (rows.heard > 0))


def _against(rows: Rows, background: Floats) -> Rows:
    """Rows with a background behind them, in which no class is heard; where it may be one, nobody knows."""
    not_heard = np.where(_alike(background, rows), 0.0, BACKGROUND / max(len(background), 1))
    return Rows(
        np.concatenate([rows.seen, background]),
        np.concatenate([rows.heard, np.zeros_like(not_heard)]),
        np.concatenate([rows.not_heard, not_heard]),
    )


def _head(rows: Rows, background: Floats, kind: str, strength: float, metric: Metric) -> Head:
    """A head with the usual calibration; NaN for classes that these rows cannot tell."""
    center, every = _center(rows), _against(rows, background)
    weights, bias = linear.KINDS[kind](replace(every, seen=every.seen - center), strength)
    bias[~rows.possible] = np.nan
    slope, offset = (np.full(len(bias), number) for number in linear.USUAL[kind])
    arrays = center, np.ones_like(center), weights, bias, slope, offset, metric.directions, metric.factors
    return Head(*(np.asarray(array, np.float32) for array in arrays))


def _tried(task: _Task, kind: str, strength: float) -> _Tried:
    """Score every fold by a head that was fitted to the others, and calibrate it by the scores of the others.

    The background is dealt to the folds, too, and says nothing of how scores are calibrated.
    """
    scores, said = np.full((2, *task.targets.shape), np.nan)
    others, said_of_others = np.full((2, len(task.background), scores.shape[1]), np.nan)
    names = np.unique(task.folds)
    dealt = names[np.arange(len(task.background)) % len(names)]
    for fold in names:
        test, other = task.folds == fold, dealt == fold
        if test.all():
            continue
        head = _head(task.rows(~test), task.background[~other], kind, strength, task.metric)
        scores[test], others[other] = head.scores(task.vectors[test]), head.scores(task.background[other])
    # Of a class that is heard in one group there are only scores where it is not heard, which say that it never is.
    scores[:, folds.in_one_group(task.groups, task.targets)] = np.nan
    others[_alike(task.background, task.rows())] = np.nan
    for fold in names:
        test, other = task.folds == fold, dealt == fold
        slope, offset = _calibration(task, kind, np.where(test[:, None], np.nan, scores))
        said[test] = sigmoid(slope * scores[test] + offset)
        said_of_others[other] = sigmoid(slope * others[other] + offset)
    losses = _losses(said, task)
    trial = Trial(
        kind,
        strength,
        float(np.nanmean(losses)) if np.isfinite(losses).any() else float("nan"),
        calibration.brier(said, task.targets),
        calibration.error(said, task.targets),
    )
    return _Tried(trial, scores, said, said_of_others)


def _best(task: _Task, tried: Sequence[_Tried]) -> _Tried:
    """The first, unless another's log loss is lower by more than a standard error over groups (Breiman et al. 1984)."""
    losses = np.stack([_losses(each.probabilities, task) for each in tried])
    losses = losses[:, np.isfinite(losses).all(axis=0)]
    if losses.shape[1] < 2:
        return tried[0]
    gain = losses[0] - losses
    sure = gain.mean(axis=1) > gain.std(axis=1, ddof=1) / np.sqrt(losses.shape[1])
    return tried[int(np.where(sure, gain.mean(axis=1), 0).argmax())]


def _calibration(task: _Task, kind: str, scores: Floats) -> tuple[Floats, Floats]:
    return calibration.platt(scores, task.targets, task.weights, usual=linear.USUAL[kind])


def _finished(task: _Task, best: _Tried, trials: tuple[Trial, ...]) -> Fitted:
    kind, strength = best.trial.kind, best.trial.strength
    slope, offset = (np.asarray(array, np.float32) for array in _calibration(task, kind, best.scores))
    head = replace(_head(task.rows(), task.background, kind, strength, task.metric), slope=slope, offset=offset)
    tested = ((task.targets == 1) & np.isfinite(best.scores)).any(axis=1)
    examples = round(float(task.weights[tested].sum()))  # the rows of one example weigh 1 together
    groups = len({group for group, there in zip(task.groups, tested, strict=True) if there})
    enough = examples >= ENOUGH_EXAMPLES and groups >= ENOUGH_GROUPS
    notes = tuple(_notes(task, examples, groups, enough))
    return Fitted(head, kind, strength, trials, best.probabilities, best.background, task.folds, enough, notes)


def _notes(task: _Task, examples: int, groups: int, enough: bool) -> list[str]:
    notes = []
    if len(set(task.groups)) == 1:
        notes.append(
            f"all examples are of one group ({task.groups[0]}): nothing can be known of how well other recordings are told"
        )
    else:
        for name, alone in zip(task.names, folds.in_one_group(task.groups, task.targets), strict=True):
            if alone:
                group = next(
                    g for g, row in zip(task.groups, task.targets, strict=True) if row[task.names.index(name)] == 1
                )
                notes.append(
                    f"{name}: all its examples are of one group ({group}): nothing can be known of how well it is told "
                    "elsewhere"
                )
    if not enough:
        notes.append(
            f"calibrated on {examples} examples of {groups} groups, and {ENOUGH_EXAMPLES} of {ENOUGH_GROUPS} would be "
            "enough: take probabilities as a rough guide"
        )
    return notes


def _losses(said: Floats, task: _Task) -> Floats:
    """The mean log loss of each group, in the order of their names; NaN where nothing was said of it."""
    known = np.isfinite(said) & (task.targets >= 0)
    chance = np.clip(np.where(task.targets == 1, said, 1 - said), 1e-12, 1)
    weighed = np.where(known, task.weights[:, None], 0.0)
    names, codes = np.unique(np.array(task.groups, object), return_inverse=True)
    loss = np.bincount(codes, (weighed * -np.log(np.where(known, chance, 1.0))).sum(axis=1), len(names))
    total = np.bincount(codes, weighed.sum(axis=1), len(names))
    return np.asarray(np.divide(loss, total, out=np.full(len(names), np.nan), where=total > 0))
