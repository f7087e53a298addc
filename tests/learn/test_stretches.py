from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.learn.labelled import Labelled
from sonovec.learn.stretches import together
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN

A = Path("a.wav")
CLASSES = ("crow", "owl", "wren")


def test_who_says_that_a_class_is_heard_and_who_that_it_is_not_contradict_each_other() -> None:
    one, other = Labelled(A, 0, 1, "crow", source="one"), Labelled(A, 0, 1, "crow", source="other", verdict=NOT_HEARD)
    with pytest.raises(
        UsageError, match=r"a.wav, 0 to 1 s: one says that 'crow' is heard, and other that it is not; delete"
    ):
        together([one, other])
    assert len(together([one, Labelled(A, 0, 2, "crow", verdict=NOT_HEARD)])) == 2


@given(st.dictionaries(st.sampled_from(CLASSES), st.sampled_from([HEARD, NOT_HEARD, UNKNOWN])), st.booleans())
def test_what_is_said_of_a_class_stands(told: dict[str, int], doubtful: bool) -> None:
    labels = [Labelled(A, 0, 1, name, verdict=verdict) for name, verdict in told.items()]
    labels += [Labelled(A, 0, 1, verdict=UNKNOWN)] * doubtful
    for stretch in together(labels):
        found = dict(zip(CLASSES, stretch.verdicts(CLASSES), strict=True))
        assert all(found[name] == verdict for name, verdict in told.items())
        others = NOT_HEARD if HEARD in told.values() else UNKNOWN
        assert all(found[name] == others for name in CLASSES if name not in told)
