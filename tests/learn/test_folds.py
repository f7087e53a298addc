from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.learn import folds


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([-1, 0, 1])), min_size=1, max_size=80), st.integers(0, 3))
def test_a_group_is_in_one_fold_and_there_are_as_many_folds_as_said(rows: list[tuple[int, int]], seed: int) -> None:
    groups = [str(group) for group, _ in rows]
    dealt = folds.deal(groups, [[target] for _, target in rows], seed)
    assert all(len(set(dealt[np.array(groups) == group])) == 1 for group in set(groups))
    n = len(set(groups))
    assert len(set(dealt)) == (n if n <= folds.MOST_GROUPS else folds.FOLDS)


@given(st.lists(st.integers(0, 3), min_size=11, max_size=60), st.integers(0, 3))
def test_every_class_is_spread_evenly_where_groups_let_it(codes: list[int], seed: int) -> None:
    targets = np.eye(4)[codes]
    dealt = folds.deal([str(i) for i in range(len(codes))], targets, seed)
    counts = np.stack([np.bincount(dealt[column == 1], minlength=folds.FOLDS) for column in targets.T])
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 1


def test_ten_groups_are_the_folds_in_sorted_order() -> None:
    groups = ["take2", "take1", "take3", "take1"]
    assert folds.deal(groups, np.ones((4, 1))).tolist() == [1, 0, 2, 0]


def test_a_group_for_each_row() -> None:
    with pytest.raises(UsageError, match="1 groups for 2 examples"):
        folds.deal(["a"], [[1], [0]])
