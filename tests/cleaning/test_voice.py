"""Stretches of speech: where they begin and end, and that they do not depend on how the sound comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.audio.stream import load
from sonovec.cleaning.silero import HOP, RATE
from sonovec.cleaning.voice import Rules, Turns, Voice
from sonovec.errors import UsageError

PROBABILITIES = st.lists(st.sampled_from([0.0, 0.3, 0.4, 0.6, 1.0]), max_size=120)


def told(rules, probabilities, size):
    turns, found = Turns(rules), []
    for start in range(0, len(probabilities), size):
        found += turns.push(probabilities[start : start + size])
        assert turns.began is None or turns.began == turns.known
    return found + turns.finish(len(probabilities) * HOP)


@given(PROBABILITIES, st.integers(1, 50))
def test_stretches_grow_do_not_touch_and_hold_all_loud_blocks(probabilities, size):
    rules = Rules(shortest=0.0)
    found = told(rules, probabilities, size)
    assert found == told(rules, probabilities, max(1, len(probabilities)))
    edges = [place for stretch in found for place in stretch]
    assert edges == sorted(edges)
    assert all(start < end for start, end in found)
    for number, probability in enumerate(probabilities):
        if probability >= rules.threshold:
            assert any(start <= number * HOP and (number + 1) * HOP <= end for start, end in found)


def test_short_speech_is_none_and_short_pauses_end_nothing():
    loud, quiet = [1.0], [0.0]
    rules = Rules(shortest=0.1, pause=0.4, padding=0.2)
    assert told(rules, quiet * 20 + loud * 3 + quiet * 20, 7) == []
    joined = told(rules, quiet * 20 + loud * 10 + quiet * 10 + loud * 10 + quiet * 20, 7)
    assert joined == [(20 * HOP - 3200, 50 * HOP + 3200)]


def test_a_stretch_goes_on_between_the_thresholds_but_does_not_begin_there():
    rules = Rules(shortest=0.0, pause=0.0, padding=0.0)
    assert told(rules, [0.4, 0.6, 0.4, 0.3, 0.4], 1) == [(HOP, 3 * HOP)]


def test_speech_is_found_between_silences(shared_data):
    speech = load(shared_data / "music" / "3436-172162-0000.ogg", RATE).samples[: 5 * RATE]
    sound = np.concatenate([np.zeros(2 * RATE, np.float32), speech, np.zeros(3 * RATE, np.float32)])
    voice = Voice()
    found = [stretch for block in np.array_split(sound, 17) for stretch in voice.push(block)] + voice.finish()
    assert found and 1.5 < found[0][0] < 3 and 6 < found[-1][1] < 8
    assert voice.known > 9


def test_values_out_of_range_are_refused():
    with pytest.raises(UsageError, match="twice the padding"):
        Rules(pause=0.1)
    with pytest.raises(UsageError, match="release <= threshold"):
        Rules(threshold=0.2)
