"""Windows in which nobody speaks are left out, and every other one stays, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from sonovec import demo
from sonovec.audio.resample import Resampler
from sonovec.audio.windows import Framer, Windows, WindowSpec, frame
from sonovec.cleaning.silero import HOP, RATE, Listener
from sonovec.cleaning.voice import Voice
from sonovec.cleaning.voiced import Voiced

SPEC = WindowSpec(RATE, RATE // 2)


def speech(rate: int = RATE) -> NDArray[np.float32]:
    samples = np.asarray(demo.clip("speech")[0], np.float32)
    resampler = Resampler(demo.RATE, rate)
    return np.concatenate([resampler.process(samples), resampler.flush()])


def scene(rate: int = RATE) -> NDArray[np.float32]:
    """Silence, speech, faint noise, speech, silence."""
    hiss = (np.random.default_rng(0).standard_normal(9 * rate) / 1000).astype(np.float32)
    silence = np.zeros(4 * rate, np.float32)
    return np.concatenate([silence, speech(rate), hiss, speech(rate), silence])


def through(voiced: Voiced, blocks: Iterable[NDArray[np.float32]], spec: WindowSpec) -> Iterator[Windows]:
    framer = Framer(spec, 4)
    for block in blocks:
        voiced.hear(block)
        for group in framer.push(block):
            yield from voiced.push(group)
    voiced.end()
    for group in framer.finish():
        yield from voiced.push(group)
    yield from voiced.finish()


def kept(samples: NDArray[np.float32], rate: int = RATE, size: int = 5000) -> tuple[list[int], Voiced]:
    voiced = Voiced(rate)
    spec = WindowSpec(rate, rate // 2)
    blocks = (samples[start : start + size] for start in range(0, len(samples), size))
    starts = [int(start) for each in through(voiced, blocks, spec) for start in each.starts]
    return starts, voiced


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_the_windows_that_stay_are_those_that_speech_lies_in(rate: int) -> None:
    samples = scene(rate)
    voice, resampler = Voice(), Resampler(rate, RATE)
    stretches = [*voice.push(resampler.process(samples)), *voice.push(resampler.flush()), *voice.finish()]
    all_windows = [int(start) for each in frame([samples], WindowSpec(rate, rate // 2)) for start in each.starts]
    expected = [
        start
        for start in all_windows
        if any(start / rate < end and (start + rate) / rate > begin for begin, end in stretches)
    ]
    found, voiced = kept(samples, rate)
    assert len(stretches) > 1 and 0 < len(expected) < len(all_windows)
    assert found == expected
    left = len(all_windows) - len(expected)
    assert voiced.notes == [f"{left} of {len(all_windows)} windows left out: nobody speaks in them"]


def test_all_speech_stays_whole() -> None:
    samples = speech()
    found, voiced = kept(samples)
    assert found == [start for each in frame([samples], SPEC) for start in each.starts]
    assert voiced.notes == []


def test_of_a_sound_without_speech_the_loudest_window_stays() -> None:
    samples = np.zeros(6 * RATE, np.float32)
    samples[3 * RATE : 4 * RATE] = 0.01
    found, voiced = kept(samples)
    assert found == [3 * RATE]
    assert voiced.notes == ["nobody speaks in it: of 11 windows only the loudest is kept"]
    found, voiced = kept(np.zeros(100, np.float32))
    assert found == [0] and voiced.notes == ["nobody speaks in it"]


def test_windows_of_speech_without_a_pause_are_let_go_while_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Listener, "push", lambda self, block: np.ones(len(block) // HOP, np.float32))
    monkeypatch.setattr(Listener, "finish", lambda self: np.zeros(0, np.float32))
    voiced, taken = Voiced(RATE), []

    def blocks():
        for number in range(600):
            taken.append(number)
            yield np.full(HOP * 31, 0.1, np.float32)

    behind = [len(taken) * HOP * 31 / RATE - each.starts[0] / RATE for each in through(voiced, blocks(), SPEC)]
    assert len(behind) > 100 and max(behind) < 6, "seconds between what was read and what was let go"
