"""A vocabulary spells, encodes and decodes; what it writes is a tokenizer of transformers that decodes the same."""

from __future__ import annotations

import json
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.speech.training import vocabulary as vocabularies

WORDS = st.lists(st.text("abcß'é", min_size=1, max_size=5), min_size=1, max_size=4).map(" ".join)
MADE = vocabularies.made(["abc ß é it's"])


@given(WORDS)
def test_what_is_encoded_is_decoded_with_a_blank_between_repeats(text):
    spelled = MADE.spelled(text)
    numbers = MADE.encoded(spelled)
    blank = MADE.numbers[MADE.blank]
    apart = [each for number in numbers for each in (number, number, blank)]
    assert MADE.decoded(apart) == spelled
    # As few frames as there are, and not one less.
    least = [each for _, alike in groupby(numbers) for each in [one for same in alike for one in (same, blank)][:-1]]
    assert len(least) == vocabularies.least_frames(numbers) and MADE.decoded(least) == spelled


@pytest.mark.parametrize(
    ("known", "text", "spelled"),
    [
        ("abcdefg", "Bad—face!  “cab”", "bad face cab"),
        ("ABCDE", "bad Cab.", "BAD CAB"),
        ("aB.", "AB. ab?", "aB. aB"),
        ("its'", "It’s", "it's"),
        ("its", "It’s", "its"),
        ("abcé", "Cafe\u0301", "café"),
    ],
)
def test_transcripts_are_spelled_as_the_vocabulary_has_it(known, text, spelled):
    tokens = [*vocabularies.SPECIAL, *known]
    found = vocabularies.Vocabulary({token: number for number, token in enumerate(tokens)})
    assert found.spelled(text) == spelled


def test_letters_that_it_lacks_are_counted():
    assert MADE.unknown(MADE.spelled("abc xyx")) == {"x": 2, "y": 1}
    assert vocabularies.told_unknown(MADE.unknown("xyx"), 1).startswith(
        "1 transcript with characters that the vocabulary lacks, left out ('x' 2, 'y' 1)"
    )


def test_transcripts_without_a_letter_make_none():
    with pytest.raises(UsageError, match="no letters and no figures"):
        vocabularies.made(["...", "'"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 0, "|": 1}', "has no blank"),
        ('{"<pad>": 0, "a": 1}', r"has no '\|' between words"),
        ('{"<pad>": 0, "|": 0}', "does not give each number from 0 to 1 to one token"),
        ('{"<pad>": "0"}', "is no vocabulary"),
        ("[]", "is no vocabulary"),
        ("{", "cannot be read as a vocabulary"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path, content, message):
    (tmp_path / "vocab.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        vocabularies.read(tmp_path / "vocab.json")


def test_transformers_reads_it_and_decodes_the_same(tmp_path):
    transformers = pytest.importorskip("transformers")
    vocabularies.save(MADE, tmp_path)
    assert vocabularies.read(tmp_path) == MADE
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert len(tokenizer) == len(MADE)
    for text in ("it's abc", "cc bb"):
        numbers = [each for one in MADE.encoded(text) for each in (one, one, 0)]
        assert tokenizer.decode(numbers) == MADE.decoded(numbers) == text
        assert tokenizer(text).input_ids == MADE.encoded(text)


def test_other_names_of_the_blank_are_known(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "|": 1, "[UNK]": 2, "[PAD]": 3}))
    found = vocabularies.read(tmp_path)
    assert found.blank == "[PAD]" and found.decoded([0, 3, 0, 1, 0]) == "aa a"
