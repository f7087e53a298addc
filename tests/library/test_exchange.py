"""Export and import: what comes back is what was there, in any kind of store, or nothing is written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

import sonovec
from sonovec.errors import Cancelled, LibraryError, PassportError, UsageError
from sonovec.library import importing
from sonovec.library.consistency import examine
from sonovec.library.manifest import FORMAT, NAME
from sonovec.library.records import Label, Passage
from sonovec.library.store import Store


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds") / "Field"
    folder.mkdir()
    rows = ["path,mood,bpm,good"]
    for number in range(6):
        noise = np.random.default_rng(number).standard_normal(16000 * (1 + 5 * number)) / 9
        soundfile.write(folder / f"{number}.wav", noise, 16000)
        rows.append(f"{number}.wav,{'calm' if number % 2 else ''},{number * 10},{'yes' if number else 'no'}")
    soundfile.write(folder / "silence.wav", np.zeros(16000), 16000)
    (folder / "my.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def library(sounds):
    """With columns of the user's, an analyser's, tags, a second space, a passage and a label."""
    with sonovec.Library(sounds.parent / "library", segment_seconds=5) as library:
        library.add(sounds, metadata=sounds / "my.csv", analysers=["loudness"])
    with sonovec.Library(sounds.parent / "library", model="logmel") as second:
        second.add(sounds, space="second")
    with sonovec.Library(sounds.parent / "library") as library:
        track = library.tracks()[0].id
        library.passages.put([Passage(track, 0, 1, "grüß dich", "me", 5.0, "de")])
        library.labels.put([Label(track, 0.5, 1, "dog", "me", 6.0, 0.75)])
        yield library


@pytest.fixture(scope="module")
def exported(library, sounds):
    folder = sounds.parent / "export"
    library.export(folder)
    return folder


def content(library):
    """All that a library holds, but for where its files lie on this machine."""
    store = library._store
    vectors = {}
    for space in library.spaces():
        for level in ("track", "segment"):
            for batch in library.vectors(space, level):
                keys = zip(*(batch.column(i).to_pylist() for i in range(batch.num_columns - 1)), strict=True)
                rows = batch.column("vector").flatten().to_numpy().reshape(len(batch), -1)
                vectors |= {(space, level, key): row.tobytes() for key, row in zip(keys, rows, strict=True)}
    return {
        "config": library.config,
        "columns": library.columns(),
        "spaces": library.spaces(),
        "tracks": {track.id: track.fields for track in store.tracks()},
        "coverage": {
            id: [(part.coverage, part.tags) for part in parts] for id, parts in store.segments(store.ids()).items()
        },
        "vectors": vectors,
        "passages": library.passages.get(),
        "labels": library.labels.get(),
    }


@pytest.mark.slow
def test_all_comes_back_in_every_kind_of_store(library, exported, location, sounds):
    with sonovec.Library(location) as copy:
        done = copy.import_(exported)
        assert (done.tracks, done.present, done.failures, done.aliases) == (7, 0, [], {})
        assert content(copy) == content(library)
        assert not list(examine(copy._store, copy.ledger).faults())
        for query in (sounds / "3.wav", library.tracks()[2].id):
            for level in ("track", "segment"):
                there, here = (
                    [(hit.id, hit.score, hit.start, hit.end) for hit in each.search(query, level=level)]
                    for each in (copy, library)
                )
                assert there == here
        assert copy.import_(exported).present == 7
        again = location + ".export" if "://" not in location else str(sounds.parent / "again")
        copy.export(again)
    with sonovec.Library(sounds.parent / f"back-{'lance' if location.endswith('library') else 'milvus'}") as back:
        back.import_(again)
        assert content(back) == content(library)


def test_another_machine_has_no_files_and_can_say_where_they_are(exported, tmp_path, sounds):
    with sonovec.Library(tmp_path / "library") as copy:
        copy.import_(exported)
        assert {track.path.rpartition("/")[0] for track in copy.tracks()} == {"Field:"}
        assert [(root.alias, root.folder) for root in copy.roots()] == [("Field", None)]
        first = copy.search("Field:/2.wav", limit=1, include_self=True)[0]
        assert (first.path, first.score) == ("Field:/2.wav", 1.0)
        copy.move_root("Field", sounds)
        assert copy.search("Field:/2.wav", limit=1, include_self=True)[0].path == str(sounds / "2.wav")
        report = copy.add(sounds)
        assert (report.counts.unchanged, report.counts.indexed) == (7, 0)


def test_the_files_say_nothing_of_this_machine(exported, sounds):
    assert sorted(path.name for path in exported.iterdir()) == [
        "labels.parquet", "main.segments.parquet", "main.tracks.parquet", NAME, "passages.parquet",
        "second.segments.parquet", "second.tracks.parquet", "tracks.parquet",
    ]  # fmt: skip
    assert str(sounds.parent).encode() not in b"".join(path.read_bytes() for path in exported.iterdir())
    assert pq.read_table(exported / "tracks.parquet").column("path").to_pylist()[0].startswith("Field:/")
    told = json.loads((exported / NAME).read_text())
    assert told["counts"]["tracks"] == 7 and told["config"]["passport"] and told["format"] == FORMAT
    assert {"mood", "bpm", "good", "loudness", "sound_tags"} <= {column["name"] for column in told["columns"]}


@pytest.mark.parametrize("what", ["changed", "missing", "later", "damaged", "no export"])
def test_what_is_not_as_it_was_written_is_refused(exported, tmp_path, what):
    folder = shutil.copytree(exported, tmp_path / "export")
    file = folder / "main.segments.parquet"
    told = json.loads((folder / NAME).read_text())
    if what == "changed":
        held = bytearray(file.read_bytes())
        held[200] ^= 1
        file.write_bytes(held)
    elif what == "missing":
        file.unlink()
    elif what == "later":
        (folder / NAME).write_text(json.dumps({**told, "format": FORMAT + 1}))
    elif what == "damaged":
        (folder / NAME).write_text(json.dumps({**told, "config": {}}))
    else:
        (folder / NAME).unlink()
    message = {
        "changed": "main.segments.parquet: differs from its checksum",
        "missing": "main.segments.parquet: is missing",
        "later": f"has format {FORMAT + 1}, and this sonovec reads formats up to {FORMAT}",
        "damaged": f"{NAME}: is damaged",
        "no export": "is not an exported library",
    }[what]
    with sonovec.Library(tmp_path / "library") as library:
        with pytest.raises((LibraryError, UsageError), match=message):
            library.import_(folder)
        assert library.config is None, "nothing was made"


def test_vectors_of_two_kinds_are_not_mixed(exported, tmp_path, sounds):
    with sonovec.Library(tmp_path / "other", model="logmel") as other:
        other.add(sounds / "1.wav")
        with pytest.raises(
            PassportError, match="made with other settings .*model is 'logmel' there and 'sonovec-1' in"
        ):
            other.import_(exported)
        assert len(other) == 1
    with sonovec.Library(tmp_path / "longer", segment_seconds=10) as longer:
        longer.add(sounds / "1.wav")
        with pytest.raises(PassportError, match=r"segment_seconds is 10 there and 5 in the export"):
            longer.import_(exported)


def test_into_a_library_that_has_other_files_under_the_same_name(exported, tmp_path):
    """The tracks that it has are as they were, and its own root keeps its name."""
    folder = tmp_path / "Field"
    folder.mkdir()
    soundfile.write(folder / "1.wav", np.random.default_rng(99).standard_normal(32000) / 9, 16000)
    with sonovec.Library(tmp_path / "library", segment_seconds=5) as library:
        library.add(folder)
        before = content(library)["tracks"]
        done = library.import_(exported)
        assert done.aliases == {"Field": "Field-2"} and done.tracks == 7
        after = content(library)["tracks"]
        assert {id: {**fields, **before[id]} for id, fields in after.items() if id in before} == {
            id: fields for id, fields in after.items() if id in before
        }
        assert {fields["path"].partition(":")[0] for id, fields in after.items() if id not in before} == {"Field-2"}
        assert library.import_(exported).aliases == {"Field": "Field-2"}, "it is known again"
        assert library.add(folder).counts.unchanged == 1


@pytest.mark.parametrize("kill_at", range(1, 8))
def test_an_import_that_was_killed_is_finished_by_the_next(library, exported, tmp_path, monkeypatch, kill_at):
    monkeypatch.setattr(importing, "ROWS", 3)
    done = Store.table_to_write
    calls = 0

    def killed(store, spec):
        nonlocal calls
        calls += 1
        if calls == kill_at:
            raise KeyboardInterrupt
        return done(store, spec)

    with sonovec.Library(tmp_path / "library") as copy:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Store, "table_to_write", killed)
            copy.import_(exported)
        assert len(copy) == 0
        copy.import_(exported)
        assert content(copy) == content(library)


def test_a_cancel_leaves_no_folder(library, tmp_path):
    job = sonovec.Job(lambda progress: progress.done and job.cancel())
    with pytest.raises(Cancelled):
        library.export(tmp_path / "export", progress=job)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(UsageError, match="exists already; give a new folder"):
        library.export(tmp_path / "full")


@pytest.mark.slow
def test_what_a_store_cannot_keep_is_named(tmp_path, sounds):
    long = tmp_path / "long.csv"
    long.write_text(f"path,story\n0.wav,{'x' * 70_000}\n")
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds, metadata=long)
        library.export(tmp_path / "export")
    with sonovec.Library(tmp_path / "library.db") as copy:
        done = copy.import_(tmp_path / "export")
        assert [path for path, _ in done.failures] == ["Field:/0.wav"] and "story" in done.failures[0][1]
        assert done.tracks == len(copy) == 6
        assert not list(examine(copy._store, copy.ledger).faults())


def test_a_manifest_reads_what_it_wrote(exported, tmp_path):
    manifest = importing.Manifest.read(exported)
    manifest.write(tmp_path)
    assert importing.Manifest.read(tmp_path) == manifest
    assert replace(manifest, version="other") != manifest
