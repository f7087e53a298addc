"""The best path of known tokens against every path there is."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
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


def whole(log_posteriors, tokens) -> float:
    """The score of the best path by the textbook's recursion, which keeps the whole trellis."""
    states = [BLANK, *(state for token in tokens for state in (token, BLANK))]
    trellis = np.full((len(log_posteriors), len(states)), -np.inf)
    trellis[0, :2] = log_posteriors[0, states[:2]]
    for t in range(1, len(log_posteriors)):
        for s, state in enumerate(states):
            before = [trellis[t - 1, s], trellis[t - 1, s - 1] if s else -np.inf]
            if s > 1 and state not in (BLANK, states[s - 2]):
                before.append(trellis[t - 1, s - 2])
            trellis[t, s] = max(before) + log_posteriors[t, state]
    return float(max(trellis[-1, -2:]))


@pytest.mark.parametrize("frames", [35, 36, 37, 110])  # about whole blocks of kept columns, and not
def test_columns_that_are_computed_again_give_the_same_path(frames):
    tokens = list(np.random.default_rng(frames).integers(1, 5, 17))
    heard = posteriors(frames, 5, frames)
    path = path_of(aligned(heard, tokens, BLANK), frames)
    assert collapsed(path) == tokens
    assert score_of(path, heard) == pytest.approx(whole(heard, tokens), abs=1e-3)


def test_a_long_sound_needs_little_memory():
    import tracemalloc

    tokens = [1 + i % 3 for i in range(1000)]
    heard = posteriors(4000, 4, 0)  # its whole trellis has 8 million cells
    tracemalloc.start()
    spans = aligned(heard, tokens, BLANK)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(spans) == 1000 and peak < 2.5e6
