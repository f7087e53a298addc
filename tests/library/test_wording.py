"""What says what is asked for, and how well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.library.sound_tags import stem
from sonovec.library.wording import Wording, folded, forms

WORDS = st.sampled_from(
    ["open", "the", "door", "house", "dogs", "running", "café", "42", "night-time", "don't", "Straße"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)


@given(TEXTS, TEXTS, TEXTS)
def test_a_text_that_has_it_word_for_word_scores_1_and_no_other(asked, before, behind):
    wording = Wording.of(asked)
    assert wording.score(f"{before} {asked}, {behind}") == 1.0
    assert Wording.of(f'"{asked}"').score(f"{before}. {asked.upper()}! {behind}") == 1.0


@given(TEXTS, TEXTS)
def test_scores_are_bounded_and_all_words_are_no_less_than_half(asked, text):
    wording = Wording.of(asked)
    score = wording.score(text)
    assert score == 0 or 0.375 <= score <= 1
    if wording.is_all_in(text):
        assert score >= 0.9 * 0.75


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=12))
def test_a_word_is_among_its_forms_and_they_have_one_stem(word):
    found = forms(word)
    assert word in found and {stem(form) for form in found} == {stem(word)}


@pytest.mark.parametrize(
    ("asked", "texts"),
    [
        ("open the door", ["Open the door!", "The door: open the door", "open all the doors", "The doors are opened"]),
        ("cat", ["A cat", "Cats"]),
        ("to be or not to be", ["to be or not to be", "not to be or to be", "be to not or"]),
    ],
)
def test_the_order_of_texts(asked, texts):
    scores = [Wording.of(asked).score(text) for text in texts]
    assert scores == sorted(scores, reverse=True) and scores[-1] > 0


def test_accents_and_apostrophes_do_not_matter():
    assert Wording.of("cafe dont").score("CAFÉ") == Wording.of("café dont").score("cafe")
    assert Wording.of("don't").score("I don’t know") == 1.0 and folded("ﬁre") == ["fire"]


def test_what_is_between_quotation_marks_is_said_word_for_word():
    assert Wording.of('"door"').score("doors") == 0 < Wording.of("door").score("doors")
    assert (
        Wording.of("“the door” open").score("open the door") == Wording.of("„the door“ open").score("open the door") > 0
    )
    assert Wording.of('"open the').phrases == (), "a mark without its fellow is no mark"


@pytest.mark.parametrize("text", ["", "  ", "?!", '""'])
def test_no_word_is_an_error(text):
    with pytest.raises(UsageError, match=r"has no word; give some, such as 'open the door'"):
        Wording.of(text)


def test_what_has_less_than_half_is_no_answer():
    asked = Wording.of("open the door")
    assert asked.score("the end of the world") == asked.score("") == 0
