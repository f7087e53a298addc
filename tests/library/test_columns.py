"""Columns: their types, their owners, and that writing some of them writes nothing else; on every store."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import sonovec
from sonovec.errors import UsageError
from sonovec.library.columns import CORE, TRACK_FIELDS, USER, Column, Owner, check_new, fault, free, heard_columns
from sonovec.library.filters import parse
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig
from sonovec.library.tables import TRACKS, segments_of, vectors_of
from tests.library.test_store import CONFIG, item

MUSIC = Owner("music", "2")


@pytest.fixture
def store(location):
    with open_store(location) as store:
        store.create(CONFIG)
        yield store


def test_columns_keep_their_type_owner_and_index(location):
    columns = [
        Column("bpm", float, MUSIC, "scalar"),
        Column("moods", list[str], MUSIC, "labels"),
        Column("moods_scores", list[float], MUSIC),
        Column("live", bool, USER),
    ]
    with open_store(location) as store:
        store.create(CONFIG)
        store.declare(columns)
    with open_store(location) as store:
        declared = store.declared()
        assert [declared[column.name] for column in columns] == columns
        assert {name: column.kind for name, column in declared.items() if column.owner == CORE} == TRACK_FIELDS
        assert store.columns() == {**TRACK_FIELDS, **{column.name: column.kind for column in columns}}


def test_the_column_that_comes_second_is_refused_with_a_name_that_is_free(store):
    store.add_columns({"mood": str})
    store.declare([Column("bpm", float, MUSIC)])
    for column, says in (
        (Column("mood", str, MUSIC), "'mood' of music 2 exists already as a column of user; call it 'mood_2'"),
        (Column("bpm", float, USER), "'bpm' of user exists already as a column of music 2; call it 'bpm_2'"),
        (Column("bpm", float, Owner("tempo", "1")), "'bpm' of tempo 1 exists already as a column of music 2"),
        (Column("bpm", int, MUSIC), "'bpm' holds number and cannot take whole number; rename it, such as 'bpm_2'"),
        (Column("BPM", float, USER), "differs from the column 'bpm' by case only; call it 'BPM_2'"),
    ):
        with pytest.raises(UsageError, match=says):
            store.declare([Column("fine", str, USER), column])
    assert "fine" not in store.columns(), "nothing is added where one is refused"
    store.declare([Column("bpm", float, Owner("music", "3"))])  # a later version of the same analyser
    store.add_columns({"bpm_2": float, "mood_2": str})


@given(st.text(max_size=20), st.lists(st.text("abAB_1", min_size=1, max_size=3), max_size=4))
def test_the_name_that_a_message_gives_is_free(name, others):
    have = {other: Column(other, str, USER) for other in others}
    if fault(name, have):
        assert check_new(Column(free(name, have), str, USER), have)


def test_lists_come_back_and_are_filtered(store):
    store.add_columns({"moods": list[str], "other": list[str]})
    store.put_many([item(1, 1, moods=["calm", "it's"], other=[]), item(2, 1, moods=["wild"]), item(3, 1)])
    fields = {int(track.id, 16): track.fields for track in store.tracks()}
    assert [fields[n]["moods"] for n in (1, 2, 3)] == [["calm", "it's"], ["wild"], None]
    assert (fields[1]["other"] or []) == []
    for text, numbers in (
        ("moods has 'calm'", [1]),
        ("moods has 'it\\'s'", [1]),
        ("moods has 'cal'", []),
        ("moods contains 'al'", [1]),
        ("moods not has 'calm'", [2]),
        ("not moods has 'calm'", [2, 3]),
        ("moods is null", [3]),
        ("moods has 'calm' or moods has 'wild'", [1, 2]),
    ):
        found = store.tracks(parse(text, store.columns()))
        assert sorted(int(track.id, 16) for track in found) == numbers, text
    for wrong in ("calm", [1], [None], {"calm": 1}):
        with pytest.raises(UsageError, match="field 'moods'"):
            store.update({item(1)[0].id: {"moods": wrong}})


def test_an_update_writes_the_columns_given_and_no_vectors(store):
    """Nor anything at all where the values are there already."""
    store.declare(heard_columns(Owner("encoder", "1")))
    store.add_columns({"mood": str})
    store.put_many([item(n, 2, mood="old", year=1990, sound_tags=["Dog"], sound_tags_scores=[0.5]) for n in range(4)])
    ids = [item(n)[0].id for n in range(4)]
    before, stamps = dict(store.get(ids, vectors=True)), versions(store)
    assert store.update({id: {"mood": "old", "sound_tags": ["Dog"]} for id in ids}) == {}
    assert versions(store) == stamps
    store.update({ids[0]: {"mood": "new"}, ids[1]: {"year": None, "mood": "new"}, ids[2]: {"sound_tags": None}})
    if stamps:  # a folder tells its versions
        assert {name: versions(store)[name] for name in ("main.tracks", "main.segments")} == {
            name: stamps[name] for name in ("main.tracks", "main.segments")
        }
    after = store.get(ids, vectors=True)
    changed = {id: {k: v for k, v in after[id].fields.items() if before[id].fields[k] != v} for id in ids}
    assert changed == {
        ids[0]: {"mood": "new"},
        ids[1]: {"year": None, "mood": "new"},
        ids[2]: {"sound_tags": None},
        ids[3]: {},
    }
    assert all((after[id].vector == before[id].vector).all() for id in ids)


def versions(store):
    if store.location.kind != "lance":
        return {}
    specs = (TRACKS, vectors_of(store.space()), segments_of(store.space()))
    return {spec.name: store.table(spec).dataset.version for spec in specs}


def test_a_column_that_asks_for_an_index_has_one_where_there_are_rows_for_it(tmp_path, monkeypatch):
    from sonovec.library import lance_table

    monkeypatch.setattr(lance_table, "SCALAR_ROWS", 20)
    with open_store(tmp_path / "library") as store:
        store.create(LibraryConfig(dim=16, passport={}, segment_seconds=10.0, model="test"))
        store.declare([*heard_columns(Owner("encoder", "1")), Column("bpm", float, MUSIC, "scalar")])
        store.put_many([item(n, 1, sound_tags=[f"{n % 5}"], sound_tags_scores=[0.5]) for n in range(30)])
        store.optimize()
        indexed = {each.field_names[0] for each in store.table(TRACKS).dataset.describe_indices()}
        assert indexed == {"id", "path", "sound_tags", "bpm"}
        segments = {each.field_names[0] for each in store.table(segments_of(store.space())).dataset.describe_indices()}
        assert segments == {"id", "track"}
        assert len(list(store.tracks(parse("sound_tags has '3' > 0.4", store.columns())))) == 6


def test_metadata_that_changes_nothing_writes_nothing(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for seed in range(3):
        soundfile.write(sounds / f"{seed}.wav", np.random.default_rng(seed).standard_normal(8000) / 8, 16000)
    csv = tmp_path / "own.csv"
    csv.write_text("path,mood,stars\n0.wav,calm,3\n1.wav,wild,\n")
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds, metadata=csv)
        before = versions(library._store)
        library.add(sounds, metadata=csv)
        assert versions(library._store) == before
        csv.write_text("path,mood,stars\n0.wav,calm,4\n1.wav,wild,\n")
        library.add(sounds, metadata=csv)
        after = versions(library._store)
        assert after.pop("tracks") > before.pop("tracks") and after == before
        assert [track.fields["stars"] for track in library.tracks("stars > 0")] == [4]
