"""Alphabets of CTC models as checkpoints keep them, and texts that are spelled with them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError, WeightsError
from sonovec.speech import vocabulary as vocabularies
from sonovec.speech.vocabulary import Vocabulary

LETTERS = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6, "'": 7}


def folder_of(tmp_path, tokens=LETTERS, **settings):
    (tmp_path / "vocab.json").write_text(json.dumps(tokens))
    if settings:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path


def test_a_checkpoint_that_says_nothing_has_the_tokens_of_the_reference(tmp_path):
    read = vocabularies.read(folder_of(tmp_path), 8)
    assert (read.blank, read.delimiter, read.mute, read.unknown, read.lowered) == (0, 4, {1, 2}, 3, False)
    assert set(read.alphabet) == {"A", "B", "'"}


def test_settings_name_the_special_tokens(tmp_path):
    tokens = {"[PAD]": 3, "[UNK]": 2, " ": 1, "A": 0}
    folder = folder_of(
        tmp_path,
        tokens,
        pad_token={"content": "[PAD]", "lstrip": False},
        unk_token="[UNK]",
        word_delimiter_token=" ",
        do_lower_case=True,
    )
    read = vocabularies.read(folder, 4)
    assert (read.blank, read.delimiter, read.unknown, read.lowered) == (3, 1, 2, True)
    assert read.text([0, 1, 0, 0]) == "a aa"


def test_older_checkpoints_name_them_in_a_file_of_their_own_and_add_tokens_in_another(tmp_path):
    folder = folder_of(tmp_path, {"[PAD]": 0, "|": 1, "A": 2}, do_lower_case=False)
    (folder / "special_tokens_map.json").write_text(json.dumps({"pad_token": "[PAD]"}))
    (folder / "added_tokens.json").write_text(json.dumps({"<s>": 3, "</s>": 4}))
    assert vocabularies.read(folder, 5).mute == {3, 4}
    assert vocabularies.read(folder, 3).mute == set()  # the head does not write what was added behind its end


@pytest.mark.parametrize("outputs", [7, 9])
def test_a_vocabulary_of_another_checkpoint_is_refused(tmp_path, outputs):
    with pytest.raises(WeightsError, match=f"vocab.json: names 8 tokens, and the network has {outputs} outputs"):
        vocabularies.read(folder_of(tmp_path), outputs)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(WeightsError, match="has no vocab.json"):
        vocabularies.read(tmp_path, 8)
    with pytest.raises(WeightsError, match=r"has no '\[PAD\]', which tokenizer_config.json names as the blank"):
        vocabularies.read(folder_of(tmp_path, pad_token="[PAD]"), 8)
    with pytest.raises(UsageError, match="writes phonemes"):
        vocabularies.read(folder_of(tmp_path, tokenizer_class="Wav2Vec2PhonemeCTCTokenizer"), 8)
    (tmp_path / "vocab.json").write_text("[]")
    with pytest.raises(WeightsError, match="vocab.json: holds a list"):
        vocabularies.languages(tmp_path)


def test_a_vocabulary_for_each_language(tmp_path):
    folder = folder_of(tmp_path, {"eng": LETTERS, "ell": {"<pad>": 0, "|": 1, "Σ": 2, "Α": 3}}, target_lang="eng")
    assert vocabularies.languages(folder) == ("eng", "ell") and vocabularies.preset(folder) == "eng"
    assert vocabularies.read(folder, 4, "ell").spell("σας")[0] == [2, 3, 2]
    with pytest.raises(WeightsError, match="names 0 tokens for language 'deu'"):
        vocabularies.read(folder, 4, "deu")


UPPER = Vocabulary(("-", "|", *"ABCESS", "CH", "'"), blank=0, delimiter=1)


@pytest.mark.parametrize(
    ("word", "spelled", "left_out"),
    [
        ("abc", "ABC", []),
        ("Cab!", "CAB", ["!"]),
        ("ache", "A CH E", []),  # the longest token first
        ("éa", "EA", []),
        ("a\u0301b", "AB", []),  # an accent of its own
        ("ß", "SS", []),
        ("b’s", "B'S", []),
        ("４a", "A", ["４"]),
        ("x1", "", ["x", "1"]),
        ("ﬀ", "", ["ﬀ"]),
    ],
)
def test_words_are_spelled_with_the_letters_there_are(word, spelled, left_out):
    numbers, missing = UPPER.spell(word)
    assert " ".join(UPPER.tokens[number] for number in numbers).replace(" ", "") == spelled.replace(" ", "")
    assert len(numbers) == (len(spelled.split()) if " " in spelled else len(spelled)) and missing == left_out


@settings(max_examples=40)
@given(st.text(max_size=12))
def test_spelling_takes_any_text_and_never_writes_what_is_no_letter(text):
    numbers, left_out = UPPER.spell(text)
    assert all(UPPER.tokens[number] in UPPER.alphabet for number in numbers)
    assert bool(numbers) or bool(left_out) or not text


def test_what_is_mute_counts_as_blank():
    vocabulary = Vocabulary(("-", "<s>", "a"), blank=0, delimiter=None, mute=frozenset({1}))
    heard = np.exp(vocabulary.log_posteriors(np.log(np.array([[2.0, 1.0, 1.0]], np.float32))))
    np.testing.assert_allclose(heard, [[0.75, 0.0, 0.25]], atol=1e-6)
