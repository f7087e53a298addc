"""CTC heads against ``transformers`` itself, from files on disk in the layout that it writes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import sonovec
from sonovec.errors import UsageError, WeightsError
from sonovec.models import ctc
from sonovec.runtime import open_network
from tests.models import tiny

pytestmark = pytest.mark.filterwarnings("ignore")
LENGTHS = (0.3, 1.07, 4.0)


def reference(folder, samples, rate=16000, language=None):
    """Scores of `transformers` for one sound alone, and the tokenizer."""
    import torch
    import transformers

    model = transformers.AutoModelForCTC.from_pretrained(folder).eval()
    tokenizer = transformers.Wav2Vec2CTCTokenizer.from_pretrained(folder)
    if language is not None:
        model.load_adapter(language)
        tokenizer.set_target_lang(language)
    inputs = transformers.AutoFeatureExtractor.from_pretrained(folder)(samples, sampling_rate=rate, return_tensors="pt")
    if getattr(model.config, "feat_extract_norm", "layer") == "group":
        inputs.pop("attention_mask", None)
    with torch.no_grad():
        return model(**inputs).logits[0].numpy(), tokenizer


def scores(model, samples):
    return open_network(model.graph, precision="f32").run([model.features(samples)])[0]


def check(recogniser, folder, samples, language=None):
    """Scores, text and times are those of the reference."""
    expected, tokenizer = reference(folder, samples, language=language)
    voice = recogniser.voice(language)
    found = scores(voice.model, samples)
    n = len(found)
    assert n in (len(expected), len(expected) - 1)  # w2v-BERT: the last may be half padding, which the reference masks
    np.testing.assert_allclose(found, expected[:n], atol=2e-4)
    said = tokenizer.decode(found.argmax(axis=1), output_word_offsets=True)
    words = [word for segment in recogniser.hear([samples], language)[0] for word in segment.words]
    assert [word.text for word in words] == said.text.split()
    for word, offset in zip(words, said.word_offsets, strict=True):
        # A word that ends with the sound ends no later than it.
        assert word.start == pytest.approx(offset["start_offset"] * 0.02)
        assert word.end == pytest.approx(min(offset["end_offset"] * 0.02, len(samples) / 16000))
        assert 0 < word.confidence <= 1
    return words


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*tiny.CTC, "w2v-bert"])
def test_scores_text_and_times_equal_the_reference(kind, tmp_path):
    folder = tiny.ctc(kind, tmp_path)
    recogniser = sonovec.speech.load(folder, precision="f32")
    heard = [check(recogniser, folder, tiny.sound(seconds, 16000)) for seconds in LENGTHS]
    assert any(heard), "where all is blank, nothing was compared"


@pytest.mark.slow
def test_each_language_has_its_adapter_and_its_alphabet(tmp_path):
    folder = tiny.mms(tmp_path)
    recogniser = sonovec.speech.load(folder, precision="f32")
    assert recogniser.languages == ("eng", "fra") and recogniser.language == "eng"
    samples = tiny.sound(2.3, 16000)
    for language in ("eng", "fra"):
        assert check(recogniser, folder, samples, language)
    (segment,) = recogniser.hear([samples], "fra")[0]
    assert segment.language == "fra" and set("éç") & set(segment.text)
    french = sonovec.speech.load(folder, language="fra", precision="f32")
    assert french.hear([samples]) == recogniser.hear([samples], "fra") and french.version != recogniser.version
    with pytest.raises(UsageError, match="language='deu': .* has eng, fra"):
        recogniser.hear([samples], "deu")
    (folder / "adapter.fra.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="adapter.fra.safetensors: is not an adapter"):
        sonovec.speech.load(folder, language="fra")
    (folder / "adapter.fra.safetensors").unlink()
    with pytest.raises(WeightsError, match="adapter.fra.safetensors: no such file, and language 'fra' needs it"):
        sonovec.speech.load(folder, language="fra")


@pytest.mark.slow
def test_nothing_but_the_conversion_needs_torch(tmp_path):
    folder = tiny.ctc("wav2vec2-group", tmp_path)
    (segment,) = sonovec.speech.load(folder).hear([tiny.sound(1.0, 16000)])[0]
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None; import sonovec, numpy as np; "
        "print(sonovec.speech.load(sys.argv[1]).hear([np.load(sys.argv[2])])[0][0].text)"
    )
    np.save(tmp_path / "sound.npy", tiny.sound(1.0, 16000))
    run = subprocess.run(
        [sys.executable, "-c", code, folder, tmp_path / "sound.npy"], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == segment.text


def test_an_encoder_without_a_head_is_refused_with_what_to_use(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "hubert", "architectures": ["HubertModel"]}))
    with pytest.raises(UsageError, match="HubertModel, an encoder without a CTC head, .*finetune --task ctc"):
        ctc.ctc_of(str(tmp_path))


@pytest.mark.slow
def test_weights_without_a_head_are_refused_whatever_the_configuration_says(tmp_path):
    folder = tiny.waveform("hubert", tmp_path)
    tiny._change(folder / "config.json", architectures=None, vocab_size=13)
    with pytest.raises(WeightsError, match=r"not weights of this hubert \(lacks lm_head"):
        scores(ctc.build(ctc.ctc_of(str(folder))), tiny.sound(0.5, 16000))


def test_what_writes_nothing_is_none(tmp_path):
    assert ctc.ctc_of(str(tmp_path)) is None
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "audio-spectrogram-transformer"}))
    assert ctc.ctc_of(str(tmp_path)) is None
