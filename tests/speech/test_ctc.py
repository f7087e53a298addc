"""The recogniser of CTC models: in any company, at any rate, with a search, and what it refuses."""

from __future__ import annotations

import shutil
from itertools import pairwise

import numpy as np
import pytest

import sonovec
from sonovec.errors import UsageError, WeightsError
from sonovec.speech.ctc import CONTEXT, LONGEST
from tests.models import tiny

pytestmark = pytest.mark.filterwarnings("ignore")
LENGTHS = (0.5, 2.0, 0.01, 4.3, 0.026, 0.5, 7.0)


def test_a_recogniser_hears_stretches_of_any_length_and_none_twice(ctc_folder):
    recogniser = sonovec.speech.load(ctc_folder)
    stretches = [tiny.sound(seconds, 16000, seed) for seed, seconds in enumerate(LENGTHS)]
    together = recogniser.hear(stretches)
    assert together == [recogniser.hear([stretch])[0] for stretch in stretches]
    assert together[2] == [] and together[3] != []  # shorter than a frame; longer
    assert recogniser.hear([]) == []
    for segments, seconds in zip(together, LENGTHS, strict=True):
        words = [word for segment in segments for word in segment.words]
        assert all(word.start <= word.end <= seconds and 0 <= word.confidence <= 1 for word in words)
        assert all(one.end <= other.start for one, other in pairwise(words))
        assert [word.text for word in words] == " ".join(segment.text for segment in segments).split()
    assert recogniser.name == ctc_folder.name and recogniser.languages == () and recogniser.longest == LONGEST
    with pytest.raises(UsageError, match="language='de': tiny-ctc0 writes the one that it was trained on"):
        recogniser.hear([], "de")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wav2vec2-layer", "w2v-bert"])
def test_words_do_not_depend_on_their_company(kind, tmp_path):
    recogniser = sonovec.speech.load(tiny.ctc(kind, tmp_path))
    stretches = [tiny.sound(seconds, 16000, seed) for seed, seconds in enumerate(LENGTHS)]
    together = recogniser.hear(stretches)
    assert together == [recogniser.hear([stretch])[0] for stretch in stretches]
    assert together == recogniser.hear(stretches[::-1])[::-1]


@pytest.mark.slow
def test_a_model_of_another_rate_hears_the_same_seconds(tmp_path):
    recogniser = sonovec.speech.load(tiny.ctc("hubert", tmp_path, rate=8000))
    (segments,) = recogniser.hear([tiny.sound(2.0, 16000)])
    assert recogniser.voice().frame_rate == 25
    assert 1.5 < segments[-1].end <= 2.0


def test_a_search_writes_a_text_whose_words_have_times(ctc_folder, tmp_path):
    arpa = tmp_path / "words.arpa"
    arpa.write_text("\\data\\\nngram 1=3\n\\1-grams:\n-0.3 a\n-0.5 bad\n-3 <unk>\n\\end\\\n")
    stretch = tiny.sound(1.0, 16000)
    plain = sonovec.speech.load(ctc_folder)
    searched = sonovec.speech.load(ctc_folder, beam=20, language_model=arpa, alpha=2.0)
    words = [word for segment in searched.hear([stretch])[0] for word in segment.words]
    assert [word.text for word in words] != [
        word.text for segment in plain.hear([stretch])[0] for word in segment.words
    ]
    assert all(one.end <= other.start for one, other in pairwise(words))
    versions = {plain.version, searched.version, sonovec.speech.load(ctc_folder, hot_words=["bad"]).version}
    arpa.write_text(arpa.read_text().replace("-0.5", "-0.4"))
    versions.add(sonovec.speech.load(ctc_folder, beam=20, language_model=arpa, alpha=2.0).version)
    assert len(versions) == 4
    moved = arpa.rename(tmp_path / "moved.arpa")
    assert sonovec.speech.load(ctc_folder, beam=20, language_model=moved, alpha=2.0).version in versions
    one, other = (sonovec.speech.load(ctc_folder, hot_words=words) for words in (["bad", "cab"], ["cab", "bad"]))
    assert one.version == other.version not in versions
    assert plain.version == sonovec.speech.load(ctc_folder).version


def test_a_long_sound_is_heard_in_windows_without_gaps(ctc_folder):
    voice = sonovec.speech.load(ctc_folder).voice()
    sound = tiny.sound(75.0, 16000)
    whole, duration = voice.listen([sound])
    blocks, _ = voice.listen(np.array_split(sound, 40))
    assert duration == 75.0 and len(whole) == len(voice.log_posteriors(sound[:160_000])) + 65 * 50
    np.testing.assert_array_equal(whole, blocks)
    first = voice.log_posteriors(sound[: round(LONGEST * 16000)])
    kept = round((LONGEST - CONTEXT) * 50)
    np.testing.assert_array_equal(whole[:kept], first[:kept])


def test_a_vocabulary_of_another_checkpoint_is_refused(ctc_folder, tmp_path):
    copy = shutil.copytree(ctc_folder, tmp_path / "copy")
    tiny._change(copy / "vocab.json", h=13)
    with pytest.raises(WeightsError, match="vocab.json: names 14 tokens, and the network has 13 outputs"):
        sonovec.speech.load(copy)
    (copy / "vocab.json").unlink()
    with pytest.raises(WeightsError, match="has no vocab.json"):
        sonovec.speech.load(copy)


def test_silence_is_heard_without_numbers_that_are_none(ctc_folder):
    (log_posteriors, _) = sonovec.speech.load(ctc_folder).voice().listen([np.zeros(16000, np.float32)])
    assert np.isfinite(log_posteriors[:, 0]).all()
