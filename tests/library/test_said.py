"""Finding what was said, alike on every store; sounds among tracks that say it."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import UsageError
from sonovec.library.location import parse_location
from sonovec.library.records import Passage

#: What is said in three tracks.
SAID = {
    "a": ["Please open the door.", "It is cold in here.", "Who has opened all these doors?"],
    "b": ["The window is open.", "Shut the door, then open the window.", "Nothing to be done."],
    "c": ["To be or not to be: that is the question.", "Schöne Grüße aus Köln!"],
}


def noise(seed, seconds=2):
    return 0.1 * np.random.default_rng(seed).standard_normal(16000 * seconds)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("said")
    for seed, name in enumerate(SAID):
        soundfile.write(folder / f"{name}.wav", noise(seed), 16000)
    return folder


@pytest.fixture(scope="module")
def library(any_location, folder):
    with sonovec.Library(str(any_location), model="logmel") as library:
        library.add(folder)
        ids = {track.path[-5]: track.id for track in library.tracks()}
        library.passages.put(
            Passage(ids[name], float(n), n + 0.5, text, "Ann", 1.0, "en")
            for name, texts in SAID.items()
            for n, text in enumerate(texts)
        )
        yield library


def said(library, *arguments, **options):
    return [(hit.path[-5], round(hit.start)) for hit in library.said(*arguments, **options).hits]


def test_the_best_comes_first_with_its_seconds(library):
    hits = library.said("open the door").hits
    first = hits[0]
    assert (first.text, first.start, first.end, first.score) == ("Please open the door.", 0.0, 0.5, 1.0)
    assert first.title == "a" and first.fields["duration"] == 2.0 and first.language == "en" and first.source == "Ann"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    # Both words in other forms; then what has all of them, in another order.
    assert {("a", 2), ("b", 1)} <= set(said(library, "open the door"))
    assert said(library, "the") and ("c", 1) not in said(library, "open the door")


def test_other_forms_and_other_ways_to_write_it(library, any_location):
    assert ("a", 2) in said(library, "door") and said(library, "opening") == said(library, "opens")
    assert said(library, "SCHÖNE grüße") == [("c", 1)]
    if parse_location(any_location).kind == "lance":  # the index of Milvus distinguishes accents
        assert said(library, "schone grusse") == said(library, "Schöne GRÜSSE") == [("c", 1)]


def test_phrases_are_said_word_for_word(library):
    assert said(library, '"the door"') == [("a", 0), ("b", 1)]
    assert said(library, '"the window" door') == [("b", 1)]
    assert said(library, '"to be or not to be"') == said(library, "to be or not to be", 1) == [("c", 0)]
    assert said(library, '"door the"') == []


def test_limits_order_and_filters(library):
    everything = said(library, "open the door", None)
    assert said(library, "open the door", 2) == everything[:2] and said(library, "open the door", 0) == []
    one_each = said(library, "open the door", limit_per_track=1)
    assert one_each == [
        next(hit for hit in everything if hit[0] == name) for name in dict.fromkeys(h[0] for h in everything)
    ]
    assert said(library, "open the door", order="time") == sorted(everything)
    assert said(library, "door", filter="path contains 'b.wav'") == [("b", 1)]
    for wrong, message in (
        ({"order": "best"}, "order='best'"),
        ({"limit": -1}, "limit=-1"),
        ({"filter": "yaer = 1"}, "yaer"),
    ):
        with pytest.raises(UsageError, match=message):
            library.said("door", **wrong)


def test_why_nothing_is_found(library):
    assert "nobody says 'zebra'" in str(library.said("zebra").reason)
    assert library.said("door", filter="duration > 99").reason == "no track matches the filter"
    assert library.said("door").reason is None


def test_a_sound_among_tracks_that_say_it(library, folder):
    query = folder / "c.wav"
    hits = library.search(query, said="open window")
    assert [hit.path[-5] for hit in hits] == ["b"] and hits[0].said.text == "The window is open."
    assert hits[0].to_json()["said"]["start"] == 0.0
    everything = library.search(query, said="the", include_self=True)
    plain = library.search(query, include_self=True)
    assert [(hit.id, hit.score) for hit in everything] == [(hit.id, hit.score) for hit in plain], "the sound ranks them"
    assert library.search(query, said='"the door"', filter="path contains 'b.wav'")[0].said.start == 1.0
    assert library.search(query, said="zebra") == []
    assert "nobody says" in library.why_no_hits(said="zebra")
    assert "all of 'open cold' in one passage" in library.why_no_hits(said="open cold")


def test_a_track_takes_its_passages_along(folder, tmp_path):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(folder)
        assert "nothing was transcribed; run: sonovec index PATH" in str(library.said("door").reason)
        id = library.tracks()[0].id
        library.passages.put([Passage(id, 0.0, 1.0, "one door", "Ann", 1.0)])
        library.export(tmp_path / "exported")
        assert library.statistics().passages == 1
        library.remove(id)
        assert library.said("door").hits == [] and library.statistics().passages == 0
    with sonovec.Library(tmp_path / "copy", model="logmel") as copy:
        copy.import_(tmp_path / "exported")
        assert [hit.id for hit in copy.said("door").hits] == [id]
