"""How Milvus keeps the fields of tracks: in fields of its own where the server can, else in one JSON column."""

from __future__ import annotations

import functools
import json
import logging
import socket
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run
from sonovec.errors import UsageError
from sonovec.library.columns import TRACK_FIELDS, USER, Column
from sonovec.library.filters import Compare, Has, IsNull, Not
from sonovec.library.milvus_schema import MAX_FIELDS
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig, Passage, Track
from sonovec.library.tables import PASSAGES, TRACKS, segments_of
from tests.library.test_former import FORMER, maker  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow  # a collection takes half a second to make

server = pytest.importorskip("milvus_lite.adapter.grpc.server")

CONFIG = LibraryConfig(dim=4, passport={}, segment_seconds=10.0, model="test")
OLD = json.loads((FORMER / "lite-json.json").read_text(encoding="utf-8"))


@pytest.fixture
def old(tmp_path):
    """A library of the time when all fields of a track lay in one JSON column."""
    with tarfile.open(FORMER / "lite-json.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "lite-json.db"


def layout(store):
    return store.table(TRACKS).layout


def track(number, **fields):
    return Track(f"{number:032x}", np.ones(4, np.float32), fields), []


def test_a_library_with_one_json_column_is_read_and_searched_as_it_was(old):
    with sonovec.Library(old) as library:
        assert set(layout(library._store).columns) == {"id", "vector"}
        assert {each.id: dict(each.fields) for each in library.tracks()} == OLD["tracks"]
        ids = {Path(fields["path"]).name: id for id, fields in OLD["tracks"].items()}
        for query, expected in OLD["hits"].items():
            sound, level = query.split("/")
            hits = library.search(ids["copy.wav" if sound == "s1.wav" else sound], level=level, include_self=True)
            assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-4)
        assert {passage.text for passage, _ in library.passages.find("dog")} == {"the dog sleeps", "a dog barks"}
        assert [label.name for label in library.labels.get()] == ["Dog"]


FILTERS = {
    "stars >= 4": ["s0.wav"],
    "mood is null and stars = 3": ["s2.wav"],
    "mood in ('calm', 'wild') and not (live = false)": ["s0.wav"],
    "duration > 11 and duration < 13": ["s2.wav"],
    "path startswith '/music/s' and rate = 8000 and duration <= 1": ["s3.wav"],
    "sound_tags has 'Sine wave' > 0.3 and codec contains 'CM' and duration > 2.5 and duration < 3.5": ["copy.wav"],
}


@pytest.mark.parametrize("filter", FILTERS)
def test_a_library_with_one_json_column_is_filtered(old, filter):
    with sonovec.Library(old) as library:
        assert sorted(Path(each.path).name for each in library.tracks(filter)) == FILTERS[filter]


def test_a_library_with_one_json_column_is_written_to(old, maker, tmp_path):  # noqa: F811
    music = tmp_path / "music"
    maker.write_sounds(music)
    maker.soundfile.write(music / "new.wav", maker.tone(1000, 2, 77), 8000)
    (tmp_path / "m.csv").write_text("path,mood,tempo\nnew.wav,new,120\ns0.wav,,90\n")
    with sonovec.Library(old) as library:
        report = library.add(music, metadata=tmp_path / "m.csv")
        assert report.counts.indexed == 1 and len(library) == len(OLD["tracks"]) + 1, report
        (new,) = library.tracks("mood = 'new' and tempo = 120")
        assert new.path == str(music / "new.wav") and new.fields["sound_tags"]
        assert [each.path for each in library.tracks("tempo < 100")] == [str(music / "s0.wav")]
        assert set(layout(library._store).columns) == {"id", "vector"}
        library.passages.put([Passage(new.id, 0.0, 1.0, "a new dog", source="Ann", time=1.0)])
        assert [passage.text for passage, _ in library.passages.find("new dog", 1)] == ["a new dog"]
        library._store.delete([new.id])
        assert len(library) == len(OLD["tracks"]) and library.tracks("tempo = 120") == []
    with sonovec.Library(old) as library:
        (first,) = library.tracks("tempo = 90")
        assert first.fields["stars"] == 5 and first.fields["mood"] is None


def test_columns_have_fields_of_their_own_where_the_server_keeps_null(milvus_location):
    own = [
        Column("mood", str, USER),
        Column("tags", list[str], USER, "labels"),
        Column("tags_scores", list[float], USER),
    ]
    with open_store(milvus_location) as store:
        store.create(CONFIG, own)
        store.add_columns({"later": int})
        typed = store._backend._connect().is_modern
        assert typed or not milvus_location.endswith(".db")
        expected = TRACK_FIELDS.keys() | {column.name for column in own} if typed else set()
        assert set(layout(store).columns) == {"id", "vector"} | expected
        row = {
            "path": "/a",
            "mood": "calm",
            "tags": ["Dog", "Cat"],
            "tags_scores": [0.5, 0.25],
            "year": 1990,
            "later": 7,
        }
        store.put_many([track(1, **row), track(2, path="/b"), track(3, path="/c", tags=[], tags_scores=[], later=8)])
    with open_store(milvus_location) as store:
        found = {int(each.id, 16): each.fields for each in store.tracks()}
        assert found[1].items() >= row.items() and found[3]["tags"] == [] and found[3]["tags_scores"] == []
        assert found[2] == dict.fromkeys(store.columns()) | {"path": "/b"}
        for condition, expected in (
            (Has("tags", "Dog"), [1]),
            (Not(Has("tags", "Dog", "tags_scores", ">", 0.4)), [2, 3]),
            (IsNull("tags"), [2]),
            (Not(Compare("later", "=", 7)), [2, 3]),
            (Not(Compare("year", "<", 1990)), [1, 2, 3]),
        ):
            assert [int(each.id, 16) for each in store.tracks(condition)] == expected, condition
        ids, scores = store.tag_scores(["Cat", "Dog"], "tags", None)
        assert [int(id, 16) for id in ids.to_pylist()] == [1] and scores.tolist() == [[0.25, 0.5]]
        assert store.items("tags") == {"Dog", "Cat"}
        store.update({f"{1:032x}": {"tags": None, "later": None}, f"{2:032x}": {"mood": "new", "later": 9}})
        assert [(each.fields["tags"], each.fields["mood"], each.fields["later"]) for each in store.tracks()] == [
            (None, "calm", None),
            (None, "new", 9),
            ([], None, 8),
        ]


#: Words of Milvus' language, and names that it or Milvus Lite keep for fields of their own.
WORDS = ["like", "exists", "in_", "true_", "iso", "interval", "fields", "RowID", "Timestamp", "array_contains", "mood_"]


def test_columns_may_have_names_that_fields_of_milvus_may_not(milvus_location):
    with open_store(milvus_location) as store:
        store.create(CONFIG, [Column(name, int, USER) for name in WORDS])
        store.put_many([track(number, **{name: number}) for number, name in enumerate(WORDS)])
        for number, name in enumerate(WORDS):
            (found,) = store.tracks(Compare(name, "=", number))
            assert found.fields[name] == number and int(found.id, 16) == number


def test_columns_beyond_the_most_fields_lie_in_the_json_column(milvus_location):
    many = [Column(f"c{number}", int, USER) for number in range(80)]
    with open_store(milvus_location) as store:
        store.create(CONFIG, many)
        if store._backend._connect().is_modern:
            assert len(layout(store).names) == MAX_FIELDS
        store.put_many([track(1, **{column.name: number for number, column in enumerate(many)})])
        assert len(list(store.tracks(Compare("c79", "=", 79)))) == len(list(store.tracks(Compare("c0", "=", 0)))) == 1


def test_a_list_with_more_items_than_a_field_keeps_is_refused(tmp_path):
    with open_store(tmp_path / "library.db") as store:
        store.create(CONFIG, [Column("tags", list[str], USER)])
        with pytest.raises(UsageError, match="/a: its column 'tags' has 5000 items and Milvus keeps 4096 of a list"):
            store.put_many([track(1, path="/a", tags=["x"] * 5000)])
        store.put_many([track(1, path="/a", tags=["x"] * 4096)])
        assert len(next(store.tracks()).fields["tags"]) == 4096


def test_the_file_that_gets_the_port_of_a_former_one_has_columns_of_its_own(tmp_path, monkeypatch):
    """pymilvus remembers the fields of a collection by the address of its server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = functools.partial(server.start_server_in_thread, port=port)
    monkeypatch.setattr(server, "start_server_in_thread", lambda data_dir, **_: start(data_dir))
    for names in (["mood", "stars"], ["stars"]):
        with open_store(tmp_path / f"{len(names)}.db") as store:
            store.create(CONFIG, [Column(name, int, USER) for name in names])
            store.put_many([track(1, stars=3)])
            assert next(store.tracks()).fields["stars"] == 3


TEXTS = [
    "hello dog there",
    "a dog",
    "dog dog cat",
    "",
    "!!!",
    "Über den Wolken",
    "日本語 の テスト",
    "don't stop",
    "a cow",
]


def test_words_are_found_by_the_server_where_it_can_and_ranked_as_if_all_rows_were_read(
    milvus_location, caplog, monkeypatch
):
    """Also what was written a moment ago, which Milvus Lite keeps apart and weighs by itself."""
    with open_store(milvus_location) as store, caplog.at_level(logging.INFO):
        store.create(CONFIG)
        table = store.table(PASSAGES)
        rows = [
            {"id": f"{number:04}", "track": f"t{number % 2}", "start": 0.0, "end": 1.0, "text": text}
            | {"language": "en", "source": "Ann", "time": 1.0}
            for number, text in enumerate(TEXTS * 3)
        ]
        for part in (rows[:20], rows[20:26], rows[26:]):
            table.upsert(part)
            if len(part) > 1:
                store.optimize()
        table.upsert([{**rows[1], "text": "a horse"}])
        table.delete(Compare("id", "=", rows[10]["id"]))
        can = store._backend._connect().is_modern
        assert (table.layout.words is not None) == can
        for words in ("dog", "DOG cat", "hello dog", "horse", "über", "テスト", "don't", "zebra", 'say "dog"', "cow\n"):
            for where in (None, Compare("track", "=", "t1")):
                caplog.clear()
                found = table.find(words, 5, where, ["id", "track"])
                assert ("has no index of words" in caplog.text) == (not can)
                with monkeypatch.context() as patch:
                    patch.setattr(table, "layout", replace(table.layout, words=None))
                    read = table.find(words, 5, where, ["id", "track"])
                    assert "has no index of words" in caplog.text
                assert [row["id"] for row, _ in found] == [row["id"] for row, _ in read], (words, where)
                assert all(score > 0 for _, score in found)


@pytest.mark.slow
@pytest.mark.parametrize("location", ["milvus"], indirect=True)
def test_rows_that_a_server_has_several_times_are_counted_and_mended(location, tmp_path, capsys):
    """Its answers show one of each; Milvus Lite keeps one of each."""
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).standard_normal(8000 * 25) / 8, 8000)
    with sonovec.Library(location, model="logmel") as library:
        library.add(tmp_path)
        before = [track.fields for track in library.tracks()]
        for spec, times in ((TRACKS, 2), (segments_of(library.config.main), 1)):
            table = library._store.table(spec)
            (*_, row) = table._whole([row["id"] for row in table.rows(None, ["id"])])
            for _ in range(times):
                table._call("insert", table._name, data=[table.layout.encode(row)])
        assert library._store.count() == (3, 4)
    assert run(["doctor", "-l", location]) == 1
    says = f"3 duplicates (tracks, main.segments); mend it with: sonovec doctor -l {location} --repair"
    assert says in capsys.readouterr().out
    assert run(["doctor", "-l", location, "--repair"]) == 0, capsys.readouterr().out
    with sonovec.Library(location) as library:
        assert library._store.count() == (1, 3) and [track.fields for track in library.tracks()] == before
