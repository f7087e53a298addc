"""Real speech is cut into stretches: the same ones however it comes, none too long, and no speech is left out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sonovec.audio.stream import load
from sonovec.cleaning.silero import RATE
from sonovec.speech.cutting import EDGE, OVERLAP, Cutter


@pytest.fixture(scope="module")
def talk(shared_data):
    """Two readers, and four seconds of silence between them."""
    names = ("198-209-0000", "5703-47212-0000")
    one, other = (load(shared_data / "music" / f"{name}.ogg", RATE).samples for name in names)
    return np.concatenate([one, np.zeros(4 * RATE, np.float32), other])


def cut(sound, longest, blocks=1, together=True):
    cutter = Cutter(longest, together)
    found = [stretch for block in np.array_split(sound, blocks) for stretch in cutter.push(block)]
    return found + cutter.finish()


def same(one, other):
    return one.places == other.places and one.joins == other.joins and np.array_equal(one.samples, other.samples)


@pytest.mark.parametrize("longest", [5.0, 30.0])
def test_blocks_of_any_size_give_the_same_stretches(talk, longest):
    whole = cut(talk, longest)
    for blocks in (7, 301):
        parts = cut(talk, longest, blocks)
        assert len(parts) == len(whole) and all(map(same, parts, whole))


@pytest.mark.parametrize("longest", [5.0, 12.0, 30.0])
@pytest.mark.parametrize("together", [True, False])
def test_stretches_hold_the_sound_of_their_places(talk, longest, together):
    for stretch in cut(talk, longest, 50, together):
        assert len(stretch.samples) <= longest * RATE
        assert sum(place.length for place in stretch.places) == len(stretch.samples)
        for place in stretch.places:
            there = stretch.samples[place.offset : place.offset + place.length]
            assert np.array_equal(there, talk[place.start : place.start + place.length])
            assert place.start <= place.begins < place.ends <= place.start + place.length


def test_speech_is_heard_once_but_around_joints(talk):
    stretches = cut(talk, 5.0)
    for one, other in itertools.pairwise(stretches):
        last, first = one.places[-1], other.places[0]
        end = last.start + last.length
        if one.joins is not None:
            assert (one.joins - first.start, end - one.joins) == (OVERLAP, OVERLAP)
        else:
            assert last.ends <= first.begins and end <= first.begins and last.ends <= first.start
    turns = [place for stretch in cut(talk, 30.0) for place in stretch.places]
    parts = [place for stretch in stretches for place in stretch.places]
    heard = np.zeros(len(talk), bool)
    for place in parts:
        heard[place.start : place.start + place.length] = True
    assert all(heard[turn.begins : turn.ends].all() for turn in turns)


def test_turns_are_put_together_and_long_pauses_shortened(talk):
    first, *_ = cut(talk, 30.0)
    assert len(first.places) > 1
    assert len(cut(talk, 30.0)) < len(cut(talk, 30.0, together=False))
    gaps = [b.begins - a.ends for a, b in zip(first.places, first.places[1:], strict=False)]
    kept = [  # of each pause
        b.offset + b.begins - b.start - (a.offset + a.ends - a.start)
        for a, b in zip(first.places, first.places[1:], strict=False)
    ]
    assert all(inside == min(gap, 2 * EDGE) for inside, gap in zip(kept, gaps, strict=True))


def test_a_sound_that_never_pauses_is_cut_and_its_parts_overlap(talk):
    word = talk[int(0.5 * RATE) : int(2.2 * RATE)]
    stretches = cut(np.tile(word, 20), 6.0, 99)
    assert len(stretches) > 4
    assert any(stretch.joins is not None for stretch in stretches) or all(len(s.places) == 1 for s in stretches)


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros(700), np.zeros(20 * RATE), np.ones(20 * RATE) / 2])
def test_nothing_is_cut_out_of_silence(sound):
    assert cut(sound.astype(np.float32), 30.0, 5) == []


def test_noise_gives_no_stretches():
    noise = np.random.default_rng(0).standard_normal(20 * RATE).astype(np.float32) / 10
    assert cut(noise, 30.0, 5) == []


def test_memory_is_bounded(talk):
    cutter = Cutter(30.0)
    for _ in range(8):
        for block in np.array_split(talk, 30):
            cutter.push(block)
            assert sum(map(len, cutter._sound._blocks)) < 75 * RATE
