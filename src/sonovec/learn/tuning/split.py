"""Which stretches are trained on and which are held out: whole groups, with all classes on both sides where that can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.learn.examples import Examples
from sonovec.learn.targets import HEARD


@dataclass(frozen=True, eq=False, repr=False)
class Stretches(Brief):
    """The labelled stretches of examples, one after the other.

    Attributes
    ----------
    rows : tuple of array
        The rows of each.
    targets : array, shape (n, n_classes), int8
        What is known of each as a whole: heard where any of its rows has it.
    groups : tuple of str
    """

    rows: tuple[NDArray[np.int64], ...]
    targets: NDArray[np.int8]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)


def stretches_of(examples: Examples) -> Stretches:
    """Group the rows of examples by their stretch."""
    order = np.argsort(examples.stretches, kind="stable")
    _, firsts = np.unique(examples.stretches[order], return_index=True)
    rows = tuple(np.sort(part) for part in np.split(order, firsts[1:]))
    return Stretches(
        rows,
        np.stack([examples.targets[part].max(0) for part in rows]),
        tuple(examples.groups[part[0]] for part in rows),
    )


def split(stretches: Stretches, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the stretches that are trained on, and of those held out.

    Groups are drawn at random. One is held out if that brings the held-out side nearer to its share of each class, and if no
    class is left without a group to train on.

    Raises
    ------
    UsageError
        If all stretches are of one group, or a class would be missing where it is trained.

    Examples
    --------
    >>> rows = tuple(np.array([n]) for n in range(10))
    >>> targets = np.eye(2, dtype=np.int8)[[0] * 5 + [1] * 5]
    >>> train, held = split(Stretches(rows, targets, tuple("aabbccddee")), 0.2, seed=0)
    >>> len(train), len(held)
    (8, 2)
    """
    names = sorted(set(stretches.groups))
    if len(names) < 2:
        raise UsageError(
            "all stretches are of one group, so that nothing can be held out to stop training in time; label other "
            "recordings too, or give --group"
        )
    # What is background counts as a class of its own.
    heard = stretches.targets == HEARD
    kinds = np.concatenate([heard, ~heard.any(1, keepdims=True)], axis=1).astype(np.float64)
    groups = np.array(stretches.groups)
    counts = np.stack([kinds[groups == name].sum(0) for name in names])
    wanted, total = share * counts.sum(0), counts.sum(0)
    held = np.zeros(counts.shape[1])
    out: list[int] = []
    for number in np.random.default_rng([seed, 0]).permutation(len(names)):
        after = held + counts[number]
        # Never the last of a class; and only where it brings the held-out side nearer to its share.
        last = ((counts[number] > 0) & (after >= total)).any()
        if not last and _distance(after, wanted, total) < _distance(held, wanted, total):
            held, out = after, [*out, int(number)]
    if not out:
        raise UsageError(
            f"{len(names)} groups: none can be held out to stop training in time, for each has a class that no other has; "
            "label more recordings"
        )
    is_held = np.isin(groups, [names[number] for number in out])
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def _distance(held: NDArray[np.float64], wanted: NDArray[np.float64], total: NDArray[np.float64]) -> float:
    return float((((held - wanted) / np.maximum(total, 1)) ** 2).sum())
