"""Passages and labels: put, got, searched and deleted alike on every store."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonovec.errors import LibraryError, UsageError
from sonovec.library.filters import Compare
from sonovec.library.open import open_store
from sonovec.library.records import Label, Passage
from sonovec.library.stretches import labels, passages
from sonovec.library.tables import LABELS, PASSAGES
from tests.library.test_store import CONFIG, item

A, B, C = (item(n)[0].id for n in (1, 2, 3))
SAID = [
    Passage(A, 0.0, 2.5, "Hello, the world!", "whisper tiny", 1.0, "en"),
    Passage(A, 2.5, 4.0, "The dog said: hello hello.", "whisper tiny", 1.0, "en"),
    Passage(B, 1.0, 3.0, "Guten Tag, schöne Welt", "ctc 1", 2.0, "de"),
    Passage(C, 0.0, 1.0, "", "ctc 1", 2.0),
]


@pytest.fixture(scope="module")
def shared(any_location):
    with open_store(any_location) as store:
        store.create(CONFIG)
        store.put_many([item(n, 1, year=1990 + n) for n in (1, 2, 3)])
        yield store


@pytest.fixture
def store(shared):
    yield shared
    for stretches in (passages(shared), labels(shared)):
        for id in (A, B, C):
            stretches.delete(id)


def test_passages_come_back_in_their_order(store):
    said = passages(store)
    assert said.put(reversed(SAID)) == 4
    assert said.get(A) == SAID[:2] and said.get(source="ctc 1") == SAID[2:]
    assert said.get(language="de") == [SAID[2]] and said.get("none") == [] and len(said.get()) == 4
    said.put(SAID)
    assert len(said.get()) == 4, "the same again is no other"
    said.delete(A, source="ctc 1")
    assert len(said.get(A)) == 2
    said.delete(A)
    assert said.get() == SAID[2:]


def test_words_are_found_and_the_best_comes_first(store):
    said = passages(store)
    said.put(SAID)
    found = said.find("HELLO dog")
    assert [passage for passage, _ in found] == [SAID[1], SAID[0]] and found[0][1] > found[1][1] > 0
    assert [passage for passage, _ in said.find("schöne")] == [SAID[2]]
    assert [passage for passage, _ in said.find("the")] and said.find("wor") == []
    assert [passage for passage, _ in said.find("hello", limit=1)] == [SAID[1]] and said.find("hello", limit=0) == []
    assert said.find("hello", source="ctc 1") == []
    assert [p for p, _ in said.find("hello welt", filter=Compare("year", "=", 1992))] == [SAID[2]]
    assert said.find("hello welt", filter=Compare("year", ">", 3000)) == []
    assert [p for p, _ in said.find("hello welt", filter="year = 1992")] == [SAID[2]]
    with pytest.raises(UsageError, match="yaer"):
        said.find("hello welt", filter="yaer = 1992")


@pytest.mark.parametrize("words", ["", " ", "!!!", "?! ... --", '("', "AND", "a OR (", "*", "text:x", "\x00", "☃"])
def test_any_words_are_a_question(store, words):
    passages(store).put(SAID)
    assert passages(store).find(words) == []


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_no_words_are_too_odd(store, words):
    passages(store).put(SAID[:2])
    assert isinstance(passages(store).find(words), list)


def test_labels_have_a_class_a_score_and_a_source(store):
    given = [
        Label(A, 0.0, 1.0, "Dog", "detector dogs 1", 5.0, 0.75),
        Label(A, 0.0, 1.0, "Dog", "Ann", 6.0),
        Label(B, 2.0, 2.0, "Rain", "Ann", 7.0),
    ]
    labels(store).put(given)
    assert sorted(labels(store).get(A), key=lambda label: label.time) == given[:2]
    assert labels(store).get(name="Rain") == [given[2]] and labels(store).get(source="Ann", name="Dog") == [given[1]]
    labels(store).put([Label(A, 0.0, 1.0, "Dog", "detector dogs 1", 9.0, 0.5)])
    assert [label.score for label in labels(store).get(A, source="detector dogs 1")] == [0.5]
    labels(store).delete(source="Ann")
    assert len(labels(store).get()) == 1


def test_what_cannot_be_is_refused_and_nothing_is_written(store):
    for label, says in (
        (Label("nobody", 0.0, 1.0, "Dog", "Ann", 1.0), "labels: no track 'nobody'"),
        (Label(A, 2.0, 1.0, "Dog", "Ann", 1.0), "start=2.0, end=1.0: give 0 <= start <= end"),
        (Label(A, -1.0, 1.0, "Dog", "Ann", 1.0), "give 0 <= start"),
        (Label(A, 0.0, math.inf, "Dog", "Ann", 1.0), "end=inf"),
        (Label(A, 0.0, 1.0, "Dog", "Ann", 1.0, math.nan), "score=nan"),
    ):
        with pytest.raises(UsageError, match=says):
            labels(store).put([Label(A, 0.0, 1.0, "Dog", "Ann", 1.0), label])
    assert labels(store).get() == []
    with pytest.raises(UsageError, match="say which to remove"):
        labels(store).delete()
    with pytest.raises(UsageError, match="have no field 'colour'"):
        labels(store).get(colour="red")


def test_a_text_that_a_store_cannot_keep_is_refused(store):
    long = Passage(A, 0.0, 1.0, "word " * 20_000, "ctc 1", 1.0)
    if store.location.kind == "lance":
        passages(store).put([long])
        assert passages(store).get(A) == [long]
    else:
        with pytest.raises(UsageError, match="text of 100000 bytes; this store keeps 65535"):
            passages(store).put([long])


def test_they_go_with_their_track(location):
    with open_store(location) as store:
        store.create(CONFIG)
        store.put_many([item(1, 1), item(2, 1)])
        passages(store).put(SAID[:3])
        labels(store).put([Label(A, 0.0, 1.0, "Dog", "Ann", 1.0)])
        store.delete([A])
        assert passages(store).get() == [SAID[2]] and labels(store).get() == []
        assert store.table(PASSAGES).count() == 1 and store.table(LABELS).count() == 0


def test_a_library_that_was_made_anew_is_not_written(tmp_path):
    with open_store(tmp_path / "library") as store:
        store.create(CONFIG)
        store.put(*item(1, 1))
        (tmp_path / "library" / "library.json").unlink()
        with pytest.raises(LibraryError, match="deleted or made anew"):
            labels(store).put([Label(A, 0.0, 1.0, "Dog", "Ann", 1.0)])
