"""A run that was ended in the middle of a long sound hears no stretch twice, and ends with the same transcript."""

from __future__ import annotations

import numpy as np
import pytest

from sonovec.errors import UsageError
from sonovec.speech.recogniser import RATE
from sonovec.speech.remembering import remembering
from sonovec.speech.transcribing import Transcribing
from tests.speech.test_transcribing import Levels, speech

__all__ = ["speech"]


class Ends(Exception):
    """As a power cut."""


class Counting(Levels):
    """Counts the stretches that it hears, and ends the run behind so many."""

    def __init__(self, most=10_000):
        self.heard, self.most = 0, most

    def hear(self, stretches, language=None):
        self.heard += len(stretches)
        if self.heard > self.most:
            raise Ends
        return super().hear(stretches, language)


def run(recogniser, sound):
    stream = Transcribing(recogniser)
    found = [segment for first in range(0, len(sound), RATE) for segment in stream.push(sound[first : first + RATE])]
    return [*found, *stream.finish()]


@pytest.fixture(scope="module")
def long(speech):
    """Sentences that differ by their levels, with pauses."""
    parts = [np.concatenate([speech * level, np.zeros(2 * RATE)]) for level in np.linspace(0.6, 1.0, 6)]
    return np.concatenate(parts).astype(np.float32)


def test_nothing_is_heard_twice(long, tmp_path):
    whole = Counting()
    expected = run(whole, long)
    assert whole.heard > 4 and expected
    file = tmp_path / "folder" / ".heard"
    ended = Counting(most=whole.heard // 2)
    with pytest.raises(Ends), remembering(ended, file) as hearing:
        run(hearing, long)
    kept = file.read_text("utf-8")
    file.write_text(kept + '["0123', encoding="utf-8")  # a line that was not written to its end
    again = Counting()
    with remembering(again, file) as hearing:
        assert run(hearing, long) == expected
        assert len(file.read_text("utf-8").splitlines()) == whole.heard
    assert 0 < again.heard == whole.heard - len(kept.splitlines()) < whole.heard
    assert not file.exists()


def test_another_language_and_another_version_are_heard_anew(long, tmp_path):
    stretch = long[: 2 * RATE]
    first, other = Counting(), Counting()
    other.version = "2"
    with pytest.raises(Ends), remembering(first, tmp_path / "heard") as hearing:
        hearing.hear([stretch, stretch])
        hearing.hear([stretch], "en")
        raise Ends
    assert first.heard == 2
    with remembering(other, tmp_path / "heard") as hearing:
        hearing.hear([stretch])
    assert other.heard == 1


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"), remembering(Levels(), tmp_path / "file" / "heard"):
        pass
