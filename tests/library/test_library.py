"""The library as users hold it: index, search, move, change, prune, refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec import demo
from sonovec.cli.main import run
from sonovec.embedding.encoder import Encoder
from sonovec.errors import AudioError, LibraryError, LibraryLockedError, PassportError, UsageError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of demo sounds and its library; tests must not change either."""
    folder = tmp_path_factory.mktemp("made")
    paths = demo.write(folder / "sounds", per_kind=2)
    library = sonovec.Library(folder / "library")
    report = library.add(folder / "sounds", metadata=folder / "sounds" / "demo.csv")
    return folder, paths, library, report


@pytest.fixture
def sounds(tmp_path):
    """A folder of six short files that a test may change."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for index in range(6):
        write_sound(folder / f"{index}.wav", index)
    return folder


def write_sound(path, seed):
    with path.open("wb") as file:
        soundfile.write(file, np.random.default_rng(seed).standard_normal(8000) / 8, 8000, format="WAV")


@pytest.fixture
def library(tmp_path):
    with sonovec.Library(tmp_path / "library") as library:
        yield library


@pytest.fixture
def embedded(monkeypatch):
    """Paths that were really embedded, to show what was not embedded again."""
    paths = []
    original = Encoder.pool_many

    def recording(self, sounds, *more):
        def tap():
            for sound in sounds:
                paths.append(Path(sound))
                yield sound

        return original(self, tap(), *more)

    monkeypatch.setattr(Encoder, "pool_many", recording)
    return paths


def names(library):
    return sorted(Path(track.path).name for track in library.tracks())


# -- index and search


def test_every_file_has_a_row_and_the_sum_is_right(made):
    folder, paths, library, report = made
    assert report.counts.indexed == len(paths) == len(library) == len(library.tracks())
    assert report.counts.found == report.counts.indexed + report.counts.skipped  # the CSV among the sounds
    assert not report.failures
    files = [path for path in (folder / "sounds").rglob("*") if path.is_file()]
    assert len(list(library.ledger.entries())) == len(files)


def test_a_sound_finds_itself_first_and_its_kind_next(made):
    _, paths, library, _ = made
    own_kind = 0
    for path in paths:
        hits = library.search(path, limit=3, include_self=True)
        assert hits[0].path == str(path) and hits[0].score == pytest.approx(1, abs=1e-4)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        own_kind += Path(hits[1].path).parent == path.parent
    assert own_kind > len(paths) / 2


def test_hits_say_which_seconds_match_and_what_is_stored(made):
    _, paths, library, _ = made
    hit = library.search(paths[0], limit=1)[0].to_json()
    assert {"path", "score", "query_start", "query_end", "start", "end", "title", "duration", "kind"} <= set(hit)
    assert hit["start"] == hit["query_start"] == 0
    assert hit["end"] == pytest.approx(hit["duration"], abs=0.01)


def test_the_right_seconds_of_a_long_file_are_found(tmp_path, library):
    """A drum loop hidden at 20 to 30 s of a minute of hiss is found there by a bare recording of it."""
    rng = np.random.default_rng(0)
    rate = 16000
    hidden = np.sin(2 * np.pi * 660 * np.arange(10 * rate) / rate) * 0.5
    long = rng.standard_normal(60 * rate) * 0.02
    long[20 * rate : 30 * rate] += hidden
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "long.wav", long, rate)
    soundfile.write(tmp_path / "in" / "other.wav", rng.standard_normal(60 * rate) * 0.02, rate)
    soundfile.write(tmp_path / "query.wav", hidden[: 5 * rate], rate)
    library.add(tmp_path / "in")
    hit = library.search(tmp_path / "query.wav", limit=1, level="segment")[0]
    assert Path(hit.path).name == "long.wav"
    assert (hit.start, hit.end) == (20, 30)
    back = library.search(tmp_path / "in" / "long.wav", start=20, end=30, limit=1, level="segment", include_self=True)[
        0
    ]
    assert (back.query_start, back.query_end, back.start, back.end) == (20, 30, 20, 30)


def test_search_by_vector_samples_and_id(made):
    _, _, library, _ = made
    track = library.tracks()[0]
    embedding = library.encoder.embed(track.path)
    by_vector = library.search(embedding.vector, limit=3)
    assert by_vector[0].id == track.id and by_vector[0].query_start is None
    samples, rate = soundfile.read(track.path, dtype="float32")
    assert library.search((samples, rate), limit=1)[0].id == track.id
    assert library.search(track.id, limit=1, include_self=True)[0].id == track.id


def test_filters_choose_among_tracks_at_both_levels(made):
    _, paths, library, _ = made
    kind = paths[0].parent.name
    for level in ("track", "segment"):
        hits = library.search(paths[0], filter=f"kind != '{kind}' and duration > 1", limit=100, level=level)
        assert len(hits) == sum(path.parent.name != kind for path in paths)
        assert all(hit.fields["kind"] != kind for hit in hits)
    assert library.search(paths[0], filter="duration > 9999") == []
    assert len(library.tracks(f"kind = '{kind}'")) == 2


def test_wrong_arguments_name_the_value_and_the_way_out(made):
    _, paths, library, _ = made
    with pytest.raises(UsageError, match="limit=-1 is negative; give 0 or more"):
        library.search(paths[0], limit=-1)
    with pytest.raises(UsageError, match=r"limit=2\.5 is not a whole number"):
        library.search_text("rain", limit=2.5)
    with pytest.raises(UsageError, match="limit='3' is not a whole number"):
        library.tracks(limit="3")
    with pytest.raises(UsageError, match="level='bar'.*track, segment"):
        library.search(paths[0], level="bar")
    with pytest.raises(UsageError, match="knd"):
        library.search(paths[0], filter="knd = 'x'")
    with pytest.raises(UsageError, match=r"shape \(3,\)"):
        library.search(np.zeros(3, np.float32))
    with pytest.raises(AudioError, match=r"nowhere\.wav: no such file"):
        library.search("nowhere.wav")
    with pytest.raises(UsageError, match="segment_seconds=0"):
        sonovec.Library("x", segment_seconds=0)


def test_a_limit_of_nothing_gives_nothing_and_those_of_numpy_count(made):
    _, paths, library, _ = made
    for level in ("track", "segment"):
        assert library.search(paths[0], limit=0, level=level) == []
        assert len(library.search(paths[0], limit=np.int64(2), level=level)) == 2
    assert library.search_text("rain", limit=0).hits == [] and library.tracks(limit=0) == []
    assert len(library.search_text("music", limit=np.int32(1)).hits) == len(library.tracks(limit=np.int64(1))) == 1


def test_no_library_is_said_and_none_is_made(tmp_path):
    library = sonovec.Library(tmp_path / "none")
    with pytest.raises(LibraryError, match=r"none: no library here; make it with: sonovec index"):
        library.search(np.zeros(3, np.float32))
    with pytest.raises(LibraryError):
        len(library)
    assert not (tmp_path / "none").exists()


def test_a_folder_of_other_things_does_not_become_a_library(sounds):
    with pytest.raises(UsageError, match="is not a library and holds other files; give a new folder"):
        sonovec.Library(sounds).add(sounds)
    assert sorted(path.name for path in sounds.iterdir()) == [f"{i}.wav" for i in range(6)]


def test_a_library_that_was_killed_while_it_was_made_is_finished(sounds, library, monkeypatch):
    """After each of the writes that make it."""
    from sonovec.library import lance_backend

    steps = []

    def stop_at(step):
        def stopping(original):
            def wrapped(*arguments, **options):
                result = original(*arguments, **options)
                steps.append(original.__name__)
                if len(steps) == step:
                    raise KeyboardInterrupt
                return result

            return wrapped

        return stopping

    for step in range(1, 6):
        steps.clear()
        with monkeypatch.context() as patch:
            patch.setattr(lance_backend, "create_table", stop_at(step)(lance_backend.create_table))
            with pytest.raises(KeyboardInterrupt):
                library.add(sounds)
        library.close()
    assert library.add(sounds).counts.found == 6 and len(library) == 6


def test_a_library_inside_the_indexed_folder_is_passed_over(sounds):
    library = sonovec.Library(sounds / "library")
    library.add(sounds)
    report = library.add(sounds)
    assert report.counts.found == report.counts.unchanged == 6


# -- again, after changes


def test_a_second_run_embeds_nothing(sounds, library, embedded):
    library.add(sounds)
    assert len(embedded) == 6
    report = library.add(sounds)
    assert len(embedded) == 6
    assert (report.counts.unchanged, report.counts.found) == (6, 6)


def test_a_moved_file_keeps_its_vectors(sounds, library, embedded):
    library.add(sounds)
    (sounds / "0.wav").rename(sounds / "renamed.wav")
    library.add(sounds)
    assert len(embedded) == 6
    assert names(library) == ["1.wav", "2.wav", "3.wav", "4.wav", "5.wav", "renamed.wav"]
    assert library.ledger.lookup(sounds / "0.wav") is None
    assert "moved from" in library.ledger.lookup(sounds / "renamed.wav").reason


def test_a_copy_is_told_and_not_embedded(sounds, library, embedded):
    shutil.copy(sounds / "0.wav", sounds / "copy.wav")
    report = library.add(sounds)
    assert len(embedded) == len(library) == 6
    assert report.copies == report.counts.skipped == 1
    assert "same content as" in library.ledger.lookup(sounds / "copy.wav").reason
    again = library.add(sounds)
    assert (again.counts.unchanged, again.copies, len(embedded)) == (6, 1, 6)


def test_a_copy_takes_over_when_the_original_is_pruned(sounds, library, embedded):
    library.add(sounds)
    shutil.copy(sounds / "0.wav", sounds / "copy.wav")
    library.add(sounds)
    (sounds / "0.wav").unlink()
    library.add(sounds, prune=True)
    assert names(library) == ["1.wav", "2.wav", "3.wav", "4.wav", "5.wav", "copy.wav"]
    assert len(embedded) == 6


def test_a_changed_file_is_replaced(sounds, library, embedded):
    library.add(sounds)
    old = library.ledger.lookup(sounds / "0.wav").content_hash
    write_sound(sounds / "0.wav", 99)
    report = library.add(sounds)
    assert report.counts.indexed == 1 and embedded[6:] == [sounds / "0.wav"]
    assert len(library) == 6
    assert old not in {track.id for track in library.tracks()}


def test_what_vanished_is_counted_and_pruned_only_when_asked(sounds, library):
    library.add(sounds)
    (sounds / "3.wav").unlink()
    report = library.add(sounds)
    assert (report.vanished, report.pruned, len(library)) == (1, False, 6)
    report = library.add(sounds, prune=True)
    assert (report.vanished, report.pruned, len(library)) == (1, True, 5)
    assert library.ledger.lookup(sounds / "3.wav") is None


def test_a_folder_that_is_gone_is_not_pruned(sounds, library):
    """It may be a disk that is not mounted."""
    library.add(sounds)
    sounds.rename(sounds.with_name("unmounted"))
    report = library.add(sounds, prune=True)
    assert report.failures and len(library) == 6


def test_a_vanished_file_can_still_be_searched_for(sounds, library):
    library.add(sounds)
    (sounds / "2.wav").unlink()
    assert library.search(sounds / "2.wav", limit=1, include_self=True)[0].score == pytest.approx(1, abs=1e-4)


def test_a_file_that_changed_since_is_embedded_anew_for_a_search(sounds, library):
    library.add(sounds)
    write_sound(sounds / "0.wav", 5)
    os.utime(sounds / "0.wav", ns=(1, 1))
    assert Path(library.search(sounds / "0.wav", limit=1, include_self=True)[0].path).name == "5.wav"


# -- files that cannot be read, and files with something to tell


def test_what_fails_is_named_and_the_rest_goes_on(sounds, library):
    (sounds / "text.wav").write_text("not sound")
    (sounds / "empty.flac").touch()
    (sounds / "nan.wav").unlink(missing_ok=True)
    samples = np.random.default_rng(0).standard_normal(8000).astype(np.float32) / 8
    samples[10:15] = np.nan
    soundfile.write(sounds / "nan.wav", samples, 8000, subtype="FLOAT")
    (sounds / "readme.txt").write_text("words")
    report = library.add(sounds)
    assert report.counts.indexed == 7 and report.counts.failed == 2 and report.counts.skipped == 1
    assert sorted(Path(path).name for path, _ in report.failures) == ["empty.flac", "text.wav"]
    assert all("\n" not in reason for _, reason in report.failures)
    assert [Path(path).name for path, _ in report.notes] == ["nan.wav"]
    assert library.ledger.lookup(sounds / "text.wav").reason
    assert library.tracks("path contains 'nan'")[0].fields["notes"]


def test_awkward_names_round_trip(tmp_path, library):
    folder = tmp_path / "odd"
    folder.mkdir()
    raw = [b"with space.wav", b"quote'\"`.wav", b"new\nline.wav", b"latin-\xe9.wav", "snow ☃.wav".encode(), b"%_\\.wav"]
    for seed, name in enumerate(raw):
        write_sound(folder / os.fsdecode(name), seed)
    report = library.add(folder)
    assert report.counts.indexed == len(raw) and not report.failures
    assert library.add(folder).counts.unchanged == len(raw)
    for path in folder.iterdir():
        hit = library.search(path, limit=1, include_self=True)[0]
        assert hit.score == pytest.approx(1, abs=1e-4)
        hit.path.encode()


def test_a_metadata_file_updates_tracks_that_are_there(sounds, library, tmp_path, embedded):
    library.add(sounds)
    (tmp_path / "m.csv").write_text("path,mood,stars\nsounds/0.wav,calm,5\nsounds/1.wav,wild,\nsounds/nope.wav,x,1\n")
    report = library.add(sounds, metadata=tmp_path / "m.csv")
    assert len(embedded) == 6
    assert [Path(t.path).name for t in library.tracks("mood = 'calm' and stars >= 5")] == ["0.wav"]
    assert len(report.metadata_unused) == 1 and "nope.wav" in report.metadata_unused[0]


# -- two encoders, two processes


def test_another_encoder_is_refused_with_the_field_and_the_way_out(sounds, library):
    library.add(sounds)
    with pytest.raises(PassportError, match="model is 'sonovec-1' there and 'vggish' here.*sonovec index PATH -l NEW"):
        sonovec.Library(library.location.address, model="vggish").add(sounds)
    with pytest.raises(PassportError, match="hop is 64000 there and 16000 here"):
        sonovec.Library(library.location.address, hop=0.5).add(sounds)
    with pytest.raises(PassportError, match="segment_seconds is 10.0 there and 3.0 here"):
        sonovec.Library(library.location.address, segment_seconds=3.0).add(sounds)


def test_a_library_keeps_the_settings_it_was_made_with(sounds, tmp_path):
    sonovec.Library(tmp_path / "l", hop=0.5, tail="drop", segment_seconds=2.0).add(sounds)
    reopened = sonovec.Library(tmp_path / "l")
    assert reopened.encoder.window.hop == 16000 and reopened.encoder.window.tail == "drop"
    assert reopened.add(sounds).counts.unchanged == 6


@pytest.mark.slow
def test_a_second_indexer_is_told_who_is_at_it(sounds, library):
    library.add(sounds)
    code = "import sys, sonovec; sonovec.Library(sys.argv[1]).add(sys.argv[2])"
    seen = []

    def second(progress):
        if not seen:
            run = subprocess.run(
                [sys.executable, "-c", code, library.location.address, sounds],
                capture_output=True,
                text=True,
                check=False,
            )
            seen.append(run.stderr)

    write_sound(sounds / "new.wav", 50)
    library.add(sounds, progress=second)
    assert LibraryLockedError.__name__ in seen[0]
    assert f"process {os.getpid()} on" in seen[0] and "searching works meanwhile" in seen[0]


@pytest.mark.slow
def test_another_process_searches_while_one_indexes(sounds, library):
    library.add(sounds)
    code = "import sys, sonovec; print(len(sonovec.Library(sys.argv[1]).search(sys.argv[2], limit=100, include_self=True)))"
    seen = []

    def search(progress):
        if not seen:
            run = subprocess.run(
                [sys.executable, "-c", code, library.location.address, sounds / "0.wav"],
                capture_output=True,
                text=True,
                check=True,
            )
            seen.append(int(run.stdout))

    write_sound(sounds / "new.wav", 50)
    library.add(sounds, progress=search)
    assert seen[0] >= 6


@pytest.mark.slow
@pytest.mark.data
def test_esc10_clips_find_their_kind_more_often_than_not(shared_data, library):
    """A slice of the real job: 10 clips of each of the 10 kinds."""
    clips = [clip for kind in sorted((shared_data / "esc10").glob("*/")) for clip in sorted(kind.glob("*.ogg"))[:10]]
    library.add(clips)
    same = [Path(hit.path).parent == clip.parent for clip in clips for hit in library.search(clip, limit=5)]
    assert np.mean(same) > 0.5


# -- what was the default once


def test_a_library_of_the_former_default_keeps_it_and_says_how_to_move_on(sounds, tmp_path):
    sonovec.Library(tmp_path / "old", model="logmel").add(sounds)
    old = sonovec.Library(tmp_path / "old")
    assert old.add(sounds).counts.unchanged == 6
    assert old.encoder.card.name == "logmel"
    assert old.search(sounds / "0.wav", limit=1)
    assert f"sonovec index {sounds} -l NEW" in old.advice
    with pytest.raises(PassportError, match="model is 'logmel' there and 'default' here"):
        sonovec.Library(tmp_path / "old", model="default").add(sounds)


def test_a_new_library_takes_the_built_in_encoder(sounds, tmp_path):
    with sonovec.Library(tmp_path / "new") as library:
        library.add(sounds)
        assert library.encoder.card.name == "sonovec-1"
        assert library.advice is None
    assert sonovec.Library(tmp_path / "new", model="default").add(sounds).counts.unchanged == 6


def test_a_typo_in_a_path_makes_no_library(tmp_path, capsys):
    assert run(["index", str(tmp_path / "Musci"), "-l", str(tmp_path / "library")]) == 2
    assert "Musci: no such file or folder; no library was made at" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "Music").mkdir()
    assert run(["index", str(tmp_path / "Musci"), str(tmp_path / "Music"), "-l", str(tmp_path / "library")]) == 1
