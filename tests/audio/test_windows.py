"""Windows: places, coverage and silence, whatever the blocks."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.audio.windows import SILENCE_PEAK, Windows, WindowSpec, frame
from sonovec.errors import UsageError

specs = st.builds(WindowSpec, st.integers(1, 40), st.integers(1, 60), st.sampled_from(["pad", "drop"]))


def ramp(n: int) -> np.ndarray:
    return np.arange(1, n + 1, dtype=np.float32)


def whole(n: int, spec: WindowSpec) -> tuple[list[int], np.ndarray]:
    """The policy in its plainest words: which windows there are, and what is in them."""
    starts, covered = [], 0
    for start in range(0, n, spec.hop):
        short = start + spec.length > n
        wanted = covered < n if spec.tail == "pad" else not short or not starts
        if not wanted:
            break
        starts.append(start)
        covered = start + spec.length
    padded = np.concatenate([ramp(n), np.zeros(spec.length, np.float32)])
    return starts, np.array([padded[start : start + spec.length] for start in starts])


def join(groups: list[Windows]) -> Windows:
    names = ("samples", "starts", "ends", "coverage", "silent", "levels")
    return Windows(**{name: np.concatenate([getattr(group, name) for group in groups]) for name in names})


@settings(max_examples=400)
@given(n=st.integers(1, 400), spec=specs, cuts=st.lists(st.integers(0, 400), max_size=10), most=st.integers(1, 9))
def test_windows_follow_the_policy_whatever_the_blocks(n: int, spec: WindowSpec, cuts: list[int], most: int) -> None:
    groups = list(frame(np.split(ramp(n), sorted(min(cut, n) for cut in cuts)), spec, most))
    assert all(len(group) == most for group in groups[:-1])
    assert 1 <= len(groups[-1]) <= most
    windows = join(groups)
    starts, samples = whole(n, spec)
    assert len(windows) == spec.count(n)
    assert windows.starts.tolist() == starts
    np.testing.assert_array_equal(windows.samples, samples)
    assert windows.ends.tolist() == [min(start + spec.length, n) for start in starts]
    np.testing.assert_allclose(windows.coverage, (windows.ends - windows.starts) / spec.length)
    assert (windows.coverage > 0).all()
    if spec.tail == "pad" and spec.hop <= spec.length:
        assert windows.ends[-1] == n


@given(n=st.integers(1, 300), spec=specs)
def test_no_extra_window_once_everything_is_covered(n: int, spec: WindowSpec) -> None:
    windows = join(list(frame([ramp(n)], spec)))
    assert (windows.ends[:-1] < n).all()


def test_dtypes_and_shapes() -> None:
    (windows,) = frame([ramp(25)], WindowSpec(10, 10))
    assert [
        getattr(windows, name).dtype.name for name in ("samples", "starts", "ends", "coverage", "silent", "levels")
    ] == [
        "float32",
        "int64",
        "int64",
        "float32",
        "bool",
        "float32",
    ]
    assert windows.samples.shape == (3, 10)
    assert windows.samples.flags.c_contiguous
    assert windows.coverage.tolist() == [1.0, 1.0, 0.5]


def test_windows_do_not_alias_the_blocks() -> None:
    block = ramp(40)
    (windows,) = frame([block], WindowSpec(10, 10))
    block[:] = -1
    assert windows.samples[0, 0] == 1


@pytest.mark.parametrize("tail", ["pad", "drop"])
def test_a_short_clip_gives_one_window_and_nothing_gives_none(tail: str) -> None:
    spec = WindowSpec(100, 50, tail)
    (windows,) = frame([ramp(1)], spec)
    assert (windows.starts.tolist(), windows.ends.tolist()) == ([0], [1])
    assert windows.coverage[0] == np.float32(0.01)
    assert list(frame([], spec)) == list(frame([ramp(0)], spec)) == []


def test_silence_is_marked_and_not_dropped() -> None:
    sound = np.concatenate([np.zeros(10), np.full(10, 0.9 * SILENCE_PEAK), np.full(10, 1.1 * SILENCE_PEAK), [0, -1]])
    (windows,) = frame([sound.astype(np.float32)], WindowSpec(10, 10))
    assert windows.silent.tolist() == [True, True, False, False]


def test_places_are_exact() -> None:
    (windows,) = frame([ramp(41)], WindowSpec(16, 8))
    assert (windows.starts.tolist(), windows.ends.tolist()) == ([0, 8, 16, 24, 32], [16, 24, 32, 40, 41])


def test_memory_does_not_grow_with_the_length() -> None:
    block = np.ones(100_000, dtype=np.float32)
    tracemalloc.start()
    count = sum(len(windows) for windows in frame((block for _ in range(300)), WindowSpec(16000, 16000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1875
    assert peak < 12_000_000  # the sound itself has 120 MB


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 1), "length=0 must be a positive whole number of samples; for example WindowSpec"),
        ((10, -5), "hop=-5"),
        ((10.5, 5), "length=10.5"),
        ((True, 5), "length=True"),
        ((10, 5, "wrap"), "tail='wrap' must be 'pad' or 'drop'; for example WindowSpec\\(10, 5, tail='pad'\\)"),
    ],
)
def test_impossible_specs(arguments: tuple, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        WindowSpec(*arguments)


def test_impossible_groups() -> None:
    with pytest.raises(UsageError, match="max_windows=0"):
        next(frame([ramp(10)], WindowSpec(1, 1), 0))
