"""Known texts and their sounds: words with their times, and texts that cannot be aligned."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sonovec
from sonovec.errors import AudioError, UsageError
from sonovec.speech.alignment import spelled
from sonovec.speech.vocabulary import Vocabulary
from tests.models import tiny

pytestmark = pytest.mark.filterwarnings("ignore")
RATE = 16000


@pytest.fixture(scope="module")
def recogniser(ctc_folder):
    return sonovec.speech.load(ctc_folder, precision="f32")


def test_words_keep_their_spelling_and_lines_become_segments(recogniser):
    sound = (tiny.sound(2.0, RATE), RATE)
    found = sonovec.speech.align(sound, "A bad   cab, ...\n\n– Fée (de)\n", recogniser)
    assert [segment.text for segment in found.segments] == ["A bad cab, ...", "– Fée (de)"]
    assert [word.text for word in found.words] == ["A", "bad", "cab,", "Fée", "(de)"]
    assert found.duration == 2.0 and found.model == f"{recogniser.name}@{recogniser.version}" and not found.notes
    assert all(0 <= word.start < word.end <= 2.0 and 0 <= word.confidence <= 1 for word in found.words)
    assert all(one.end <= other.start for one, other in pairwise(found.words))
    assert (found.segments[0].start, found.segments[0].end) == (found.words[0].start, found.words[2].end)


def test_characters_are_parts_of_their_words(recogniser):
    sound = (tiny.sound(2.0, RATE), RATE)
    words = sonovec.speech.align(sound, "bad cab", recogniser).words
    characters = sonovec.speech.align(sound, "bad cab", recogniser, unit="characters").words
    assert [character.text for character in characters] == list("badcab")
    for word, letters in zip(words, (characters[:3], characters[3:]), strict=True):
        assert (word.start, word.end) == (letters[0].start, letters[-1].end)
    with pytest.raises(UsageError, match="unit='letters' is unknown; give one of: words, characters"):
        sonovec.speech.align(sound, "bad", recogniser, unit="letters")


def test_times_are_those_of_the_whole_sound(recogniser):
    samples = tiny.sound(3.0, RATE)
    part = sonovec.speech.align((samples[RATE : 2 * RATE], RATE), "bad", recogniser).words[0]
    there = sonovec.speech.align((samples, RATE), "bad", recogniser, start=1.0, end=2.0)
    assert there.words[0] == part.moved(1.0) and there.duration == 2.0


def test_what_the_model_does_not_know_is_noted_or_refused(recogniser):
    sound = (tiny.sound(2.0, RATE), RATE)
    found = sonovec.speech.align(sound, "bad hab zee 4e", recogniser)
    assert found.notes == ("the model does not know 'h', 'z', '4': the rest of the words was aligned",)
    assert [word.text for word in found.words] == ["bad", "hab", "zee", "4e"]
    with pytest.raises(
        UsageError, match="no letter of '42', 'ты'; write in the text what is said, with the letters a b c"
    ):
        sonovec.speech.align(sound, "bad 42 ты", recogniser)


@pytest.mark.parametrize("text", ["", " \n", "... –"])
def test_an_empty_text_is_refused(recogniser, text):
    with pytest.raises(UsageError, match="the text has no word that could be aligned"):
        sonovec.speech.align((tiny.sound(1.0, RATE), RATE), text, recogniser)


@pytest.mark.parametrize(("seconds", "frames"), [(0.2, 9), (0.01, 0)])
def test_a_text_that_is_too_long_for_the_sound_is_refused(recogniser, seconds, frames):
    with pytest.raises(UsageError, match=f"has 11 tokens, which need 11 frames, and the sound has {frames};"):
        sonovec.speech.align((tiny.sound(seconds, RATE), RATE), "bad cab bad", recogniser)


def test_what_is_no_model_or_no_sound_is_refused(recogniser, tmp_path):
    with pytest.raises(UsageError, match="None does not write letters by frames; give a CTC model"):
        sonovec.speech.align((tiny.sound(1.0, RATE), RATE), "bad", None)
    with pytest.raises(AudioError):
        sonovec.speech.align(tmp_path / "none.wav", "bad", recogniser)


@pytest.mark.slow
def test_a_long_sound_is_aligned_as_a_whole(recogniser):
    """Between silences there is noise that the model writes something of: it is found where it lies."""
    heard = recogniser.hear([tiny.sound(2.0, RATE)])[0]
    text = " ".join(segment.text for segment in heard)
    samples = np.concatenate([np.zeros(40 * RATE, np.float32), tiny.sound(2.0, RATE), np.zeros(40 * RATE, np.float32)])
    words = sonovec.speech.align((samples, RATE), text, recogniser).words
    assert [word.text for word in words] == text.split()
    inside = [word for word in words if word.start >= 40 and word.end <= 42]
    assert len(inside) > 0.5 * len(words)


@given(st.text(alphabet="ab|-é \n.x7", max_size=30))
def test_texts_are_spelled_word_by_word_or_refused(text):
    vocabulary = Vocabulary(("-", "|", "a", "b"), blank=0, delimiter=1)
    try:
        lines, notes = spelled(text, vocabulary)
    except UsageError as error:
        assert "\n" not in str(error)
        return
    said = [(word, tokens) for line in lines for word, tokens in zip(line.words, line.tokens, strict=True)]
    assert [word for word, _ in said] == [word for word in text.split() if set(word) & set("ab")]
    assert all(tokens and set(tokens) <= {2, 3} for _, tokens in said)
    assert bool(notes) == bool(set(text) & set("éx7"))
