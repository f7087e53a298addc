"""The best path of known tokens against every path there is."""

from __future__ import annotations

import tracemalloc
from itertools import groupby, product
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.speech import trellis
from sonovec.speech.spans import of_path
from sonovec.speech.trellis import aligned, frames_needed

BLANK = 0


def posteriors(frames: int, tokens: int, seed: int) -> np.ndarray:
    scores = 3 * np.random.default_rng(seed).standard_normal((frames, tokens))
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


def collapsed(path) -> list[int]:
    return [token for token, _ in groupby(path) if token != BLANK]


def path_of(spans, frames: int) -> list[int]:
    path = [BLANK] * frames
    for span in spans:
        path[span.start : span.end] = [span.token] * (span.end - span.start)
    return path


def score_of(path, log_posteriors) -> float:
    return float(sum(frame[token] for frame, token in zip(log_posteriors.astype(float), path, strict=True)))


@settings(max_examples=60)
@given(st.integers(1, 6), st.lists(st.integers(1, 2), min_size=1, max_size=4), st.integers(0, 2**32))
def test_the_path_is_the_best_of_all_that_write_the_tokens(frames, tokens, seed):
    heard = posteriors(frames, 3, seed)
    writing = [path for path in product(range(3), repeat=frames) if collapsed(path) == tokens]
    if not writing:
        assert frames < frames_needed(tokens)
        with pytest.raises(UsageError, match=f"need {frames_needed(tokens)} frames, and the sound has {frames}"):
            aligned(heard, tokens, BLANK)
        return
    spans = aligned(heard, tokens, BLANK)
    path = path_of(spans, frames)
    assert [span.token for span in spans] == collapsed(path) == tokens
    assert score_of(path, heard) == pytest.approx(max(score_of(each, heard) for each in writing), abs=1e-4)
    for span in spans:
        expected = np.exp(heard[span.start : span.end, span.token]).mean()
        assert span.confidence == pytest.approx(expected, abs=1e-5)


@given(st.integers(1, 30), st.integers(0, 2**32))
def test_the_tokens_that_the_best_path_of_all_writes_are_aligned_along_it(frames, seed):
    heard = posteriors(frames, 4, seed)
    path = heard.argmax(axis=1)
    if tokens := collapsed(path):
        assert aligned(heard, tokens, BLANK) == of_path(path, heard, BLANK)


def whole(log_posteriors, tokens) -> list[int]:
    """The best path by the textbook's recursion, which keeps the whole trellis; of two as good the one that stays."""
    states = [BLANK, *(state for token in tokens for state in (token, BLANK))]
    scores = np.full((len(log_posteriors), len(states)), -np.inf)
    back = np.zeros(scores.shape, int)
    scores[0, :2] = log_posteriors[0, states[:2]]
    for t in range(1, len(log_posteriors)):
        for s, state in enumerate(states):
            most = 2 if s > 1 and state not in (BLANK, states[s - 2]) else min(s, 1)
            before = scores[t - 1, s - most : s + 1][::-1]
            back[t, s] = before.argmax()
            scores[t, s] = before.max() + log_posteriors[t, state]
    s = len(states) - 1 - int(scores[-1, -2] >= scores[-1, -1])
    path = []
    for t in range(len(log_posteriors) - 1, -1, -1):
        path.append(states[s])
        s -= back[t, s]
    return path[::-1]


@st.composite
def heard_texts(draw):
    """Log posteriors, some with ties, and a text of one token, with repeats, or as long as the frames."""
    tokens = draw(st.lists(st.integers(1, 3), min_size=1, max_size=12))
    needed = frames_needed(tokens)
    heard = posteriors(
        draw(st.one_of(st.just(needed), st.integers(needed, needed + 40))), 4, draw(st.integers(0, 2**32))
    )
    sharpness = draw(st.sampled_from([0.0, 0.3, 1.0, 5.0]))
    return np.round(sharpness * heard) if draw(st.booleans()) else (sharpness * heard).astype(np.float32), tokens


@settings(max_examples=300)
@given(heard_texts(), st.integers(1, 7), st.sampled_from([(), (0.5,), (3.0, 30.0), (1e3,)]))
def test_what_is_left_out_does_not_change_the_path(example, stretch, margins):
    heard, tokens = example
    with patch.multiple(trellis, SHORT=0, STRETCH=stretch, MARGINS=margins):
        spans = aligned(heard, tokens, BLANK)
    assert path_of(spans, len(heard)) == whole(heard, tokens)
    assert spans == aligned(heard, tokens, BLANK)


@pytest.mark.parametrize("frames", [63, 64, 65, 66, 300])  # about whole stretches and blocks of kept columns
def test_columns_that_are_computed_again_give_the_same_path(frames):
    tokens = list(np.random.default_rng(frames).integers(1, 5, 17))
    heard = posteriors(frames, 5, frames)
    assert path_of(aligned(heard, tokens, BLANK), frames) == whole(heard, tokens)


def spoken(frames: int, text: int, errors: float = 0.1) -> tuple[np.ndarray, list[int], list[int]]:
    """What a model hears that writes some letters wrongly, the tokens of the text, and the path that was drawn."""
    draw = np.random.default_rng(frames)
    tokens = draw.integers(1, 30, text)
    starts = 2 * np.sort(draw.choice(frames // 2, text, replace=False))
    path = np.zeros(frames, int)
    path[starts] = tokens
    written = path.copy()
    wrong = starts[draw.random(text) < errors]
    written[wrong] = draw.integers(0, 30, len(wrong))
    scores = draw.standard_normal((frames, 32))
    scores[np.arange(frames), written] += 10.0
    return (
        (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32),
        tokens.tolist(),
        path.tolist(),
    )


def computed(heard, tokens) -> tuple[list, int]:
    """The spans, and how many states of tokens were computed for them."""
    cells = []

    class Counting(trellis._Trellis):
        def _after(self, column, first, *others):
            after = super()._after(column, first, *others)
            cells.append(len(after.tokens) * min(trellis.STRETCH, len(heard) - first))
            return after

    with patch.object(trellis, "_Trellis", Counting):
        return aligned(heard, tokens, BLANK), sum(cells)


def peak_of(heard, tokens) -> float:
    """Bytes that an alignment takes at most, beside what it is given."""
    tracemalloc.start()
    spans = aligned(heard, tokens, BLANK)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [span.token for span in spans] == tokens
    return peak


def test_of_a_long_text_that_is_said_few_states_are_computed():
    heard, tokens, said = spoken(12_000, 3000)
    spans, cells = computed(heard, tokens)
    path = path_of(spans, len(heard))
    assert score_of(path, heard) >= score_of(said, heard)
    assert np.mean(np.array(path) == said) > 0.99
    assert cells < 0.5 * len(heard) * len(tokens)


def test_a_text_whose_end_is_not_said_is_aligned_as_the_whole_trellis_does():
    """The narrow bands lose its end: it lies far behind what is heard best."""
    heard, tokens, _ = spoken(3000, 700)
    tokens += tokens[:400]
    with patch.object(trellis, "MARGINS", (100.0,)):
        spans, _ = computed(heard, tokens)
    with patch.object(trellis, "SHORT", 2000):
        assert spans == aligned(heard, tokens, BLANK)


def test_a_long_sound_needs_little_memory():
    said, tokens, _ = spoken(12_000, 3000)  # its whole trellis has 72 million states
    assert peak_of(said, tokens) < 5e6
    assert peak_of(posteriors(8000, 32, 0), tokens[:2000]) < 5e6, "where no state can be left out"
