"""The contract that every store keeps, through the public interface."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonovec.errors import LibraryError, LibraryLockedError, MissingExtraError, UsageError
from sonovec.library import lance_table
from sonovec.library.columns import USER, Column
from sonovec.library.filters import And, Compare, Contains, Has, In, IsNull, Not, Or, StartsWith, parse
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig, Moment, Segment, Track
from sonovec.library.tables import TRACKS, vectors_of

DIM = 16
CONFIG = LibraryConfig(dim=DIM, passport={"model": "test"}, segment_seconds=10.0, model="test", options={"a": True})
OWN = {"mood": str, "stars": int, "weight": float, "live": bool}


@pytest.fixture
def store(location, request):
    if location.startswith("http"):
        location = request.getfixturevalue("milvus_library")
    with open_store(location) as store:
        if store.config() is None:
            store.create(CONFIG)
            store.add_columns(OWN)
        yield store
        store.delete([track.id for track in store.tracks()])


def vectors(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float32)


def item(number, segments=2, vector=None, **fields):
    rows = vectors(segments + 1, seed=number)
    track = Track(f"{number:032x}", rows[0] if vector is None else vector, {"path": f"/{number}.wav", **fields})
    parts = [Segment(i, i * 10.0, i * 10.0 + 10, 1.0 if i else 0.5, rows[i + 1]) for i in range(segments)]
    return track, parts


def test_nothing_is_there_before_it_is_made(location):
    with open_store(location) as store:
        assert store.config() is None


def test_the_config_comes_back(location):
    with open_store(location) as store:
        store.create(CONFIG)
    with open_store(location) as store:
        assert store.config() == CONFIG
        assert store.count() == (0, 0)
        assert list(store.tracks()) == [] and store.existing(["x"]) == set()
        assert store.search_tracks(vectors(2), 5) == [[], []]
        with pytest.raises(LibraryError, match="there is a library already"):
            store.create(CONFIG)


def test_a_track_comes_back_as_it_was(store):
    fields = {"title": "it's \"so\" \\ 50%_", "artist": "☃ 𝄞", "year": 1999, "duration": 3.0, "silent": False,
              "path": "/a b\\xff\n.wav", "mood": "", "stars": -5, "weight": 1e-9, "live": True}  # fmt: skip
    track, parts = item(1, 3, **fields)
    store.put(track, parts)
    found = store.get([track.id, "absent"], vectors=True)
    assert list(found) == [track.id]
    assert found[track.id].fields == dict.fromkeys(store.columns()) | fields
    assert all(type(found[track.id].fields[name]) is type(value) for name, value in fields.items())
    np.testing.assert_allclose(found[track.id].vector, track.vector, rtol=1e-6)
    assert len(store.get([track.id])[track.id].vector) == 0
    again = store.segments([track.id, "absent"])
    assert list(again) == [track.id]
    for was, now in zip(parts, again[track.id], strict=True):
        assert (was.index, was.start, was.end, was.coverage) == (now.index, now.start, now.end, now.coverage)
        np.testing.assert_allclose(was.vector, now.vector, rtol=1e-6)


def test_segments_keep_their_tags(store):
    track, parts = item(1, 3)
    heard = [{"Dog": 0.5, 'a; "b" ☃': 0.25}, {}, {"Rain": 0.125}]
    store.put(track, [replace(part, tags=tags) for part, tags in zip(parts, heard, strict=True)])
    store.put(*item(2, 2))
    expected = [Moment(0.0, 10.0, heard[0]), Moment(20.0, 30.0, heard[2])]
    assert store.moments([track.id, item(2)[0].id, "absent"]) == {track.id: expected}
    assert [part.tags for part in store.segments([track.id])[track.id]] == heard
    store.put(track, parts)
    assert store.moments([track.id]) == {}


def test_parts_are_the_segments_as_arrays(store):
    items = [item(1, 5), item(2, 1), item(3, 12)]
    store.put_many(items)
    store.put(*item(1, 4))
    assert store.parts([]) == store.parts(["absent"]) == {}
    ids = [track.id for track, _ in items]
    segments, parts = store.segments([*ids, "absent"]), store.parts([*ids, "absent"])
    assert set(parts) == set(ids) and [len(parts[id].times) for id in ids] == [4, 1, 12]
    for id, found in parts.items():
        np.testing.assert_array_equal(found.times, [(part.start, part.end) for part in segments[id]])
        np.testing.assert_array_equal(found.vectors, np.stack([part.vector for part in segments[id]]))


def test_a_sample_is_of_stored_segments(store):
    assert store.sample(5).shape == (0, DIM)
    items = [item(n, 2) for n in range(20)]
    store.put_many(items)
    everything = {tuple(np.float32(part.vector).tolist()) for _, parts in items for part in parts}
    assert len(store.sample(100)) == 40 and len(store.sample(7)) == 7
    assert {tuple(row) for row in store.sample(7).tolist()} <= everything
    np.testing.assert_array_equal(store.sample(7), store.sample(7))


def test_writing_again_replaces_and_leaves_nothing_behind(store):
    store.put_many([item(1, 5), item(2, 1)])
    store.put_many([item(1, 5), item(2, 1)])
    assert store.count() == (2, 6)
    store.put(*item(1, 2, mood="new"))
    assert store.count() == (2, 3)
    assert [part.index for part in store.segments([item(1)[0].id])[item(1)[0].id]] == [0, 1]
    assert store.get([item(1)[0].id])[item(1)[0].id].fields["mood"] == "new"


def test_update_changes_fields_and_nothing_else(store):
    store.put_many([item(n, mood="old", stars=n) for n in range(4)])
    ids = [item(n)[0].id for n in range(4)]
    store.update({ids[1]: {"path": "/moved.wav", "stars": None}, ids[2]: {"mood": None}, "absent": {"mood": "x"}})
    found = store.get(ids, vectors=True)
    assert (found[ids[1]].fields["path"], found[ids[1]].fields["stars"]) == ("/moved.wav", None)
    assert (found[ids[2]].fields["mood"], found[ids[2]].fields["stars"]) == (None, 2)
    assert found[ids[0]].fields["mood"] == "old"
    np.testing.assert_allclose(found[ids[1]].vector, item(1)[0].vector, rtol=1e-6)
    assert store.count() == (4, 8)


def test_delete_removes_tracks_with_their_segments(store):
    store.put_many([item(n) for n in range(5)])
    store.delete([item(1)[0].id, item(3)[0].id, "absent"])
    assert store.count() == (3, 6)
    assert store.existing(item(n)[0].id for n in range(5)) == {item(n)[0].id for n in (0, 2, 4)}


def test_what_does_not_fit_is_refused_and_nothing_is_written(store):
    track, parts = item(1)
    with pytest.raises(UsageError, match=r"shape \(3,\).*\(16,\)"):
        store.put(Track("a", np.zeros(3, np.float32), {"path": "x"}), [])
    with pytest.raises(UsageError, match="finite"):
        store.put(Track("a", np.full(DIM, np.nan, np.float32), {"path": "x"}), [])
    with pytest.raises(UsageError, match="field 'moood' is unknown"):
        store.put(Track(track.id, track.vector, {"moood": "x"}), parts)
    with pytest.raises(UsageError, match="'five' is not of type int"):
        store.put(Track(track.id, track.vector, {"stars": "five"}), parts)
    with pytest.raises(UsageError, match="is not of type int"):
        store.update({track.id: {"stars": True}})
    assert store.count() == (0, 0)


def test_columns_are_added_later_and_checked(store):
    store.put(*item(1))
    store.add_columns({"later": int, "mood": str})
    store.put(*item(2, later=7))
    assert store.columns()["later"] is int
    assert [track.fields["later"] for track in sorted(store.tracks(), key=lambda t: t.id)] == [None, 7]
    for columns, says in (
        ({"mood": int}, "holds text and cannot take whole number; rename it, such as 'mood_2'"),
        ({"vector": str}, "is a name that sonovec uses itself; call it 'my_vector'"),
        ({"no good": str}, "letters, digits and underscores; call it 'no_good'"),
        ({"Mood": str}, "differs from the column 'mood' by case only; call it 'Mood_2'"),
        ({"listed": list}, "list cannot be stored; give bool, int, float, str or list"),
    ):
        with pytest.raises(UsageError, match=says):
            store.add_columns(columns)


#: Of LanceDB, Milvus and sonovec, in several cases.
KEPT = [
    "_rowid", "_ROWID", "_rowaddr", "_rowoffset", "_distance", "_Score", "_relevance_score", "_row_created_at_version",
    "_row_last_updated_at_version", "_", "__id", "$meta", "id", "ID", "Vector", "zero", "Path", "TITLE", "score", "Null",
]  # fmt: skip


def test_names_that_stores_keep_are_refused_before_anything_is_written(store):
    store.put(*item(1))
    before = store.columns()
    for name in KEPT:
        for columns in ({name: int}, {"fine": str, name: int}):
            with pytest.raises(UsageError, match="call it '[A-Za-z]") as error:
                store.add_columns(columns)
            assert repr(name) in str(error.value)
    assert store.columns() == before


FREE = [
    "rowid",
    "distance",
    "rowaddr",
    "Timestamp",
    "fields",
    "meta",
    "count",
    "select",
    "exists",
    "like",
    "key",
    "value",
]


def test_names_that_are_free_are_kept_searched_and_filtered(location):
    with open_store(location) as store:
        store.create(CONFIG)
        store.add_columns(dict.fromkeys(FREE, int))
        store.put(*item(1, **{name: number for number, name in enumerate(FREE)}))
        store.put(*item(2))
        for number, name in enumerate(FREE):
            (track,) = store.tracks(Compare(name, "=", number))
            assert track.fields[name] == number
            ((hit,),) = store.search_tracks(vectors(1), 5, Compare(name, "=", number))
            assert hit[0] == track.id


def test_tracks_are_paged_in_one_order(store):
    store.put_many([item(n, 1) for n in range(25)])
    everything = [track.id for track in store.tracks()]
    assert sorted(everything) == [item(n)[0].id for n in range(25)]
    pages = [track.id for offset in range(0, 25, 10) for track in store.tracks(limit=10, offset=offset)]
    assert pages == everything


@pytest.mark.slow
def test_many_rows_are_more_than_one_request(store):
    rows = vectors(2500)
    store.put_many([(Track(f"{n:032x}", row, {"path": f"/{n}"}), []) for n, row in enumerate(rows)])
    assert store.count() == (2500, 0)
    assert len(list(store.tracks())) == 2500
    assert len(store.existing(f"{n:032x}" for n in range(3000))) == 2500


def cosine(a, b):
    return a @ b.T / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)


def test_rows_of_many_writes_are_all_found(store):
    """Each is sealed by itself, and each holds some of all ids."""
    for start in range(4):
        store.put_many([item(n, 1, stars=n) for n in range(start, 24, 4)])
        store.optimize()
    store.update({item(n)[0].id: {"mood": "new"} for n in range(0, 24, 5)})
    store.delete([item(7)[0].id])
    wanted = {item(n)[0].id for n in range(24) if n != 7}
    assert {track.id for track in store.tracks()} == store.existing(item(n)[0].id for n in range(30)) == wanted
    assert set(store.segments(wanted)) == wanted and store.count() == (23, 23)
    assert {track.fields["stars"] for track in store.tracks(Compare("mood", "=", "new"))} == {0, 5, 10, 15, 20}


def test_search_is_what_brute_force_says(store):
    rows, queries = vectors(300), vectors(3, seed=9)
    store.put_many([item(n, 1, vector=row, stars=n) for n, row in enumerate(rows)])
    exact = cosine(queries, rows)
    for filter, allowed in ((None, np.arange(300)), (Compare("stars", "<", 100), np.arange(100))):
        for scores, hits in zip(exact, store.search_tracks(queries, 10, filter), strict=True):
            best = allowed[np.argsort(-scores[allowed])[:10]]
            assert [int(id, 16) for id, _ in hits] == best.tolist()
            np.testing.assert_allclose([score for _, score in hits], scores[best], atol=1e-4)


def test_segments_are_searched_in_all_tracks_or_some(store):
    items = [item(n, 3) for n in range(20)]
    store.put_many(items)
    wanted = items[7][1][2]
    (hits,) = store.search_segments(wanted.vector[None], 3)
    assert hits[0][:2] == (items[7][0].id, 2) and hits[0][2] == pytest.approx(1, abs=1e-4)
    (hits,) = store.search_segments(wanted.vector[None], 50, track_ids=[items[3][0].id, items[4][0].id])
    assert {id for id, _, _ in hits} == {items[3][0].id, items[4][0].id} and len(hits) == 6


def test_vectors_of_zeros_score_nothing_and_harm_nobody(store):
    rows = vectors(12)
    rows[[3, 8]] = 0
    store.put_many([item(n, 1, vector=row, stars=n) for n, row in enumerate(rows)])
    query = vectors(1, seed=9)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    scores = np.where(norms > 0, rows @ query[0] / np.where(norms > 0, norms, 1), 0)
    for limit in (2, 7, 50):
        (hits,) = store.search_tracks(query, limit)
        assert [int(id, 16) for id, _ in hits] == np.argsort(-scores, kind="stable")[:limit].tolist()
        np.testing.assert_allclose([score for _, score in hits], np.sort(scores)[::-1][:limit], atol=1e-4)
    (hits,) = store.search_tracks(np.zeros((1, DIM), np.float32), 50, Compare("stars", "<", 5))
    assert sorted(int(id, 16) for id, _ in hits) == [0, 1, 2, 3, 4] and {score for _, score in hits} == {0.0}


def test_a_write_that_was_killed_is_not_found_and_is_repaired_by_repeating_it(store, monkeypatch):
    tables = type(store.table(TRACKS))
    upsert, written = tables.upsert, []

    def killed(table, rows):
        if written:
            raise KeyboardInterrupt
        written.append(rows)
        upsert(table, rows)

    store.put(*item(1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(tables, "upsert", killed)
        with pytest.raises(KeyboardInterrupt):
            store.put(*item(2, 4))
    assert store.existing([item(2)[0].id]) == set() and store.count() == (1, 5)
    (hits,) = store.search_segments(item(2, 4)[1][2].vector[None], 10)
    assert {id for id, _, _ in hits} == {item(1)[0].id}
    store.put(*item(2, 3))
    assert store.count() == (2, 4)
    assert len(store.segments([item(2)[0].id])[item(2)[0].id]) == 3


def test_the_last_of_equal_ids_in_one_write_wins(store):
    store.put_many([item(1, 3, mood="first"), item(1, 2, mood="last")])
    assert store.count() == (1, 2)
    assert store.get([item(1)[0].id])[item(1)[0].id].fields["mood"] == "last"


def test_numbers_are_kept_alike(store):
    fields = {"stars": 2**63 - 1, "weight": -0.0, "duration": 3}
    store.put(Track("1", vectors(1)[0], fields), [])
    found = store.get(["1"])["1"].fields
    assert (found["stars"], str(found["weight"]), found["duration"]) == (2**63 - 1, "0.0", 3.0)
    assert type(found["duration"]) is float
    for refused in ({"stars": 2**63}, {"weight": float("nan")}, {"mood": "\ud800"}):
        with pytest.raises(UsageError, match=f"field '{next(iter(refused))}'"):
            store.update({"1": refused})


def test_a_search_for_what_cannot_be_is_refused(store):
    for queries in (vectors(1)[0], vectors(1)[:, :3], vectors(1) * np.nan):
        with pytest.raises(UsageError, match="give"):
            store.search_tracks(queries, 1)


def lengths(store, limit):
    return (
        len(list(store.tracks(limit=limit))),
        [len(hits) for hits in store.search_tracks(vectors(2), limit)],
        [len(hits) for hits in store.search_segments(vectors(2), limit)],
    )


def test_a_limit_is_any_whole_number(store):
    store.put_many([item(n, 1) for n in range(6)])
    for limit in (0, 1, 4, np.int64(4), np.int32(0), np.uint8(6), 6, 7, 2**31, 2**63, 10**30):
        expected = min(6, int(limit))
        assert lengths(store, limit) == (expected, [expected] * 2, [expected] * 2), limit
    for offset in (np.int64(2), 2):
        assert len(list(store.tracks(offset=offset))) == 4
    assert list(store.tracks(offset=2**70)) == list(store.tracks(limit=3, offset=6)) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [-1, np.int64(-5), 2.0, np.float64(1), True, np.bool_(True), "3", float("inf")])
def test_what_is_no_number_of_rows_is_refused_alike(store, number):
    store.put_many([item(1, 1)])
    for ask in (
        lambda: store.tracks(limit=number),
        lambda: store.tracks(offset=number),
        lambda: store.search_tracks(vectors(1), number),
        lambda: store.search_segments(vectors(1), number),
    ):
        with pytest.raises(UsageError, match="(limit|offset)=.* (is negative|is not a whole number); give"):
            ask()


def test_numbers_of_numpy_are_kept_and_asked_for_as_pythons_own(store):
    fields = {"stars": np.int64(3), "weight": np.float32(0.5), "live": np.bool_(True), "mood": np.str_("calm")}
    store.put(*item(1, 1, **fields))
    store.put(*item(2, 1))
    store.update({item(2)[0].id: {"stars": np.uint8(7)}})
    found = store.get([item(1)[0].id])[item(1)[0].id].fields
    assert [(name, found[name], type(found[name])) for name in fields] == [
        ("stars", 3, int), ("weight", 0.5, float), ("live", True, bool), ("mood", "calm", str),
    ]  # fmt: skip
    for condition in (
        Compare("stars", "=", np.int64(3)),
        Compare("weight", ">=", np.float64(0.5)),
        Compare("live", "=", np.bool_(True)),
        In("stars", (np.int64(3), np.int8(4))),
        In("mood", (np.str_("calm"),)),
    ):
        assert [track.id for track in store.tracks(condition)] == [item(1)[0].id], condition
    for refused in (
        {"stars": np.float64(1)},
        {"live": np.int64(1)},
        {"weight": np.float64("nan")},
        {"mood": np.array(["a", "b"])},
    ):
        with pytest.raises(UsageError, match=f"field '{next(iter(refused))}'"):
            store.update({item(1)[0].id: refused})


@pytest.mark.slow
@pytest.mark.parametrize("order", ["ids", "chance"])
def test_what_several_runs_wrote_is_read_whole(store, order):
    """A Milvus server keeps each run's rows in segments of their own, and answers from each for itself."""
    numbers = np.random.default_rng(0).permutation(2400) if order == "chance" else np.arange(2400)
    for part in np.array_split(numbers, 6):
        store.put_many([(Track(f"{n:032x}", vectors(1, int(n))[0], {"path": f"/{n}"}), []) for n in part])
        store.optimize()
    assert len(list(store.tracks())) == len({track.id for track in store.tracks()}) == 2400
    assert len({track.id for track in store.tracks(vectors=True)}) == 2400
    assert len(store.existing(f"{n:032x}" for n in range(2400))) == 2400


@pytest.mark.slow
def test_rows_as_large_as_can_be_travel_in_messages_that_are_not_too_large(store):
    text = "x" * 60_000
    for part in np.array_split(np.random.default_rng(0).permutation(1500), 5):
        store.put_many([(Track(f"{n:032x}", vectors(1, int(n))[0], {"path": f"/{n}", "mood": text}), []) for n in part])
        store.optimize()
    assert [track.fields["mood"] == text for track in store.tracks()] == [True] * 1500
    assert store.update({f"{n:032x}": {"stars": 1} for n in range(1500)}) == {}
    assert {track.fields["stars"] for track in store.tracks()} == {1}


def test_fields_that_are_too_large_are_refused_by_name_and_nothing_is_written(store):
    small, large = item(1, 1), item(2, 1, mood="x" * 70_000, title="y" * 100)
    if store.location.kind == "lance":
        assert store.refusal(large[0].fields) is None
        store.put_many([small, large])
        assert len(store.get([large[0].id])[large[0].id].fields["mood"]) == 70_000
        return
    says = r"its fields take 7\d{4} bytes and Milvus keeps 65535 of a track; shorten the column 'mood' \(70002 bytes\)"
    with pytest.raises(UsageError, match=rf"^/2\.wav: {says}"):
        store.put_many([small, large])
    assert store.count() == (0, 0)
    store.put_many([small, item(3, 1)])
    refused = store.update({small[0].id: {"mood": "x" * 70_000}, item(3)[0].id: {"mood": "short"}})
    assert list(refused) == [small[0].id] and refused[small[0].id].startswith("its fields take 7")
    found = store.get([small[0].id, item(3)[0].id])
    assert [found[id].fields["mood"] for id in (small[0].id, item(3)[0].id)] == [None, "short"]


@pytest.mark.slow
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_any_text_comes_back_and_is_found(store, text):
    store.put(*item(1, 1, mood=text))
    store.put(*item(2, 1, mood=f"{text}."))
    assert store.get([item(1)[0].id])[item(1)[0].id].fields["mood"] == text
    assert [track.id for track in store.tracks(Compare("mood", "=", text))] == [item(1)[0].id]


TEXTS = ["", "a", "A", "it's", 'say "x"', "50%", "a_b", "back\\slash", "☃", "𝄞 clef", "line\nbreak", "%", "_", "\\"]
NUMBERS = [-5, 0, 1, 1990, 2**40]


#: Columns of each kind: one that the library begins with, which Milvus keeps in a field of its own where it can, and one
#: that is added later.
TEXT, WHOLE, REAL, TRUTH, LISTS = (
    ("title", "mood"),
    ("year", "stars"),
    ("duration", "weight"),
    ("silent", "live"),
    ("heard", "later"),
)
COLUMNS = [column for each in (TEXT, WHOLE, REAL, TRUTH, LISTS) for column in each]
ITEMS = ["Dog", "Dog bark", "it's", 'a "b"']
OPS = ["=", "<", "<=", ">", ">="]


def conditions():
    either = st.sampled_from
    scored = [
        st.builds(Has, st.just(name), either(ITEMS), st.just(f"{name}_scores"), either([">", "<="]), either([0.1, 0.5]))
        for name in LISTS
    ]
    atoms = [
        st.builds(IsNull, either(COLUMNS)),
        st.builds(Compare, either(WHOLE), either(OPS), either(NUMBERS)),
        st.builds(Compare, either(REAL), either(["=", "<", ">="]), either([-0.5, 0.0, 1.5])),
        st.builds(Compare, either(TEXT), either(["=", "<", ">="]), either(TEXTS)),
        st.builds(Compare, either(TRUTH), st.just("="), st.booleans()),
        st.builds(In, either(TEXT), st.lists(either(TEXTS), min_size=1, max_size=3).map(tuple)),
        st.builds(In, either(WHOLE), st.lists(either(NUMBERS), min_size=1, max_size=3).map(tuple)),
        st.builds(StartsWith, either(TEXT), either(TEXTS[1:])),
        st.builds(Contains, either(TEXT), either(TEXTS[1:])),
        st.builds(Contains, either(LISTS), either(["Dog", "bark", "'"]), st.just(True)),
        st.builds(Has, either(LISTS), either(ITEMS)),
        *scored,
    ]
    return st.recursive(
        st.one_of(atoms),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
        ),
        max_leaves=5,
    )


def filter_rows():
    rng = np.random.default_rng(5)

    def choose(values):
        return None if rng.random() < 0.25 else values[rng.integers(len(values))]

    for number in range(60):
        row = {"rate": number}
        for names, values in ((TEXT, TEXTS), (WHOLE, NUMBERS), (REAL, [-0.5, 0.0, 1.5]), (TRUTH, [True, False])):
            row |= {name: choose(values) for name in names}
        for name in LISTS:
            items = choose([[], ITEMS[:1], ITEMS[1:], ITEMS[::-1]])
            row |= {name: items, f"{name}_scores": items and [float(choose([0.1, 0.5, 0.9]) or 0) for _ in items]}
        yield row


@pytest.fixture(scope="module")
def filtered(any_location):
    with open_store(any_location) as store:
        store.create(CONFIG, [Column("heard", list[str], USER, "labels"), Column("heard_scores", list[float], USER)])
        store.add_columns({**OWN, "later": list[str], "later_scores": list[float]})
        rows = list(filter_rows())
        store.put_many([item(row["rate"], 1, **row) for row in rows[:40]])
        store.optimize()  # so that an index has some of the rows
        store.put_many([item(row["rate"], 1, **row) for row in rows[40:]])
        yield store, rows


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(condition=conditions())
def test_every_store_filters_as_the_language_says(filtered, condition):
    store, rows = filtered
    expected = sorted(row["rate"] for row in rows if condition.matches(row))
    assert sorted(track.fields["rate"] for track in store.tracks(condition)) == expected
    found = store.search_tracks(vectors(1), len(rows), condition)[0]
    assert sorted(int(id, 16) for id, _ in found) == expected


def test_a_parsed_filter_reaches_the_store(filtered):
    store, rows = filtered
    condition = parse("year >= 1 and not (mood = '50%' or title is null) or heard has 'Dog' > 0.3", store.columns())
    expected = sorted(row["rate"] for row in rows if condition.matches(row))
    assert sorted(track.fields["rate"] for track in store.tracks(condition)) == expected != []


COUNT = "import sys; from sonovec.library.open import open_store; print(open_store(sys.argv[1]).count())"


def count_elsewhere(location):
    return subprocess.run([sys.executable, "-c", COUNT, location], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_another_process_sees_what_was_written_or_is_told_who_holds_it(location):
    with open_store(location) as store:
        store.create(CONFIG)
        store.put_many([item(n) for n in range(3)])
        run = count_elsewhere(location)
        if location.endswith(".db"):
            assert LibraryLockedError.__name__ in run.stderr
            assert "; wait for it or stop it; for many processes use a folder or a Milvus server" in run.stderr
        else:
            assert run.stdout == "(3, 6)\n", run.stderr
    assert count_elsewhere(location).stdout == "(3, 6)\n"


@pytest.mark.parametrize(
    ("location", "error", "says"),
    [
        ("http://127.0.0.1:9/sounds", LibraryError, "cannot be reached; check the address"),
        ("http://no-such-host.invalid:19530/sounds", LibraryError, "cannot be reached; check the address"),
        ("http://127.0.0.1:19530", UsageError, "which library. Add its name"),
        ("ftp://host/x", UsageError, "unknown scheme 'ftp'"),
    ],
)
def test_a_wrong_uri_is_one_line(location, error, says, capfd):
    with pytest.raises(error, match=says) as raised:
        open_store(location).config()
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def indexed(table):
    return {each.field_names[0]: each.num_rows_indexed for each in table.dataset.describe_indices()}


def test_an_index_is_made_when_the_size_calls_for_it_and_still_finds(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(lance_table, "INDEX_ROWS", 2000)
    rows, queries = vectors(3000), vectors(20, seed=9)
    with open_store(tmp_path / "library") as store:
        store.create(CONFIG)
        store.put_many([item(n, 0, vector=row, rate=n) for n, row in enumerate(rows[:2500])])
        store.optimize()
        assert "vector" in indexed(store.table(vectors_of(CONFIG.main)))
        store.put_many([item(n, 0, vector=row, rate=n) for n, row in enumerate(rows) if n >= 2500])
        exact = np.argsort(-cosine(queries, rows), axis=1)[:, :10]
        found = [[int(id, 16) for id, _ in hits] for hits in store.search_tracks(queries, 10)]
        recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, found, strict=True)])
        assert recall > 0.95
        for (hits,) in [store.search_tracks(queries[:1], 10, Compare("rate", ">=", 2990))]:
            assert len(hits) == 10 and all(int(id, 16) >= 2990 for id, _ in hits)
        store.optimize()
    assert capfd.readouterr() == ("", "")


def test_many_small_writes_are_put_together(tmp_path, monkeypatch):
    monkeypatch.setattr(lance_table, "WRITES_BEFORE_TIDYING", 10)
    monkeypatch.setattr(lance_table, "MOST_OF_TIER", 5)
    with open_store(tmp_path / "library") as store:
        store.create(CONFIG)
        for n in range(25):
            store.put(*item(n, 1))
        assert len(store.table(TRACKS).dataset.get_fragments()) < 12
        assert store.count() == (25, 25)


def test_an_index_leaves_nothing_out(tmp_path, monkeypatch):
    """Few rows that match, zeros, and rows that came after the index."""
    monkeypatch.setattr(lance_table, "INDEX_ROWS", 1000)
    rows = vectors(1200)
    rows[::100] = 0
    with open_store(tmp_path / "library") as store:
        store.create(CONFIG)
        store.put_many([item(n, 0, vector=row, rate=n) for n, row in enumerate(rows[:1000])])
        store.optimize()
        store.put_many([item(n, 0, vector=row, rate=n) for n, row in enumerate(rows) if n >= 1000])
        for wanted in ([0], [500, 501, 502], [999, 1000, 1199], list(range(0, 1200, 100))):
            (hits,) = store.search_tracks(vectors(1, seed=9), 20, In("rate", tuple(wanted)))
            assert sorted(int(id, 16) for id, _ in hits) == wanted
        (hits,) = store.search_tracks(rows[1150:1151], 1)
        assert int(hits[0][0], 16) == 1150


READER = """
import sys
import threading
from sonovec.library.open import open_store
with open_store(sys.argv[1]) as store:
    seen = len(list(store.tracks()))
    print("ready", flush=True)
    while seen < 30:
        ids = [track.id for track in store.tracks()]
        parts = store.segments(ids)
        assert len(ids) >= seen and all(len(parts[id]) == 2 for id in ids), (seen, ids)
        seen = len(ids)
print("complete")
"""


@pytest.mark.slow
def test_readers_in_other_processes_see_whole_tracks_while_one_writes(tmp_path):
    with open_store(tmp_path / "library") as store:
        store.create(CONFIG)
        readers = [
            subprocess.Popen(
                [sys.executable, "-c", READER, str(tmp_path / "library")], stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        assert [reader.stdout.readline() for reader in readers] == ["ready\n"] * 2
        for n in range(30):
            store.put(*item(n))
            store.optimize()
        assert [reader.communicate(timeout=60)[0] for reader in readers] == ["complete\n"] * 2


@pytest.mark.parametrize(("missing", "location"), [("pymilvus", "http://host/sounds"), ("milvus_lite", "sounds.db")])
def test_what_is_missing_for_milvus_is_said_with_the_line_that_installs_it(missing, location, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=rf"{missing} is not installed; run: pip install 'sonovec\[milvus\]'"):
        open_store(location)


#: Imports pymilvus for the first time in a process that has a log of its own.
LOGGED = """
import logging, sys
from sonovec.errors import LibraryError
from sonovec.library.open import open_store

class Log(logging.Handler):
    closed = False

    def close(self):
        Log.closed = True

logging.getLogger().addHandler(Log())
try:
    open_store("http://127.0.0.1:9/sounds").config()
except LibraryError:
    print(Log.closed, "pymilvus" in sys.modules)
"""


def test_the_logging_of_the_process_is_left_as_it_is():
    run = subprocess.run([sys.executable, "-c", LOGGED], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("False True\n", "")


def test_a_file_of_another_kind_is_left_alone(tmp_path):
    path = tmp_path / "photos.db"
    path.write_bytes(b"SQLite format 3")
    with pytest.raises(LibraryError, match="choose another name"):
        open_store(path).create(CONFIG)
    assert path.read_bytes() == b"SQLite format 3"
    (tmp_path / "library").write_text("")
    with pytest.raises(LibraryError):
        open_store(tmp_path / "library").create(CONFIG)


def test_a_damaged_or_newer_config_is_said(tmp_path):
    from sonovec.library.lance_folder import CONFIG as NAME

    for text, says in (("{", "is damaged"), ('{"new": 1}', "another version"), (NEWER, "has format 99")):
        (tmp_path / NAME).write_text(text)
        with pytest.raises(LibraryError, match=says) as raised:
            open_store(tmp_path).config()
        assert "\n" not in str(raised.value)


NEWER = '{"dim": 2, "passport": {}, "segment_seconds": 1, "model": "x", "format": 99}'


@pytest.mark.slow
def test_threads_may_search_and_write_at_once(store):
    store.put_many([item(n, 1, stars=n) for n in range(60)])
    faults = []

    def use(number):
        try:
            for turn in range(8):
                assert len(store.search_tracks(vectors(2), 5)[0]) == 5
                assert len(store.search_segments(vectors(1), 5, filter=Compare("stars", ">", 40))[0]) == 5
                assert store.existing([item(3)[0].id]) and store.count()[0] >= 60 and "mood" in store.columns()
                if number == 0:
                    store.put(*item(100 + turn, 1))
                    store.optimize()
        except BaseException as fault:  # noqa: BLE001 - a thread's errors are the test's
            faults.append(fault)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == [] and store.count()[0] == 68


def test_old_versions_are_removed_once_nobody_can_read_them(tmp_path, monkeypatch):
    with open_store(tmp_path / "library") as store:
        store.create(CONFIG)
        for n in range(5):
            store.put(*item(n, 1))
        store.optimize()
        place = store.table(TRACKS).path
        assert len(lance_table.manifests(place)) == 6
        monkeypatch.setattr(lance_table, "KEEP_VERSIONS", timedelta(0))
        store.optimize()
        assert len(lance_table.manifests(place)) == 1 and store.count() == (5, 5)
