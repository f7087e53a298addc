"""Words over a spectrogram."""

from __future__ import annotations

import pytest

import sonovec
from sonovec.errors import UsageError
from sonovec.speech import Segment, Transcript, Word, plot_words
from tests.models import tiny


def test_words_stand_where_they_are_said(tmp_path):
    words = (Word(0.25, 0.75, "one", 1.0), Word(1.0, 1.5, "$2", 1.0))
    sound = (tiny.sound(2.0, 16000), 16000)
    transcript = Transcript([Segment.of(words)], 2.0)
    axes = plot_words(sound, transcript, tmp_path / "words.png").axes[1]
    assert [(text.get_text(), text.get_position()[0]) for text in axes.texts] == [("one", 0.5), (r"\$2", 1.25)]
    assert sorted({line.get_xdata()[0] for line in axes.lines}) == [0.25, 0.75, 1.0, 1.5]
    assert (tmp_path / "words.png").read_bytes().startswith(b"\x89PNG")
    part = plot_words(sound, transcript, start=0.9)
    assert [text.get_text() for text in part.axes[1].texts] == [r"\$2"]


def test_a_picture_of_another_format_is_refused_before_any_work(tmp_path):
    with pytest.raises(UsageError, match=r"a picture is written as PNG or SVG"):
        plot_words("none.wav", Transcript([], 0.0), tmp_path / "words.jpg")
    assert sonovec.speech.plot_words is plot_words
