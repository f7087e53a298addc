"""Whisper with real weights (tiny.en), and with weights drawn by chance and converted here."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys

import numpy as np
import pytest

from sonovec.audio.stream import load
from sonovec.errors import MissingExtraError, UsageError, WeightsError
from sonovec.models import hub
from sonovec.speech import whisper
from sonovec.speech.loading import load as load_recogniser
from sonovec.speech.recogniser import RATE
from sonovec.speech.transcribing import transcribe

MUSIC = (
    "waltz",
    "pistachio",
    "robin",
    "Hungarian",
    "Tchaikovsky",
    "Vibe_Ace",
    "Drum-bass",
    "humpback",
    "pibble",
    "trumpet",
)


def plain(text):
    return re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split()


@pytest.fixture(scope="module")
def recogniser(tiny_en):
    return load_recogniser(str(tiny_en))


@pytest.mark.slow
def test_the_words_of_read_sentences(recogniser, shared_data):
    jiwer = pytest.importorskip("jiwer")
    with (shared_data / "train" / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == "kathleen" and row["transcript"]][::200]
    said = [" ".join(plain(row["transcript"])) for row in rows]
    results = transcribe([shared_data / "train" / row["path"] for row in rows], recogniser)
    assert jiwer.wer(said, [" ".join(plain(result.text)) for result in results]) < 0.15


@pytest.mark.slow
def test_no_text_where_nobody_speaks(recogniser, shared_data):
    files = [path for path in sorted((shared_data / "music").glob("*.ogg")) if any(name in path.name for name in MUSIC)]
    assert len(files) == len(MUSIC)
    for path, result in zip(files, transcribe(files, recogniser), strict=True):
        assert result.text == "", path


@pytest.mark.slow
def test_the_same_words_and_times_in_any_company(recogniser, tiny_en, shared_data):
    speech = load(shared_data / "music" / "198-209-0000.ogg", RATE).samples
    stretches = [speech[: 5 * RATE], speech, speech[3 * RATE : 9 * RATE], speech[:16]]
    together = recogniser.hear(stretches)
    assert together == [recogniser.hear([stretch])[0] for stretch in stretches]
    assert load_recogniser(str(tiny_en), jobs=1).hear(stretches) == together
    assert recogniser.hear([]) == []
    words = [word for segment in together[1] for word in segment.words]
    assert all(0 <= word.start <= word.end <= 14 and 0 <= word.confidence <= 1 for word in words)
    assert " ".join(word.text for word in words) == together[1][0].text


@pytest.mark.slow
def test_noise_does_not_become_a_repeated_text(recogniser):
    noise = np.random.default_rng(1).standard_normal(20 * RATE).astype(np.float32) / 5
    ((*segments,),) = recogniser.hear([noise])
    assert len(" ".join(segment.text for segment in segments)) < 120


@pytest.mark.slow
def test_options_shape_the_version_and_wrong_ones_are_refused(recogniser, tiny_en):
    assert recogniser.languages == ("en",) and recogniser.longest == 30
    other = load_recogniser(str(tiny_en), hot_words=["Tilney"], jobs=1)
    assert other.version != recogniser.version
    assert load_recogniser(str(tiny_en), jobs=1).version == recogniser.version
    with pytest.raises(UsageError, match="language='de': model has en"):
        recogniser.hear([np.zeros(RATE, np.float32)], "de")
    with pytest.raises(UsageError, match="Whisper does not take it; leave language_model out"):
        load_recogniser(str(tiny_en), language_model="a.arpa")


@pytest.mark.slow
def test_a_folder_that_lacks_a_file_or_holds_a_damaged_one_is_told(tiny_en, tmp_path):
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(tiny_en / name, tmp_path)
    (tmp_path / "model.bin").write_bytes((tiny_en / "model.bin").read_bytes()[:1000])
    with pytest.raises(WeightsError, match="cannot be read as a Whisper model"):
        load_recogniser(str(tmp_path))
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"has no tokenizer\.json"):
        load_recogniser(str(tmp_path))


def test_a_size_that_is_not_here_says_what_to_fetch(monkeypatch):
    def refused(name):
        raise WeightsError(f"{name} could not be fetched from the hub (offline); put its files into a folder")

    monkeypatch.setattr("sonovec.speech.whisper_files.snapshot", refused)
    with pytest.raises(
        WeightsError, match=r"Whisper 'base.en' \(model.bin, about 145 MB, from https://huggingface.co/Sys"
    ):
        load_recogniser("base.en")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sonovec\[speech\]'"):
        whisper.import_ctranslate2()


def test_repositories_with_weights_for_ctranslate2_are_fetched_whole():
    there = ["README.md", "config.json", "model.bin", "tokenizer.json", "vocabulary.txt", "other.zip"]
    assert hub._wanted("Systran/faster-whisper-tiny", there) == there[:-1]


def save_drawn(folder, tokenizer_file, vocab_size, likely=()):
    """Save a Whisper in the format of Transformers, very small, with weights drawn by chance and likely tokens."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.WhisperTokenizerFast(tokenizer_file=str(tokenizer_file))
    tokenizer.save_pretrained(folder)
    if tokenizer_file.parent != folder:
        shutil.copy(tokenizer_file, folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.WhisperConfig(
            vocab_size=vocab_size, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        )  # fmt: skip
        network = transformers.WhisperForConditionalGeneration(config)
    if likely:
        decoder = network.model.decoder
        with torch.no_grad():
            decoder.layer_norm.weight.zero_()
            decoder.layer_norm.bias.copy_(torch.ones(32))
            for rank, token in enumerate(likely, start=1):
                decoder.embed_tokens.weight[tokenizer.convert_tokens_to_ids(token)] = 1.0 / rank
    network.generation_config.alignment_heads = [[0, 0]]
    network.save_pretrained(folder)
    transformers.WhisperFeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def drawn(tiny_en, tmp_path_factory):
    """Weights drawn by chance that know English alone."""
    return save_drawn(tmp_path_factory.mktemp("whisper-drawn"), tiny_en / "tokenizer.json", 51864)


@pytest.fixture(scope="module")
def drawn_german(tiny_en, tmp_path_factory):
    """Weights drawn by chance that know 99 languages, and take all sounds for German."""
    folder = tmp_path_factory.mktemp("whisper-multilingual")
    described = json.loads((tiny_en / "tokenizer.json").read_text("utf-8"))
    # The vocabulary of the models for many languages has one token more, an empty one, by which CTranslate2 knows them.
    vocabulary = described["model"]["vocab"]
    vocabulary[""] = vocabulary.pop("<|endoftext|>")
    vocabulary["<|endoftext|>"] = len(vocabulary)
    for token in described["added_tokens"]:
        token["id"] += 1
    for token in described["post_processor"]["special_tokens"].values():
        token["ids"] = [each + 1 for each in token["ids"]]
    (folder / "tokenizer.json").write_text(json.dumps(described), "utf-8")
    return save_drawn(folder, folder / "tokenizer.json", 51865, ["Hello", "<|de|>"])


@pytest.mark.slow
def test_a_model_of_many_languages_detects_the_language_unless_one_is_given(drawn_german):
    recogniser = load_recogniser(str(drawn_german))
    assert len(recogniser.languages) > 90 and {"de", "fr", "ja"} <= set(recogniser.languages)
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) / 10
    detected, french = recogniser.hear([noise]), recogniser.hear([noise], "fr")
    assert [{segment.language for segment in heard} for heard in (detected[0], french[0])] == [{"de"}, {"fr"}]
    fixed = load_recogniser(str(drawn_german), language="ja")
    assert {segment.language for segment in fixed.hear([noise])[0]} == {"ja"} and fixed.version != recogniser.version
    with pytest.raises(UsageError, match="language='xx'"):
        recogniser.hear([noise], "xx")


@pytest.mark.slow
def test_a_checkpoint_of_transformers_is_converted_once(drawn, monkeypatch):
    recogniser = load_recogniser(str(drawn))
    assert recogniser.name == drawn.name
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) / 10
    (own,) = recogniser.hear([noise])
    assert {segment.language for segment in own} <= set(recogniser.languages)
    monkeypatch.setitem(sys.modules, "torch", None)
    again = load_recogniser(str(drawn))
    assert again.version == recogniser.version
    assert again.hear([noise]) == [own]
