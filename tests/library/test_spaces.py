"""Spaces: a second encoder's vectors beside the library's own, on every store, in Python and on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.cli.main import run
from sonovec.errors import AudioError, PassportError, UsageError
from sonovec.library import consistency
from sonovec.library.identity import content_hash
from sonovec.library.lance_table import LanceTable
from sonovec.library.open import open_store
from sonovec.library.records import Label, Passage, Segment, Space
from sonovec.library.tables import vectors_of
from tests.library.test_store import CONFIG, item

OTHER = Space("other", 8, {"model": "b"}, 5.0, "b", {}, "segment")
WHOLE = Space("whole", 4, {"model": "c"}, 5.0, "c", {}, "track")


@pytest.fixture
def store(location):
    with open_store(location) as store:
        store.create(CONFIG)
        yield store


def vectors_for(ids, dim, seed=1):
    rows = np.random.default_rng(seed).standard_normal((len(ids), dim)).astype(np.float32)
    parts = [[Segment(0, 0.0, 5.0, 1.0, row), Segment(1, 5.0, 9.0, 0.8, -row)] for row in rows]
    return list(zip(ids, rows, parts, strict=True))


def test_a_space_is_added_filled_searched_and_dropped_and_the_tracks_stay(store):
    store.put_many([item(n) for n in range(6)])
    ids = [item(n)[0].id for n in range(6)]
    store.add_space(OTHER)
    store.add_space(WHOLE)
    assert store.spaces() == {"main": CONFIG.main, "other": OTHER, "whole": WHOLE}
    made = vectors_for(ids[:4], 8)
    store.put_vectors(made, "other")
    store.put_vectors(vectors_for(ids[:2], 4), "whole")
    assert store.holds(ids, "other") == set(ids[:4]) and store.holds(ids) == set(ids)
    ((first, *_),) = store.search_tracks(made[2][1][None], 10, space="other")
    assert first[0] == ids[2] and first[1] == pytest.approx(1, abs=1e-4)
    ((hit, *rest),) = store.search_segments(-made[2][1][None], 10, space="other")
    assert hit[:2] == (ids[2], 1) and len(rest) == 7
    assert len(store.search_tracks(np.ones((1, 4)), 10, space="whole")[0]) == 2
    with pytest.raises(UsageError, match="holds no segments; search it with level='track'"):
        store.search_segments(np.ones((1, 4)), 10, space="whole")
    with pytest.raises(UsageError, match=r"give finite numbers of shape \(q, 8\)"):
        store.search_tracks(np.ones((1, 16)), 10, space="other")
    before = store.get(ids, vectors=True)
    store.drop_space("other")
    assert list(store.spaces()) == ["main", "whole"] and store.count() == (6, 12)
    after = store.get(ids, vectors=True)
    assert all(after[id].fields == before[id].fields and (after[id].vector == before[id].vector).all() for id in ids)
    store.add_space(OTHER)
    assert store.holds(ids, "other") == set(), "a space that is made anew is empty"


def test_a_track_that_is_removed_is_removed_from_all_spaces(store):
    store.put_many([item(n) for n in range(4)])
    ids = [item(n)[0].id for n in range(4)]
    store.add_space(OTHER)
    store.put_vectors(vectors_for(ids, 8), "other")
    store.delete(ids[:3])
    assert store.holds(ids, "other") == {ids[3]} and list(store.segments(ids, "other")) == [ids[3]]
    assert store.table(vectors_of(OTHER)).count() == 1


def test_what_is_wrong_with_a_space_is_said(store):
    taken, wrong = "has a space 'main' already", "give at most 40 letters"
    for name, says in (("main", taken), ("Main", taken), ("1st", wrong), ("a b", wrong), ("", wrong), ("_x", wrong)):
        with pytest.raises(UsageError, match=says):
            store.add_space(Space(name, 4, {}, 5.0, "c"))
    for call in (store.space, store.drop_space, lambda name: store.vectors(name)):
        with pytest.raises(UsageError, match="no space 'none'; it has main"):
            call("none")
    with pytest.raises(UsageError, match="is the library's own"):
        store.drop_space("main")


@pytest.mark.slow
def test_vectors_are_read_out_by_the_batch(store):
    items = [item(n, 3) for n in range(2100)]
    store.put_many(items)
    store.delete([items[5][0].id])
    found = {}
    for batch in store.vectors():
        assert batch.schema.names == ["id", "vector"] and len(batch) <= 8192
        rows = batch.column("vector").flatten().to_numpy().reshape(len(batch), -1)
        found |= dict(zip(batch.column("id").to_pylist(), rows, strict=True))
    assert set(found) == {track.id for track, _ in items if track.id != items[5][0].id}
    np.testing.assert_allclose(found[items[7][0].id], items[7][0].vector, rtol=1e-6)
    segments = sum(len(batch) for batch in store.vectors(level="segment"))
    assert segments == 2099 * 3
    with pytest.raises(UsageError, match="level='part' is unknown"):
        store.vectors(level="part")


# -- with encoders


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Five sounds, one of 25 s, in a library of log-mel statistics; tests work on copies."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "sounds").mkdir()
    for seed in range(5):
        samples = np.random.default_rng(seed).standard_normal(16000 * (25 if seed == 4 else 2)) / (8 + seed)
        soundfile.write(folder / "sounds" / f"{seed}.wav", samples, 16000)
    with sonovec.Library(folder / "library", model="logmel") as library:
        library.add(folder / "sounds")
    return folder


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made / "library", tmp_path / "library")
    return tmp_path / "library"


def test_a_second_encoder_embeds_what_is_there_and_nothing_twice(made, place, tmp_path):
    more = tmp_path / "more.wav"
    soundfile.write(more, np.random.default_rng(9).standard_normal(16000) / 8, 16000)
    with sonovec.Library(place, model="sonovec-1") as library:
        entries = list(library.ledger.entries())
        report = library.add([made / "sounds", more], space="second")
        assert (report.counts.indexed, report.counts.skipped) == (5, 1)
        assert report.left_out == [(str(more), "not in the library; index it without --space first")]
        again = library.add(made / "sounds", space="second")
        assert (again.counts.indexed, again.counts.unchanged) == (0, 5)
        assert list(library.ledger.entries()) == entries
    with sonovec.Library(place) as library:
        spaces = library.spaces()
        assert spaces["second"].model == "sonovec-1" and library.config.model == "logmel"
        for sound in sorted((made / "sounds").iterdir()):
            for level in ("track", "segment"):
                hits = library.search(sound, space="second", level=level, include_self=True)
                assert len(hits) == 5 and hits[0].path == str(sound) and hits[0].score == pytest.approx(1, abs=1e-4)
        part = library.search(
            made / "sounds" / "4.wav", start=11, end=19, space="second", level="segment", include_self=True
        )
        assert part[0].path.endswith("4.wav") and part[0].start == 10.0
        ids, rows = library.vectors("second").numpy()
        assert rows.shape == (5, spaces["second"].dim) and set(ids) == {track.id for track in library.tracks()}
        with pytest.raises(PassportError, match="space 'second': made with another encoder"):
            sonovec.Library(place, model="logmel").add(made / "sounds", space="second")


def test_a_run_that_was_interrupted_is_taken_up(made, place):
    with sonovec.Library(place, model="sonovec-1") as library:

        def stop(progress):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            library.add(made / "sounds", space="second", progress=stop)
        held = len(library._store.holds([track.id for track in library.tracks()], "second"))
        assert library.add(made / "sounds", space="second").counts.indexed == 5 - held


def test_a_space_whose_encoder_is_not_here_is_searched_by_indexed_tracks(made, place, monkeypatch):
    with sonovec.Library(place, model="sonovec-1") as library:
        library.add(made / "sounds", space="second")

    def away(*arguments, **options):
        raise AssertionError("the encoder is loaded")

    from sonovec.embedding import encoder

    monkeypatch.setattr(encoder, "load", away)
    with sonovec.Library(place) as library:
        assert len(library.search(made / "sounds" / "1.wav", space="second", include_self=True)) == 5
        assert len(library.search(library.tracks()[0].id, space="second", level="segment", include_self=True)) == 5
        with pytest.raises(AudioError, match="no indexed track of that path or id"):
            library.search("none", space="second")


def test_the_commands(made, place, capsys):
    sounds, library = str(made / "sounds"), str(place)
    assert run(["index", sounds, "-l", library, "--space", "second"]) == 2
    assert "say which encoder it is for: sonovec index PATH" in capsys.readouterr().err
    assert run(["index", sounds, "-l", library, "--space", "second", "-m", "sonovec-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["indexed"] == 5
    assert run(["index", sounds, "-l", library, "--space", "second", "--prune"]) == 2
    assert "metadata, prune and analysers are of tracks" in capsys.readouterr().err
    assert run(["library", "spaces", library, "--json"]) == 0
    told = {space["name"]: space for space in json.loads(capsys.readouterr().out)["spaces"]}
    assert list(told) == ["main", "second"] and told["second"]["tracks"] == 5 and told["second"]["model"] == "sonovec-1"
    sound = str(Path(sounds, "3.wav"))
    assert run(["search", sound, "-l", library, "--space", "second", "--exact", "--include-self", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"][0]["path"] == sound
    assert run(["search", sound, "-l", library, "--space", "third"]) == 2
    assert "no space 'third'; it has main, second" in capsys.readouterr().err
    assert run(["library", "drop-space", library, "second"]) == 0
    assert run(["library", "drop-space", library, "main"]) == 2
    capsys.readouterr()
    assert run(["library", "spaces", library]) == 0
    assert "second" not in capsys.readouterr().out


# -- what may be compared


def test_a_library_in_another_precision_is_searched_with_a_warning_and_not_added_to(made, place, caplog):
    """As one in bf16 on a processor without it."""
    path = place / "library.json"
    config = json.loads(path.read_text())
    config["passport"]["precision"] = "bf16"
    path.write_text(json.dumps(config))
    copy_of_config_is_gone(place)
    with sonovec.Library(place) as library:
        sound = (np.random.default_rng(3).standard_normal(32000).astype(np.float32) / 11, 16000)
        for _ in range(2):
            assert library.search(sound, limit=1)[0].path.endswith("3.wav")
        told = [record.getMessage() for record in caplog.records if record.name == "sonovec"]
        assert len(told) == 1 and "made with precision bf16; this search uses f32" in told[0]
        with pytest.raises(PassportError, match="precision is 'bf16' there and 'f32' here.*; add sounds on a machine"):
            library.add(made / "sounds")
    assert run(["search", str(made / "sounds" / "0.wav"), "-l", str(place)]) == 0


def copy_of_config_is_gone(place):
    """As in a library that was made when the tables kept none."""
    import lance

    from sonovec.library.lance_folder import COPY

    dataset = lance.dataset(str(place / "tables" / "main.tracks.lance"))
    dataset.update_field_metadata({"id": {COPY.decode(): None}})


# -- kills


@pytest.mark.slow
def test_what_a_kill_leaves_of_removed_tracks_is_removed_by_the_next_run(made, place, tmp_path, monkeypatch):
    """After each write to a table while a prune takes a track out of all spaces, with its passages and labels."""
    sounds = tmp_path / "sounds"
    shutil.copytree(made / "sounds", sounds)
    place = tmp_path / "own"
    with sonovec.Library(place, model="logmel") as library:
        library.add(sounds)
    with sonovec.Library(place, model="logmel", hop=0.5) as library:
        library.add(sounds, space="second")
        ids = library._store.ids()
        library.labels.put([Label(id, 0.0, 1.0, "Dog", "Ann", 1.0) for id in ids])
        library.passages.put([Passage(id, 0.0, 1.0, "a dog", "Ann", 1.0) for id in ids])
    for step in range(20):
        own = tmp_path / f"own{step}"
        shutil.copytree(place, own)
        shutil.rmtree(sounds)
        shutil.copytree(made / "sounds", sounds)
        (sounds / "1.wav").unlink()
        (sounds / "4.wav").write_bytes((sounds / "4.wav").read_bytes()[:-20000])
        with sonovec.Library(own) as library, monkeypatch.context() as patch:
            for name in ("delete", "upsert", "update"):
                patch.setattr(LanceTable, name, killed_after(step, getattr(LanceTable, name)))
            KILLED.clear()
            try:
                library.add(sounds, prune=True)
                finished = True
            except KeyboardInterrupt:
                finished = False
        with sonovec.Library(own) as library:
            library.add(sounds, prune=True)
            assert [*consistency.examine(library._store, library.ledger).faults()] == [], step
            assert set(library._store.ids()) == {content_hash(path) for path in sounds.iterdir()}
            assert {label.track for label in library.labels.get()} <= set(library._store.ids())
        if finished:
            break
    assert finished and step >= 8


KILLED = []


def killed_after(step, original):
    def write(self, *arguments):
        if len(KILLED) >= step:
            raise KeyboardInterrupt
        KILLED.append(original(self, *arguments))

    return write


@pytest.mark.slow
def test_the_space_voice_needs_no_model(place, made, tmp_path):
    torch = pytest.importorskip("torch")
    from sonovec.models import resemblyzer

    with sonovec.Library(place) as library, pytest.raises(UsageError, match=r"make one with: .* --space voice$"):
        library.search(made / "sounds" / "0.wav", space="voice")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save({"model_state": resemblyzer.network().state_dict()}, tmp_path / "weights.pt")
    with sonovec.Library(place, weights=tmp_path / "weights.pt") as library:
        assert library.add(made / "sounds", space="voice").counts.indexed == 5
        space = library.spaces()["voice"]
        assert (space.model, space.segment_seconds, space.dim) == ("resemblyzer", 3.0, 256)
        [long] = library.tracks("duration > 20")
        lengths = [part.end - part.start for part in library._store.segments([long.id], "voice")[long.id]]
        assert len(lengths) > 5 and max(lengths) < 5
        # Random weights give some sounds the zero vector, which has no neighbours.
        assert 0 < len(library.search(made / "sounds" / "0.wav", space="voice")) <= 4
