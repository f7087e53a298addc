"""From sounds to transcripts, with a recogniser that writes how long it is loud; Whisper's own are in test_whisper.py."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.audio.stream import load
from sonovec.augment.waveform import noise
from sonovec.embedding.embedding import Failure
from sonovec.errors import AudioError, Cancelled, UsageError
from sonovec.speech.recogniser import RATE
from sonovec.speech.transcribing import Transcribing, transcribe
from sonovec.speech.transcript import Segment, Word


class Levels:
    """Hears a word in each quarter of a second that is loud, and writes its level."""

    name, version, longest, languages = "levels", "1", 10.0, ("en",)

    def hear(self, stretches, language=None):
        return [self._segments(stretch) for stretch in stretches]

    def _segments(self, stretch):
        quarters = np.split(stretch, range(RATE // 4, len(stretch), RATE // 4))
        levels = [int(1000 * float(np.sqrt(np.mean(quarter**2)))) for quarter in quarters]
        words = [Word(i / 4, i / 4 + 0.2, f"{level}", 0.5) for i, level in enumerate(levels) if level > 20]
        return [Segment.of(words, language="en")] if words else []


@pytest.fixture(scope="module")
def speech(shared_data):
    return load(shared_data / "music" / "198-209-0000.ogg", RATE).samples


def texts(results):
    return [[(each.start, each.end, each.text) for each in result.segments] for result in results]


def test_a_stream_gives_what_a_file_gives(speech, tmp_path):
    soundfile.write(tmp_path / "talk.wav", speech, RATE, subtype="FLOAT")
    (whole,) = transcribe(tmp_path / "talk.wav", Levels())
    assert whole.segments and whole.language == "en" and whole.model == "levels@1"
    assert whole.duration == pytest.approx(len(speech) / RATE)
    for blocks in (1, 40):
        stream, found = Transcribing(Levels()), []
        for block in np.array_split(speech, blocks):
            found += stream.push(block)
        assert found + stream.finish() == list(whole.segments)
    assert stream.seconds == len(speech) / RATE


def test_a_live_stream_tells_each_turn_when_it_is_over(speech):
    stream = Transcribing(Levels(), live=True)
    silence = np.zeros(2 * RATE, np.float32)
    stream.push(speech[: 3 * RATE])
    assert stream.push(silence)
    assert stream.push(np.concatenate([speech[: 3 * RATE], silence]))[0].start > 5


def test_noise_is_taken_out_of_what_is_heard_and_voices_are_found_in_the_sound_as_it_came(speech):
    samples = noise(speech, RATE, 15.0, np.random.default_rng(0))
    (whole,) = transcribe([(samples, RATE)], Levels(), denoise=True)
    (noisy,) = transcribe([(samples, RATE)], Levels())
    assert whole.segments and texts([whole]) != texts([noisy])
    assert whole.segments[0].start == pytest.approx(noisy.segments[0].start, abs=0.3)
    for blocks in (1, 40):
        stream, found = Transcribing(Levels(), denoise=True), []
        for block in np.array_split(samples, blocks):
            found += stream.push(block)
        assert found + stream.finish() == list(whole.segments)
    (short,) = transcribe([(samples[: RATE // 4], RATE)], Levels(), denoise=True)
    assert "not denoised: shorter than 0.5 s" in short.notes


def test_results_come_in_order_and_do_not_depend_on_each_other(speech):
    sounds = [(speech[i * RATE : (i + 4) * RATE], RATE) for i in range(6)]
    together = texts(transcribe(sounds, Levels()))
    assert together == [texts(transcribe([sound], Levels()))[0] for sound in sounds]


def test_a_part_has_the_times_of_the_whole(speech):
    (whole,) = transcribe([(speech, RATE)], Levels())
    (part,) = transcribe([(speech, RATE)], Levels(), start=6.0, end=12.0)
    assert part.segments[0].start >= 6.0 and part.segments[-1].end <= 12.05
    assert part.duration == pytest.approx(6.0)
    assert whole.segments[0].start < 6.0


@pytest.mark.parametrize("seconds", [0.02, 0.05, 5.0])
def test_where_nobody_speaks_there_is_no_text_and_a_note(seconds):
    silence = (np.zeros(int(seconds * RATE), np.float32), RATE)
    (found,) = transcribe([silence], Levels())
    assert (found.text, found.words, found.language) == ("", [], "")
    assert "nobody speaks in it" in found.notes


def test_telephone_is_heard(speech):
    telephone = speech[::2]
    (found,) = transcribe([(telephone, 8000)], Levels())
    assert found.segments


def test_what_cannot_be_read_fails_alone(speech, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF1234WAVE")
    missing, broken, good = transcribe([tmp_path / "no.wav", tmp_path / "broken.wav", (speech, RATE)], Levels())
    assert isinstance(missing, Failure) and isinstance(missing.error, AudioError) and "no.wav" in missing.reason
    assert isinstance(broken, Failure)
    assert good.segments


def test_progress_is_told_and_a_job_can_be_cancelled(speech):
    told = []
    list(sonovec.transcribe([(speech, RATE)] * 3, Levels(), progress=told.append))
    assert (told[-1].done, told[-1].total, told[-1].stage) == (3, 3, "transcribing")
    assert told[-1].audio_seconds == pytest.approx(3 * len(speech) / RATE)
    job = sonovec.Job(lambda progress: progress.done and job.cancel())
    with pytest.raises(Cancelled):
        list(transcribe([(speech, RATE)] * 3, Levels(), progress=job))


def test_a_model_that_is_none_and_a_range_that_is_none_are_refused():
    with pytest.raises(UsageError, match=r"basic\.en"):
        transcribe(["talk.wav"], "basic.en")
    with pytest.raises(UsageError, match="start=2"):
        transcribe(["talk.wav"], Levels(), start=2, end=1)
