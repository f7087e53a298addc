"""Folds of a cross-validation that never part a group: what was heard in training is not what is tested."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.errors import UsageError

#: This many groups or fewer are the folds themselves; more are dealt to so many folds.
MOST_GROUPS = 10
FOLDS = 5


def deal(groups: Sequence[str], targets: ArrayLike, seed: int = 0) -> NDArray[np.int64]:
    """Give each row a fold, by its group.

    Ten groups or fewer are the folds themselves, in sorted order. More are dealt to five folds: the largest first, each to
    the fold that has the least of what it holds, so that every class is spread as evenly as its groups let it.

    Parameters
    ----------
    groups : sequence of str, length n
    targets : array, shape (n, n_classes)
        1 where a class is heard.
    seed : int
        Of the order of groups that are equally large.

    Returns
    -------
    array, shape (n,), int64
        From 0 on; all 0 where there is one group, and nothing to test on.

    Raises
    ------
    UsageError
        If there is not one group for each row.

    Examples
    --------
    >>> deal(["b", "a", "b"], [[1], [0], [1]]).tolist()
    [1, 0, 1]
    >>> np.bincount(deal([str(i) for i in range(20)], [[i < 10, i >= 10] for i in range(20)])).tolist()
    [4, 4, 4, 4, 4]
    """
    heard = np.asarray(targets) == 1
    if len(groups) != len(heard):
        raise UsageError(f"{len(groups)} groups for {len(heard)} examples; give one for each")
    names, codes = np.unique(np.array([str(group) for group in groups], object), return_inverse=True)
    if len(names) <= MOST_GROUPS:
        return codes.astype(np.int64)
    # What a group holds: the share that it has of each class, of what is no class, and of all rows.
    rows = np.column_stack([heard, ~heard.any(axis=1), np.ones(len(heard))]).astype(np.float64)
    held = np.zeros((len(names), rows.shape[1]))
    np.add.at(held, codes, rows)
    held /= np.maximum(held.sum(axis=0), 1)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-held[order].sum(axis=1).round(9), kind="stable")]
    filled, fold_of = np.zeros((FOLDS, rows.shape[1])), np.empty(len(names), np.int64)
    for group in order:
        fold = int((filled @ held[group]).round(9).argmin())
        fold_of[group] = fold
        filled[fold] += held[group]
    return fold_of[codes]


def in_one_group(groups: Sequence[str], targets: ArrayLike) -> NDArray[np.bool_]:
    """Which classes are heard in one group alone, or in none: nothing can be known of how well they are told elsewhere.

    Examples
    --------
    >>> in_one_group(["a", "a", "b"], [[1, 1], [1, 0], [0, 1]]).tolist()
    [True, False]
    """
    names = np.array([str(group) for group in groups], object)
    heard = np.asarray(targets) == 1
    return np.array([len(set(names[column])) < 2 for column in heard.T], bool)
