from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.learn.tuning.split import Stretches, split


def stretches(classes: list[int], groups: list[int]) -> Stretches:
    """One row each; class 0 is background."""
    targets = np.eye(4, dtype=np.int8)[classes][:, 1:]
    return Stretches(tuple(np.array([n]) for n in range(len(classes))), targets, tuple(map(str, groups)))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11)), min_size=2, max_size=60), st.integers(0, 99))
def test_no_group_is_on_both_sides_and_no_class_is_lost(pairs, seed):
    given_ = stretches([c for c, _ in pairs], [g for _, g in pairs])
    try:
        train, held_out = split(given_, 0.2, seed)
    except UsageError:
        return
    assert sorted([*train, *held_out]) == list(range(len(pairs)))
    assert not {given_.groups[n] for n in train} & {given_.groups[n] for n in held_out}
    assert ((given_.targets[train] == 1).any(0) == (given_.targets == 1).any(0)).all()
    again = split(given_, 0.2, seed)
    assert np.array_equal(again[0], train) and np.array_equal(again[1], held_out)


@given(st.integers(0, 99), st.integers(5, 20))
def test_about_the_share_of_each_class_is_held_out(seed, per_class):
    assume(per_class % 5 == 0)
    classes = [c for c in (1, 2, 3) for _ in range(per_class)]
    given_ = stretches(classes, list(range(len(classes))))
    _, held_out = split(given_, 0.2, seed)
    assert (given_.targets[held_out].sum(0) == per_class // 5).all()


def test_what_cannot_be_split_is_told():
    with pytest.raises(UsageError, match="all stretches are of one group"):
        split(stretches([1, 2, 3], [0, 0, 0]), 0.2, 0)
    with pytest.raises(UsageError, match="3 groups: none can be held out"):
        split(stretches([1, 2, 3], [0, 1, 2]), 0.2, 0)
