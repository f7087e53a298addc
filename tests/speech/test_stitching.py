"""Transcripts of stretches become one: times grow, and what two stretches share is there once."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonovec.cleaning.silero import RATE
from sonovec.speech.cutting import Place, Stretch
from sonovec.speech.stitching import SLACK, Stitcher
from sonovec.speech.transcript import Segment, Word

TEXTS = [f"word{number}" for number in range(40)]


def stretch(start, end, joins=None):
    """A stretch that is one turn, in seconds."""
    length = int((end - start) * RATE)
    place = Place(0, length, int(start * RATE), int(start * RATE), int(end * RATE))
    return Stretch(np.zeros(length, np.float32), (place,), None if joins is None else int(joins * RATE))


def said(texts, start, begin, end, shift=0.0):
    """The words of one that lasts half a second each, as far as they lie in a stretch."""
    words = [
        Word(start + i / 2 - begin + shift, start + i / 2 + 0.4 - begin + shift, text, 0.9)
        for i, text in enumerate(texts)
        if begin <= start + i / 2 and start + i / 2 + 0.4 <= end
    ]
    return [Segment.of(words)] if words else []


@given(st.floats(-0.15, 0.15), st.floats(4, 15))
def test_what_two_stretches_share_is_there_once(shift, joint):
    stitcher = Stitcher()
    first = stitcher.push(stretch(0, joint + 1, joint), said(TEXTS, 0.0, 0, joint + 1))
    second = stitcher.push(stretch(joint - 1, 20), said(TEXTS, 0.0, joint - 1, 20, shift))
    found = [*first, *second, *stitcher.finish()]
    assert [word.text for segment in found for word in segment.words] == TEXTS
    assert " ".join(segment.text for segment in found) == " ".join(TEXTS)


def test_two_hearings_that_share_no_word_change_over_at_the_joint():
    stitcher = Stitcher()
    stitcher.push(stretch(0, 11, 10), said(TEXTS, 0.0, 0, 11))
    found = stitcher.push(stretch(9, 20), said([f"other{i}" for i in range(40)], 0.0, 9, 20))
    words = [word for segment in found for word in segment.words]
    assert [word.text for word in words if word.start < 9.9][-1].startswith("word")
    assert all(word.text.startswith("other") for word in words if word.start > 10.1)


def test_what_waits_for_a_stretch_that_does_not_come_is_not_lost():
    stitcher = Stitcher()
    first = stitcher.push(stretch(0, 11, 10), said(TEXTS, 0.0, 0, 11))
    found = [*first, *stitcher.finish()]
    assert len([word for segment in found for word in segment.words]) == 22


WORDS = st.lists(st.tuples(st.floats(-1, 12), st.floats(-1, 12)), min_size=1, max_size=20)


@given(st.lists(WORDS, min_size=1, max_size=3))
def test_times_grow_and_words_do_not_overlap_whatever_a_recogniser_says(stretches):
    stitcher, found = Stitcher(), []
    for number, times in enumerate(stretches):
        words = [Word(start, end, "so", 0.5) for start, end in times]
        found += stitcher.push(stretch(20 * number, 20 * number + 10), [Segment.of(words)])
    words = [word for segment in [*found, *stitcher.finish()] for word in segment.words]
    assert len(words) == sum(map(len, stretches))
    assert all(word.start < word.end for word in words)
    assert all(one.end <= other.start for one, other in itertools.pairwise(words))
    assert [(each.start, each.end) for each in found] == [(each.words[0].start, each.words[-1].end) for each in found]


def test_a_pause_that_was_shortened_is_put_back():
    places = (Place(0, RATE, 5 * RATE, 5 * RATE, 6 * RATE), Place(RATE, RATE, 60 * RATE, 60 * RATE, 61 * RATE))
    heard = Segment.of([Word(0.2, 0.8, "one", 1.0), Word(1.2, 1.9, "two", 1.0)])
    found = Stitcher().push(Stretch(np.zeros(2 * RATE, np.float32), places), [heard])
    assert [(each.start, each.end, each.text) for each in found] == [(5.2, 5.8, "one"), (60.2, 60.9, "two")]


def test_words_stay_in_the_speech_that_was_found():
    place = Place(0, 4 * RATE, 0, RATE, 2 * RATE)
    heard = Segment.of([Word(0.0, 1.5, "early", 1.0), Word(1.5, 4.0, "late", 1.0)])
    (found,) = Stitcher().push(Stretch(np.zeros(4 * RATE, np.float32), (place,)), [heard])
    assert (found.start, found.end) == (1 - SLACK, 2 + SLACK)


def test_segments_end_with_sentences_in_languages_without_spaces_too():
    words = [Word(0.0, 0.4, "你好。", 0.9), Word(0.9, 1.2, "再", 0.9), Word(1.2, 1.5, "见", 0.9)]
    found = Stitcher().push(stretch(0, 2), [Segment.of(words, "你好。再见", "zh")])
    assert [(each.text, each.language) for each in found] == [("你好。", "zh"), ("再见", "zh")]
