from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.embedding.test_events import sound

TWO = sound([[0, 1], [1, 2], [2, 3]], [[0.9, 0.1, 0], [0.3, 0.5, 0], [0, 0, 1]])


def test_tags_of_the_whole_are_means_by_coverage():
    e = replace(TWO, coverage=np.array([1, 1, 0.5], np.float32))
    assert [name for name, _ in e.top_tags(2)] == ["Dog", "Rain"]
    assert e.top_tags(1)[0][1] == pytest.approx(1.2 / 2.5)


@pytest.mark.parametrize(
    ("silent", "best"),
    [([False, False, False], 0.4), ([True, False, True], 0.5), ([False, True, True], 0.9), ([True, True, True], 0.4)],
)
def test_silent_windows_count_only_where_nothing_sounds(silent: list[bool], best: float) -> None:
    assert replace(TWO, silent=np.array(silent)).top_tags(1)[0][1] == pytest.approx(best)


def test_no_classes_no_tags():
    assert sound([[0, 1]], np.zeros((1, 0)), classes=()).top_tags() == []
