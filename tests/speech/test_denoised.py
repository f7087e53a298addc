"""A sound without its noise, beside the sound as it came."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.speech.denoised import AsItIs, Denoised
from sonovec.speech.recogniser import RATE


@settings(max_examples=5)
@given(st.lists(st.integers(0, 3 * RATE), max_size=4))
def test_what_came_lies_beside_what_was_made_of_it(sizes: list[int]) -> None:
    samples = (np.random.default_rng(0).standard_normal(sum(sizes)) / 100).astype(np.float32)
    blocks = np.split(samples, np.cumsum(sizes)[:-1]) if sizes else []
    for made in (Denoised(), AsItIs()):
        pairs = [pair for block in blocks for pair in made.push(block)] + list(made.finish())
        assert [len(clean) for clean, _ in pairs] == [len(raw) for _, raw in pairs]
        raw = np.concatenate([np.empty(0, np.float32), *(raw for _, raw in pairs)])
        np.testing.assert_array_equal(raw, samples)
