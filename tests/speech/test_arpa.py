"""Language models in ARPA format: scores that were computed by hand, and files that are damaged."""

from __future__ import annotations

import gzip
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import WeightsError
from sonovec.speech import arpa

TRIGRAMS = """
a comment before the data
\\data\\
ngram 1=5
ngram 2=4
ngram 3=2

\\1-grams:
-99\t<s>\t-0.1
-1.0\t</s>
-0.5\tone\t-0.2
-0.75 two -0.3
-2.0\t<unk>

\\2-grams:
-0.25\t<s> one\t-0.4
-0.3\tone two\t-0.05
-0.35\ttwo one
-0.6\ttwo </s>

\\3-grams:
-0.125\t<s> one two
-0.2\tone two one

\\end\\
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "numbers.arpa"
    path.write_text(TRIGRAMS)
    return path


def sentence(model, *words):
    state, total = model.begin(), 0.0
    for word in words:
        score, state = model.score(state, word)
        total += score
    return total + model.end(state)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["one", "two", "one"],
            -0.25 - 0.125 - 0.2 + (0.0 - 0.2 - 1.0),
        ),  # the end: "two one" has no back-off, "one" has
        (["one", "two"], -0.25 - 0.125 + (-0.05 - 0.6)),  # "one two </s>" backs off to "two </s>"
        (["two"], (-0.1 - 0.75) - 0.6),
        (["one", "one"], -0.25 + (-0.4 - 0.2 - 0.5) + (-0.2 - 1.0)),
        (["three", "one"], (-0.1 - 2.0) + -0.5 + (-0.2 - 1.0)),  # <unk> has no back-off of its own
        (["ONE", "Two"], -0.25 - 0.125 + (-0.05 - 0.6)),  # in the letters of the model
        ([], -0.1 - 1.0),
    ],
)
def test_sentences_have_the_scores_that_were_computed_by_hand(file, words, expected):
    assert sentence(arpa.read(file), *words) == pytest.approx(expected)


def test_a_word_that_a_model_without_unk_does_not_have_is_improbable(tmp_path):
    file = tmp_path / "one.arpa"
    file.write_text("\\data\\\nngram 1=1\n\\1-grams:\n-0.5 one -0.25\n\\end\\\n")
    model = arpa.read(file)
    assert model.begin() == () and model.end(()) == 0.0
    assert model.score((), "two") == (arpa.UNSEEN, ())


def test_a_packed_file_is_the_same_model(file, tmp_path):
    packed = tmp_path / "numbers.arpa.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert arpa.read(packed).grams == arpa.read(file).grams
    assert arpa.read(packed).digest != arpa.read(file).digest


probabilities = st.lists(st.floats(0.05, 1), min_size=3, max_size=3).map(lambda each: [p / sum(each) for p in each])


@given(probabilities, st.lists(st.tuples(st.floats(0.1, 0.9), st.integers(1, 2)), min_size=3, max_size=3))
def test_probabilities_behind_any_words_sum_to_one(unigrams, heads):
    """A bigram model whose back-off weights were made to sum to one does so in what it is asked for."""
    words = ["a", "b", "</s>"]
    grams = {(word,): (math.log10(p), 0.0) for word, p in zip(words, unigrams, strict=True)}
    for history, (mass, count) in zip(["<s>", "a", "b"], heads, strict=True):
        for word in words[:count]:
            grams[(history, word)] = (math.log10(mass / count), 0.0)
        rest = (1 - mass) / (1 - sum(unigrams[:count]))
        grams[(history,)] = (grams[(history,)][0] if (history,) in grams else -99.0, math.log10(rest))
    model = arpa.LanguageModel(2, grams)
    for state in (model.begin(), ("a",), ("b",)):
        scores = [model.score(state, "a")[0], model.score(state, "b")[0], model.end(state)]
        assert sum(10**score for score in scores) == pytest.approx(1)


def changed(old, new):
    return TRIGRAMS.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 0, r"has no \\data\\"),
        ("one two three", 1, r"has no \\data\\"),
        (changed("ngram 1=5", ""), 5, r"has 'ngram 2=4' where ngram 1= should be"),
        (changed("ngram 2=4", "ngram two=4"), 5, r"has 'ngram two=4' where \\1-grams: should be"),
        (changed("-0.75 two -0.3\n", ""), 14, r"has '\\\\2-grams:' where an n-gram of 1 word should be"),
        (changed("-2.0\t<unk>", "-2.0\t<unk>\n-2.0\tthree"), 14, r"has '-2.0\\tthree' where \\2-grams: should be"),
        (changed("-0.3\tone two\t", "-0.3\tone\t"), 17, r"and '-0.05' is no 1-gram"),
        (changed("-0.6\ttwo </s>", "-0.6\ttwo"), 19, r"where an n-gram of 2 words should be"),
        (changed("-0.5\tone", "half\tone"), 11, r"'half\\tone\\t-0.2', whose numbers are no log10 of a probability"),
        (changed("-0.5\tone", "0.5\tone"), 11, r"no log10 of a probability"),
        (changed("-0.5\tone", "nan\tone"), 11, r"no log10 of a probability"),
        (changed("-0.35\ttwo one", "-0.35\tone two"), 18, r"has '-0.35\\tone two' a second time"),
        (TRIGRAMS[: TRIGRAMS.index("-0.2\tone two one")], 22, r"has its end where an n-gram of 3 words should be"),
        (changed("\\end\\", ""), 25, r"has its end where \\end\\ should be"),
    ],
)
def test_a_damaged_file_is_refused_with_the_line(tmp_path, text, line, says):
    file = tmp_path / "damaged.arpa"
    file.write_text(text)
    with pytest.raises(WeightsError, match=rf"damaged.arpa, line {line}: .*{says}") as caught:
        arpa.read(file)
    assert "\n" not in str(caught.value)


def test_what_is_no_text_or_cut_short_is_refused(tmp_path, file):
    packed = tmp_path / "cut.arpa.gz"
    packed.write_bytes(gzip.compress(file.read_bytes())[:-30])
    binary = tmp_path / "binary.arpa"
    binary.write_bytes(b"\\data\\\nngram 1=1\n\\1-grams:\n-1 \xff\xfe\n\\end\\\n")
    for path in (packed, binary):
        with pytest.raises(WeightsError, match="line .*: cannot be read"):
            arpa.read(path)
    with pytest.raises(WeightsError, match="none.arpa: no such file"):
        arpa.read(tmp_path / "none.arpa")
