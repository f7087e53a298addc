"""Prefix beam search against the sum over every path, with a language model and hot words."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.speech.arpa import LanguageModel
from sonovec.speech.beam import Search
from sonovec.speech.vocabulary import Vocabulary
from tests.speech.test_trellis import posteriors

#: The delimiter stands at both ends of a word, as models write it; "<s>" is mute.
VOCABULARY = Vocabulary(("-", "|", "a", "b"), blank=0, delimiter=1)
BIGRAMS = LanguageModel(
    2,
    {
        ("<s>",): (-99.0, -0.3), ("</s>",): (-0.8, 0.0), ("a",): (-0.5, -0.2), ("ab",): (-1.1, -0.1), ("b",): (-2.0, 0.0),
        ("<s>", "ab"): (-0.2, 0.0), ("ab", "a"): (-0.1, 0.0), ("a", "</s>"): (-0.3, 0.0),
    },
)  # fmt: skip
EVERY = {"beam": 10**9, "least": -math.inf}


def text_of(path) -> str:
    return " ".join(VOCABULARY.text([token for token, _ in groupby(path) if token != VOCABULARY.blank]).split())


def scores_of_texts(search, log_posteriors) -> dict[str, float]:
    """The score of each text, by its definition."""
    heard = defaultdict(float)
    for path in product(range(4), repeat=len(log_posteriors)):
        log = sum(float(frame[token]) for frame, token in zip(log_posteriors, path, strict=True))
        heard[text_of(path)] += math.exp(log)
    return {text: math.log(mass) + of_words(search, text.split()) for text, mass in heard.items() if mass > 0}


def of_words(search, words) -> float:
    score = search.beta * len(words) + search.hot_weight * sum(word in search.hot_words for word in words)
    if (model := search.language_model) is not None:
        state, log10 = model.begin(), 0.0
        for word in words:
            added, state = model.score(state, word)
            log10 += added
        score += search.alpha * math.log(10) * (log10 + model.end(state))
    return score


@settings(max_examples=40)
@given(
    st.integers(1, 5),
    st.integers(0, 2**32),
    st.sampled_from([None, BIGRAMS]),
    st.sampled_from([(), ("ab",), ("b", "aa")]),
)
def test_a_beam_that_is_wide_enough_finds_the_best_text_of_all(frames, seed, model, hot_words):
    heard = posteriors(frames, 4, seed)
    search = Search(
        language_model=model, alpha=0.7, beta=0.4 if model else 0.0, hot_words=hot_words, hot_weight=1.5, **EVERY
    )
    found = " ".join(VOCABULARY.text(search.best(heard, VOCABULARY)).split())
    scores = scores_of_texts(search, heard)
    assert scores[found] == pytest.approx(max(scores.values()), abs=1e-5)


def test_a_narrow_beam_finds_better_texts_than_the_best_token_of_each_frame():
    plain, gains = Search(beam=4, beta=0.0), []
    for seed in range(20):
        heard = posteriors(4, 4, seed)
        scores = scores_of_texts(plain, heard)
        found = " ".join(VOCABULARY.text(plain.best(heard, VOCABULARY)).split())
        gains.append(scores[found] - scores[text_of(heard.argmax(axis=1))])
    assert np.mean(gains) > 0.02 and np.median(gains) >= 0


def frames_of(*probabilities) -> np.ndarray:
    return np.log(np.array(probabilities, np.float32) + 1e-9)


def test_many_paths_outweigh_the_best_one():
    heard = frames_of([0.6, 0, 0.4, 0], [0.6, 0, 0.4, 0])  # nothing: 0.36; "a": 0.64
    assert text_of(heard.argmax(axis=1)) == ""
    assert Search(beta=0.0).best(heard, VOCABULARY) == [2]


def test_a_language_model_and_a_hot_word_decide_between_what_sounds_alike():
    heard = frames_of([0, 0, 0.52, 0.48], [1, 0, 0, 0])
    likes_b = LanguageModel(1, {("a",): (-2.0, 0.0), ("b",): (-0.1, 0.0)})
    assert Search().best(heard, VOCABULARY) == [2]
    assert Search(language_model=likes_b).best(heard, VOCABULARY) == [3]
    assert Search(hot_words=("B",)).best(heard, VOCABULARY) == [3]


def test_the_beginning_of_a_hot_word_survives_a_narrow_beam():
    heard = frames_of([0.0, 0, 0.6, 0.4], [0, 0, 0, 1.0], [1.0, 0, 0, 0], [0, 0, 0, 1.0])
    assert VOCABULARY.text(Search(beam=1, beta=0.0).best(heard, VOCABULARY)) == "abb"
    assert VOCABULARY.text(Search(beam=1, beta=0.0, hot_words=("bb",)).best(heard, VOCABULARY)) == "bb"


def test_silence_gives_nothing():
    assert Search(language_model=BIGRAMS).best(frames_of(*[[1.0, 0, 0, 0]] * 50), VOCABULARY) == []
    assert Search().best(np.zeros((0, 4), np.float32), VOCABULARY) == []


def test_a_hot_word_that_the_model_cannot_write_is_refused():
    with pytest.raises(UsageError, match="hot word 'xa': the model does not write x"):
        Search(hot_words=("a xa",)).hot(VOCABULARY)
    assert Search(hot_words=("Ab, a",)).hot(VOCABULARY) == {"ab", "a"}
