"""What an analyser may give; all else is refused whole, with what was wrong."""

from __future__ import annotations

import numpy as np
import pytest

from sonovec.analysis.analyser import Analyser, Field, Findings, Noted, SpaceSpec, Spoken
from sonovec.analysis.checks import checked
from sonovec.embedding.embedding import Part
from sonovec.errors import AnalyserError


class Gives(Analyser):
    name, version = "gives", "1"
    fields = (Field("count", int), Field("word", str), Field("words", list[str]))
    spaces = (SpaceSpec("parts", 8), SpaceSpec("whole", 4, "track"))


def part(start=0.0, end=1.0, coverage=1.0, vector=None):
    return Part(start, end, coverage, np.ones(8, np.float32) if vector is None else vector)


HALF = "half \ud800"


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        (Findings(vectors={"whole": np.ones(5)}), "a vector of shape (5,) for the space whole, which takes (4,)"),
        (Findings(vectors={"whole": np.ones((1, 4))}), "a vector of shape (1, 4) for the space whole"),
        (
            Findings(vectors={"whole": np.ones(4, int)}),
            "a vector of type int64 for the space whole, which takes an array",
        ),
        (Findings(vectors={"whole": [1.0] * 4}), "a vector of type list for the space whole"),
        (
            Findings(vectors={"whole": np.array([1, np.nan, 1, 1])}),
            "a vector of numbers that are not finite, or too large",
        ),
        (Findings(vectors={"whole": np.full(4, 1e300)}), "a vector of numbers that are not finite, or too large"),
        (Findings(vectors={"whole": np.full(4, 1e38)}), "a vector of numbers that are not finite, or too large"),
        (Findings(vectors={"parts": [part(vector=np.ones(7))]}), "a vector of shape (7,) for the space parts"),
        (Findings(vectors={"parts": [part(2.0, 1.0)]}), "the part Part(start=2.0, end=1.0"),
        (Findings(vectors={"parts": [part(0.0, np.inf)]}), "the part Part(start=0.0, end=inf"),
        (Findings(vectors={"parts": [part(coverage=0.0)]}), "the part Part(start=0.0, end=1.0, coverage=0.0"),
        (
            Findings(vectors={"parts": np.ones(8)}),
            "the part 1.0 for the space parts; give Part(start, end, coverage, vec",
        ),
        (Findings(vectors={"other": np.ones(8)}), "'other', which it does not declare; its spaces are: parts, whole"),
        (Findings(labels=[Noted(2.0, 1.0, "dog")]), "the label Noted(start=2.0"),
        (Findings(labels=[Noted(0.0, 1.0, "dog", 1.5)]), "the label Noted(start=0.0"),
        (Findings(labels=[("dog", 1.0)]), "the label ('dog', 1.0); give Noted(start, end, name, score)"),
        (Findings(passages=[Spoken(0.0, 1.0, HALF)]), "the passage Spoken(start=0.0"),
        (Findings({"count": 2**64}), "18446744073709551616 for count, which takes int"),
        (Findings({"word": HALF}), f"{HALF} for word, which takes str"),
        (Findings({"words": ["whole", HALF]}), f"{['whole', HALF]} for words"),
    ],
)
def test_what_cannot_be_is_refused(findings, reason):
    with pytest.raises(AnalyserError) as error:
        checked(Gives, findings)
    assert str(error.value).startswith(f"gives: gave {reason}")


def test_numbers_become_those_that_stores_take():
    given = Findings(
        {"count": np.int64(3), "word": None},
        [Spoken(np.float32(0.5), 1, "a")],
        [Noted(np.float64(0), np.float32(1), "dog", np.float32(0.5))],
        {"whole": np.ones(4), "parts": [part(np.float64(0), np.float64(1), np.float32(1), np.ones(8, np.float16))]},
    )
    found = checked(Gives, given)
    assert found.columns == {"count": 3, "word": None} and type(found.columns["count"]) is int
    (spoken,), (noted,), [first] = found.passages, found.labels, found.vectors["parts"]
    numbers = (spoken.start, spoken.end, noted.start, noted.end, noted.score, first.start, first.end, first.coverage)
    assert {type(number) for number in numbers} == {float}
    assert found.vectors["whole"].dtype == first.vector.dtype == np.float32
    assert checked(Gives, Findings(vectors={"parts": []})).vectors == {"parts": []}
