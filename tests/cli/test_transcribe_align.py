"""``sonovec transcribe`` with a CTC model: alignment of known texts, language models and hot words."""

from __future__ import annotations

import json

import pytest
import soundfile

from tests.models import tiny

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.ctc("wav2vec2-group", tmp_path_factory.mktemp("tiny-ctc"))


@pytest.fixture
def sound(tmp_path):
    soundfile.write(tmp_path / "sound.wav", tiny.sound(2.0, 16000), 16000)
    return tmp_path / "sound.wav"


def test_a_known_text_is_aligned_and_written(sonovec, model, sound, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("A bad cab.\nFée, de.\n")
    arguments = ("transcribe", sound, "-m", model, "--align", text)
    code, out, complaints = sonovec(*arguments, "--json", "-o", tmp_path / "words.srt")
    (told,) = json.loads(out)["sounds"]
    assert code == 0 and not complaints
    assert [segment["text"] for segment in told["segments"]] == ["A bad cab.", "Fée, de."]
    assert [word["text"] for word in told["segments"][0]["words"]] == ["A", "bad", "cab."]
    assert "A bad cab." in (tmp_path / "words.srt").read_text()
    code, out, _ = sonovec(*arguments, "--start", "0.5", "--end", "1.5")
    assert code == 0 and "A bad cab." in out and "Fée, de." in out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the text has no word that could be aligned"),
        ("bad 42", "the model has no letter of '42'"),
        ("bad cab " * 50, "the sound has 99; give the text of this sound alone"),
    ],
)
def test_a_text_that_cannot_be_aligned_is_refused(sonovec, model, sound, text, says):
    code, out, complaints = sonovec("transcribe", sound, "-m", model, "--align", text)
    assert code == 2 and not out and says in complaints


def test_a_language_model_and_hot_words_take_their_weights(sonovec, model, sound, tmp_path):
    words = tmp_path / "words.arpa"
    words.write_text("\\data\\\nngram 1=2\n\\1-grams:\n-0.3 a\n-3 <unk>\n\\end\\\n")
    hot = ("--hot-word", "bad", "--hot-weight", 0)
    code, out, _ = sonovec("transcribe", sound, "-m", model, "--lm", words, "--alpha", 0, "--beta", 0, *hot, "--json")
    searched = json.loads(out)["version"]
    assert code == 0 and searched != json.loads(sonovec("transcribe", sound, "-m", model, "--json")[1])["version"]
    code, _, complaints = sonovec("transcribe", sound, "-m", model, "--beta", 0)
    assert code == 2 and "--beta 0 works only with --lm; add --lm FILE" in complaints
    words.write_text("\\data\\\nngram 1=2\n\\1-grams:\n-0.3 a\n")
    code, _, complaints = sonovec("transcribe", sound, "-m", model, "--lm", words)
    assert code != 0 and "words.arpa, line 4: has its end where an n-gram of 1 word should be" in complaints
