"""Silence at the beginning and at the end goes; nothing else does, and memory is bounded."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sonovec.cleaning.trim import BELOW, MARGIN, REACH, Trimmer

RATE = 1000


def noise(seconds: float, level: float, rate: int = RATE) -> NDArray[np.float32]:
    """Noise of a level in decibels of full scale."""
    rng = np.random.default_rng(round(seconds * 100))
    return (rng.standard_normal(round(seconds * rate)) * 10 ** (level / 20)).astype(np.float32)


def trimmed(samples: NDArray[np.float32], rate: int = RATE, sizes: int = 997) -> tuple[NDArray[np.float32], Trimmer]:
    trimmer = Trimmer(rate)
    blocks = [samples[start : start + sizes] for start in range(0, len(samples), sizes)]
    return np.concatenate([np.empty(0, np.float32), *trimmer.blocks(blocks)]), trimmer


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0.01, 90), st.sampled_from([-10.0, -30.0, -60.0, -200.0])), min_size=1, max_size=5),
    st.integers(1, 20_000),
)
def test_the_result_is_a_stretch_of_the_source_and_does_not_depend_on_the_blocks(
    parts: list[tuple[float, float]], size: int
) -> None:
    samples = np.concatenate([noise(seconds, level) for seconds, level in parts])
    if not len(samples):
        return
    whole, of_whole = trimmed(samples, sizes=len(samples))
    by_blocks, of_blocks = trimmed(samples, sizes=size)
    np.testing.assert_array_equal(whole, by_blocks)
    assert (of_whole.start, of_whole.cut, of_whole.notes) == (of_blocks.start, of_blocks.cut, of_blocks.notes)
    assert len(whole), "no sound yields nothing"
    assert of_whole.start + len(whole) + of_whole.cut == len(samples)
    np.testing.assert_array_equal(whole, samples[of_whole.start : of_whole.start + len(whole)])


@pytest.mark.parametrize("rate", [1000, 8000, 44_100])
@pytest.mark.parametrize("silence", [-200.0, -70.0])
def test_both_ends_go_but_for_a_margin_and_pauses_stay(rate: int, silence: float) -> None:
    parts = [(3.0, silence), (1.0, -20.0), (20.0, silence), (1.0, -20.0), (5.0, silence)]
    kept, trimmer = trimmed(np.concatenate([noise(*part, rate) for part in parts]), rate)
    assert trimmer.start / rate == pytest.approx(3 - MARGIN, abs=0.021)
    assert trimmer.cut / rate == pytest.approx(5 - MARGIN, abs=0.021)
    assert len(kept) / rate == pytest.approx(22 + 2 * MARGIN, abs=0.042)
    assert trimmer.notes[0].startswith("silence cut off: 2.9 s at the beginning, 4.")


def test_what_is_within_40_db_of_the_loudest_moment_stays_also_where_that_comes_later() -> None:
    for quiet, goes in ((-20 - BELOW + 3, False), (-20 - BELOW - 3, True)):
        _, trimmer = trimmed(np.concatenate([noise(5, quiet), noise(1, -20), noise(5, quiet)]))
        assert (trimmer.start > 0, trimmer.cut > 0) == (goes, goes)


@pytest.mark.parametrize("samples", [1, 5, 2500, 200_000])
def test_silence_throughout_is_said_and_gives_up_to_a_minute(samples: int) -> None:
    kept, trimmer = trimmed(np.zeros(samples, np.float32))
    assert len(kept) == min(samples, REACH * RATE) and trimmer.start == samples - len(kept)
    assert trimmer.notes[0].startswith("silent throughout: not trimmed")
    assert ("last 60 s" in trimmer.notes[0]) == (trimmer.start > 0)


def test_of_a_very_long_end_the_last_minute_goes() -> None:
    _, trimmer = trimmed(np.concatenate([noise(1, -20), np.zeros(500 * RATE, np.float32)]))
    assert trimmer.cut / RATE == pytest.approx(REACH - MARGIN, abs=1)


@pytest.mark.slow
def test_memory_stays_the_same_over_an_hour_of_silence() -> None:
    def hour() -> Iterator[NDArray[np.float32]]:
        yield noise(1, -20)
        for _ in range(3600):
            yield np.zeros(RATE, np.float32)
        yield noise(1, -20)

    tracemalloc.start()
    total = sum(len(block) for block in Trimmer(RATE).blocks(hour()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 3602 * RATE
    assert peak < 8 * REACH * RATE * 4


def test_nothing_gives_nothing() -> None:
    assert list(Trimmer(RATE).blocks([])) == []
