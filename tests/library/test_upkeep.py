"""Duplicates, orphans, ghosts and stale indices: kept away, counted and mended."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run
from sonovec.library import consistency, lance_table
from sonovec.library.backend import Effort
from sonovec.library.ledger import Outcome
from sonovec.library.open import open_store
from sonovec.library.records import Label
from sonovec.library.stretches import labels
from sonovec.library.tables import LABELS, TRACKS, segments_of, vectors_of
from tests.library.test_store import CONFIG, cosine, indexed, item, vectors

MERGING = """
import sys
from sonovec.library.open import open_store
from tests.library.test_store import item
with open_store(sys.argv[1]) as store:
    store.config()
    print("ready", flush=True)
    sys.stdin.readline()
    for start in range(0, 200, 20):
        store.put_many([item(n, 2, title=sys.argv[2]) for n in range(start, start + 20)])
"""


@pytest.mark.slow
def test_four_processes_that_write_the_same_tracks_leave_none_twice(location):
    """Milvus Lite lets one process in; there they come one after the other."""
    with open_store(location) as store:
        store.create(CONFIG)
    command = [sys.executable, "-c", MERGING, location]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    if location.endswith(".db"):
        for number in range(4):
            subprocess.run([*command, f"{number}"], input="\n", text=True, check=True, capture_output=True)
    else:
        runs = [subprocess.Popen([*command, f"{number}"], **pipes) for number in range(4)]
        assert [run.stdout.readline() for run in runs] == ["ready\n"] * 4
        for run_ in runs:
            run_.stdin.write("\n")
            run_.stdin.flush()
        assert [run.wait(timeout=300) for run in runs] == [0] * 4
    with open_store(location) as store:
        assert store.count() == (200, 400)
        ids = [track.id for track in store.tracks()]
        assert len(ids) == len(set(ids)) == 200
        assert [*consistency.examine(store, None).faults()] == []


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    (folder / "sounds").mkdir()
    for seed in range(5):
        soundfile.write(folder / "sounds" / f"{seed}.wav", np.random.default_rng(seed).standard_normal(8000) / 8, 16000)
    with sonovec.Library(folder / "library", model="logmel") as library:
        library.add(folder / "sounds")
    return folder


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made / "library", tmp_path / "library")
    return tmp_path / "library"


def double(store, spec):
    """Write the rows of a table once more, past the merge that would replace them."""
    import lance

    table = store.table(spec)
    lance.write_dataset(table.dataset.to_table(), str(table.path), mode="append")


def doctor(capsys, place, *more):
    capsys.readouterr()
    code = run(["doctor", str(place), "--json", *more])
    return code, " ".join(finding["detail"] for finding in json.loads(capsys.readouterr().out)["findings"])


def test_what_does_not_agree_is_counted_and_mended(made, place, capsys):
    with sonovec.Library(place) as library:
        store, ids = library._store, library._existing_store().ids()
        labels(store).put([Label(ids[0], 0.0, 1.0, "Dog", "Ann", 1.0), Label(ids[1], 0.0, 1.0, "Dog", "Ann", 1.0)])
        double(store, TRACKS)
        double(store, vectors_of(store.space()))
        for spec, key in ((TRACKS, "id"),):
            store.table(spec).dataset.delete(f"{key} = '{ids[0]}'")
        ghost = item(7, 1)
        store.put(sonovec_track(ghost[0], store), [part_of(ghost[1][0], store)])
    code, told = doctor(capsys, place)
    assert code == 1
    orphans = "1 orphans: tracks that are gone have rows in main.tracks, main.segments, labels"
    for says in ("9 duplicates (tracks, main.tracks)", orphans, "1 ghosts"):
        assert says in told, told
    code, told = doctor(capsys, place, "--repair")
    assert code == 0, told
    for says in (
        "tracks: 4 duplicates were removed",
        "main.tracks: 5 duplicates were removed",
        "labels: rows of 1 tracks",
    ):
        assert says in told, told
    with sonovec.Library(place) as library:
        assert [*consistency.examine(library._existing_store(), library.ledger).faults()] == []
        assert library._store.count() == (5, 5) and library._store.table(LABELS).count() == 1
        report = library.add(made / "sounds")
        assert (report.counts.indexed, report.counts.unchanged) == (1, 4), "what was lost is embedded again"
        report = library.add(made / "sounds", prune=True)
        assert len(library) == 6, "the ghost has a row, under a folder that this run did not look at"
        assert library.ledger.lookup("/7.wav").held
    code, told = doctor(capsys, place)
    assert "0 duplicates, 0 orphans, 0 ghosts" in told


def sonovec_track(track, store):
    return type(track)(track.id, np.ones(store.space().dim, np.float32), track.fields)


def part_of(part, store):
    return type(part)(part.index, part.start, part.end, part.coverage, np.ones(store.space().dim, np.float32))


def test_a_ghost_whose_file_holds_other_content_is_removed(made, place):
    with sonovec.Library(place) as library:
        store = library._existing_store()
        path = str(made / "sounds" / "0.wav")
        track = sonovec_track(item(8, 0)[0], store)
        store.put(type(track)(track.id, track.vector, {"path": path}), [part_of(item(8, 1)[1][0], store)])
        state = consistency.examine(store, library.ledger)
        assert list(state.ghosts) == [track.id]
        assert any("other content" in line for line in consistency.mend(store, library.ledger, state))
        assert store.count() == (5, 5)


def test_a_ledger_that_knows_nothing_makes_no_ghosts(made, place):
    with sonovec.Library(place) as library:
        library.ledger.forget(entry.path for entry in list(library.ledger.entries()))
        assert consistency.examine(library._existing_store(), library.ledger).ghosts == {}
        run_id = library.ledger.begin_run()
        library.ledger.record(run_id, Outcome("x.wav", "failed", "no sound"))
        assert consistency.examine(library._store, library.ledger).ghosts == {}


# -- indices


@pytest.fixture
def small(monkeypatch):
    """Indices from few rows on."""
    for name, rows in (("SCALAR_ROWS", 100), ("INDEX_ROWS", 400), ("LACKING_ROWS", 50)):
        monkeypatch.setattr(lance_table, name, rows)


def filled(place, n, start=0):
    rows = vectors(n, seed=5)
    with open_store(place) as store:
        if store.config() is None:
            store.create(CONFIG)
        store.put_many([item(k, 1, vector=rows[k], stars=None, year=k) for k in range(start, n)])
        store.optimize()
    return rows


@pytest.fixture(autouse=True)
def no_stars(monkeypatch):
    """The items of other tests have columns of the user's own."""
    original = item

    def plain(number, segments=2, vector=None, **fields):
        fields.pop("stars", None)
        return original(number, segments, vector, **fields)

    monkeypatch.setitem(globals(), "item", plain)


@pytest.mark.usefixtures("small")
def test_a_library_whose_index_folders_were_deleted_is_searched_written_and_mended(tmp_path, capsys, caplog):
    place = tmp_path / "library"
    rows = filled(place, 500)
    folders = list((place / "tables").glob("*.lance/_indices"))
    assert len(folders) >= 3
    for folder in folders:
        shutil.rmtree(folder)
    for _ in range(2):
        with open_store(place) as store:
            ids = [item(k)[0].id for k in range(500)]
            assert store.existing(ids) == set(ids)
            for k in (3, 400):
                ((hit,),) = store.search_tracks(rows[k : k + 1], 1)
                assert hit[0] == ids[k] and hit[1] == pytest.approx(1, abs=1e-4)
            assert "files of indices are missing" in caplog.text and "--repair" in caplog.text
            state = consistency.examine(store, None)
            assert "id" in state.stale["tracks"] and "vector" in state.stale["main.tracks"] and not [*state.faults()]
    with open_store(place) as store:
        store.put_many([item(k, 1) for k in range(495, 505)])
        store.delete([item(2)[0].id])
        assert store.count() == (504, 504)
    code, told = doctor(capsys, place)
    assert code == 1 and "an index is damaged" in told
    assert doctor(capsys, place, "--repair")[0] == 0
    with open_store(place) as store:
        assert consistency.examine(store, None).stale == {}
        assert "vector" in indexed(store.table(vectors_of(CONFIG.main)))


@pytest.mark.usefixtures("small")
def test_the_index_is_trained_again_when_the_library_has_grown_four_fold(tmp_path):
    place = tmp_path / "library"

    def trained():
        with open_store(place) as store:
            table = store.table(vectors_of(CONFIG.main))
            return int(table.dataset.config()[lance_table.TRAINED]), indexed(table)["vector"]

    filled(place, 400)
    assert trained() == (400, 400)
    filled(place, 440, 400)
    assert trained() == (400, 400), "few rows are scanned, so that a small run is quick"
    filled(place, 600, 440)
    assert trained() == (400, 600), "it takes the new ones in"
    filled(place, 1600, 600)
    assert trained() == (1600, 1600)


@pytest.mark.usefixtures("small")
def test_a_commit_builds_no_index_of_vectors(tmp_path, monkeypatch):
    monkeypatch.setattr(lance_table, "WRITES_BEFORE_TIDYING", 1)
    with open_store(tmp_path / "library") as store:
        store.create(CONFIG)
        store.put_many([item(k, 1) for k in range(500)])
        store.update({item(k)[0].id: {"title": "x"} for k in range(20)})
        assert "vector" not in indexed(store.table(vectors_of(CONFIG.main)))
        assert "track" in indexed(store.table(segments_of(CONFIG.main)))


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_an_exact_search_is_brute_force_and_more_effort_finds_more(tmp_path):
    place = tmp_path / "library"
    rows, queries = filled(place, 3000), vectors(20, seed=9)
    best = np.argsort(-cosine(queries, rows), axis=1)[:, :10]
    with open_store(place) as store:

        def recall(effort):
            found = store.search_tracks(queries, 10, effort=effort)
            return np.mean(
                [len({int(id, 16) for id, _ in hits} & set(b)) / 10 for b, hits in zip(best, found, strict=True)]
            )

        assert recall(Effort(exact=True)) == 1.0
        assert recall(Effort(times=0.05)) <= recall(Effort(times=4)) + 1e-9 and recall(Effort(times=4)) > 0.95


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("few", [5, 10_000])
def test_filters_that_let_few_or_many_through_give_what_brute_force_gives(tmp_path, monkeypatch, few):
    """By the ids that match, by longer and longer lists, and by every vector where those would be too long."""
    from sonovec.library import nearest
    from sonovec.library.filters import Compare

    monkeypatch.setattr(nearest, "FEW", few)
    place = tmp_path / "library"
    rows, queries = filled(place, 600), vectors(3, seed=9)
    scores = cosine(queries, rows)
    for most in (16, 4096):
        monkeypatch.setattr(nearest, "MOST_ASKED", most)
        with open_store(place) as store:
            for least in (0, 300, 590, 598, 600):
                allowed = np.arange(least, 600)
                found = store.search_tracks(queries, 10, Compare("year", ">=", least), effort=Effort(exact=True))
                for row, hits in zip(scores, found, strict=True):
                    assert [int(id, 16) for id, _ in hits] == allowed[np.argsort(-row[allowed])[:10]].tolist()


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("few", [5, 10_000])
def test_what_a_rough_list_finds_is_scored_by_the_vectors_as_they_are_stored(tmp_path, monkeypatch, few):
    from sonovec.library import nearest
    from sonovec.library.filters import Compare

    monkeypatch.setattr(nearest, "FEW", few)
    monkeypatch.setattr(nearest, "HANDFUL", 5)
    place = tmp_path / "library"
    rows, queries = filled(place, 3000), vectors(20, seed=9)
    scores = cosine(queries, rows)
    compared = []
    inner = nearest.Nearest._compared
    monkeypatch.setattr(nearest.Nearest, "_compared", lambda self, *args: compared.append(1) or inner(self, *args))
    with open_store(place) as store:
        for least in (0, 1500, 2500):
            best = least + np.argsort(-scores[:, least:], axis=1)[:, :10]
            found = store.search_tracks(queries, 10, Compare("year", ">=", least), effort=Effort(times=4))
            shared = [len({int(id, 16) for id, _ in hits} & set(b)) / 10 for b, hits in zip(best, found, strict=True)]
            assert np.mean(shared) > 0.95
            for row, hits in zip(scores, found, strict=True):
                np.testing.assert_allclose([row[int(id, 16)] for id, _ in hits], [s for _, s in hits], atol=1e-5)
    assert compared, "no rough list was made"
