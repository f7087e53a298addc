"""Moods from tags: what the table promises."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonovec.music.head import read
from sonovec.music.moods import MOODS, NAMED, evidence, told

EVIDENCE = arrays(float, len(MOODS), elements=st.floats(-4, 4))


def test_every_tag_of_every_mood_is_a_tag_of_the_head():
    assert {tag for mood in MOODS.values() for tag in mood.tags} <= set(read().tags)


@given(EVIDENCE)
def test_what_is_told_is_in_range_and_ordered(heard):
    found = told(heard)
    strength = dict(zip(MOODS, heard, strict=True))
    assert 0 <= found.valence <= 1 and 0 <= found.arousal <= 1
    assert set(found.moods) == {name for name, each in strength.items() if each >= NAMED}
    assert [strength[name] for name in found.moods] == sorted((strength[name] for name in found.moods), reverse=True)


@given(st.sampled_from(list(MOODS)), st.floats(0.1, 4))
def test_a_mood_pulls_to_its_place_on_the_circle(name, strength):
    heard = np.array([strength if each == name else 0.0 for each in MOODS])
    found, angle = told(heard), math.radians(MOODS[name].angle)
    assert (found.valence - 0.5) * math.cos(angle) >= 0 and (found.arousal - 0.5) * math.sin(angle) >= 0


def test_nothing_special_is_in_the_middle():
    found = told(np.zeros(len(MOODS)))
    assert (found.valence, found.arousal, found.moods) == (0.5, 0.5, [])


@given(arrays(float, (3, 4), elements=st.floats(-9, 9)))
def test_no_tag_can_say_more_than_it_may(spreads):
    assert np.abs(evidence(spreads, ["msd:sad", "msd:happy", "mtt:fast", "mtt:guitar"])).max() <= 3
