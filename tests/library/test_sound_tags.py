"""Words find tags in whatever form people write them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from sonovec.library.sound_tags import named, stem, words_of
from sonovec.models.audioset import names

#: Of these nobody makes a plural, or a verb.
NO_PLURALS = {"dtmf", "new", "ska"}
NO_VERBS = {"afrobeat", "ambulance", "dtmf", "motorboat", "performance", "progressive"}


def plural(word: str) -> str:
    if re.search(r"(s|x|z|ch|sh)$", word):
        return f"{word}es"
    return f"{word[:-1]}ies" if re.search(r"[^aeiou]y$", word) else f"{word}s"


def participle(word: str) -> str:
    if word.endswith("e") and not word.endswith("ee"):
        return f"{word[:-1]}ing"
    doubled = len(word) <= 5 and re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", word)
    return f"{word}{word[-1]}ing" if doubled else f"{word}ing"


@pytest.mark.parametrize(("form", "without"), [(plural, NO_PLURALS), (participle, NO_VERBS)])
def test_each_word_of_a_class_is_found_in_another_form(form, without):
    words = {word for name in names() for word in re.findall(r"[a-z]{3,}", name.lower()) if words_of(word)}
    bases = {word for word in words if not re.search(r"([^s]s|ed|ing)$", word)} - without
    assert len(bases) > 450
    assert [(word, form(word)) for word in sorted(bases) if not named(form(word), [word])] == []


@pytest.mark.parametrize(
    ("written", "tag"),
    [("engines", "Engine"), ("horses", "Horse"), ("sneezing", "Sneeze"), ("crackling", "Crackle"), ("running", "Run"),
     ("cars", "Car"), ("babies", "Baby cry, infant cry"), ("purring", "Purr"), ("buses", "Bus"), ("barks", "Bark")],
)  # fmt: skip
def test_words_as_people_write_them(written, tag):
    assert named(f"the {written} outside", [tag, "Silence"]) == {stem(written): [tag]}


def test_words_of_different_meaning_stay_apart():
    pairs = [("bus", "buzz"), ("car", "card"), ("bell", "belly"), ("ring", "rim"), ("rain", "train"), ("wing", "wind")]
    assert all(stem(one) != stem(other) for one, other in pairs)


def test_threads_stem_at_once():
    words = [f"{word}{ending}" for word in ("bark", "sneeze", "purr", "crackle") for ending in ("", "s")] * 50
    expected = [stem(word) for word in words]
    stem.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stem, words)) == expected
