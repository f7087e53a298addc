"""Tracks by the first digits of their ids: in every store, and where several begin alike."""

from __future__ import annotations

import dataclasses

import pytest

from sonovec.errors import UsageError
from sonovec.library.naming import by_digits, track_of
from sonovec.library.open import open_store
from sonovec.library.roots import Roots
from tests.library.test_store import CONFIG, item

IDS = ["abcd" + "0" * 28, "abce" + "1" * 28, "abcef" + "2" * 27, "12345678" + "f" * 24]


@pytest.fixture
def store(local_location):
    with open_store(local_location) as store:
        store.create(CONFIG)
        items = [item(number, 1) for number in range(len(IDS))]
        store.put_many(
            (dataclasses.replace(track, id=id), segments) for id, (track, segments) in zip(IDS, items, strict=True)
        )
        yield store


def test_digits_that_one_id_begins_with(store):
    assert by_digits(store, "abcd") == by_digits(store, "ABCD00") == IDS[0]
    assert by_digits(store, "12345678f") == IDS[3]
    assert by_digits(store, "abc") is None, "too few to look for"
    assert by_digits(store, "ffff") is None
    assert by_digits(store, "rain.wav") is None
    path = str(store.get([IDS[1]])[IDS[1]].path)
    with pytest.raises(UsageError, match=rf"'abce' begins the ids of several tracks: {IDS[1]} \({path}\), {IDS[2]}"):
        by_digits(store, "abce")


def test_a_track_by_path_id_and_digits(store, tmp_path):
    def named(text):
        return track_of(store, Roots({}), None, tmp_path / text, text)

    assert named(IDS[2]) == named("abcef") == IDS[2]
    path = store.get([IDS[2]])[IDS[2]].path
    assert track_of(store, Roots({}), None, tmp_path.__class__(path), path) == IDS[2]
    with pytest.raises(UsageError, match="'nowhere.wav': no track has this path or id; .* --columns id,path"):
        named("nowhere.wav")
