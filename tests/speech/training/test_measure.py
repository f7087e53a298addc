"""Errors in words and characters, by jiwer, with intervals over groups."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sonovec.speech.training.measure import Figures, errors, scores

pytest.importorskip("jiwer")


def test_errors_are_counted_for_each_text():
    said = ["one two three", "four", "five six", "seven"]
    written = ["one too three", "", "five six six", "seven"]
    assert errors(said, written, "words").tolist() == [1, 1, 1, 0]
    assert errors(said, written, "characters").tolist() == [1, 4, 4, 0]


def test_an_interval_is_over_groups_and_the_worst_come_first():
    found = scores(["one two"] * 4, ["one two", "one two", "", "one"], ["ann", "ann", "bob", "bob"])
    assert found.wer.value == 3 / 8 and (found.wer.low, found.wer.high) == (0, 3 / 4)
    assert (found.utterances, found.groups) == (4, 2)
    assert found.worst == (("one two", ""), ("one two", "one"))


def test_figures_are_better_by_words_then_characters_then_the_loss():
    order = [Figures(1, 1, 2, 1), Figures(1, 1, 1, 1), Figures(1, 0.5, 3, 0), Figures(0.5, 0.6, 3, 0)]
    for worse, better in pairwise(order):
        assert better.is_better_than(worse) and not worse.is_better_than(better) and worse.is_better_than(None)
    assert order[0].told.startswith("held out: nothing written yet, only blanks")
    assert order[3].told == "held out: WER 50.0 %, CER 60.0 %"
