"""What analysers give beside columns: vectors in spaces of their own, labels and passages, on every store."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.analysis import registry
from sonovec.analysis.analyser import Analyser, Field, Findings, Noted, SpaceSpec, Spoken, VectorAnalyser
from sonovec.cli.main import run
from sonovec.embedding import encoder
from sonovec.embedding.embedding import Part
from sonovec.errors import AnalyserError, LibraryError, PassportError, UsageError
from sonovec.library import consistency
from sonovec.library.lance_backend import LanceBackend
from sonovec.library.lance_table import LanceTable
from sonovec.library.ledger import Ledger

RATE = 16000


class Bands(Analyser):
    """How much of the energy of each second lies in each of 8 bands; of the whole, in each of 4."""

    name, version, rate = "bands", "1", RATE
    fields = (Field("seconds_heard", int),)
    spaces = (SpaceSpec("bands", 8), SpaceSpec("coarse", 4, "track"))

    def begin(self, rate, channels):
        self.blocks = []

    def push(self, block):
        self.blocks.append(np.array(block))

    def vectors(self):
        sound = np.concatenate(self.blocks)
        rows = []
        for second in np.split(sound, range(RATE, len(sound), RATE)):
            power = np.abs(np.fft.rfft(second, RATE)[:8000]) ** 2
            rows.append(np.sqrt(power.reshape(8, 1000).sum(axis=1)))
        return np.array(rows, np.float32)

    def finish(self):
        rows = self.vectors()
        coarse = rows.mean(axis=0).reshape(4, 2).sum(axis=1)
        parts = [Part(float(n), n + 1.0, 1.0, row) for n, row in enumerate(rows)]
        return Findings(
            {"seconds_heard": len(rows)},
            [Spoken(0.0, 1.0, f"heard {len(rows)} seconds by {self.version}")],
            [Noted(float(n), n + 1.0, f"band {row.argmax()}", 0.5) for n, row in enumerate(rows)],
            {"bands": parts, "coarse": coarse},
        )


class Newer(Bands):
    version = "2"
    spaces = (SpaceSpec("bands", 4), SpaceSpec("coarse", 4, "track"))

    def vectors(self):
        return super().vectors()[:, ::2]

    def finish(self):
        rows = self.vectors()
        parts = [Part(float(n), n + 1.0, 1.0, row) for n, row in enumerate(rows)]
        return Findings(labels=[Noted(0.0, 1.0, "newer")], vectors={"bands": parts})


@pytest.fixture
def known(monkeypatch):
    """Analysers by name, as if their packages were installed."""
    kinds = {"bands": Bands}
    find = registry._find
    monkeypatch.setattr(registry, "_find", lambda name: kinds.get(name) or find(name))
    return kinds


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "sounds"
    folder.mkdir()
    for n in range(4):  # a tone in band 2n, then one in the next
        tones = [
            np.sin(np.arange(RATE * 2) * 2 * np.pi * (band * 1000 + 500) / RATE) / 4 for band in (2 * n, 2 * n + 1)
        ]
        soundfile.write(folder / f"{n}.wav", np.concatenate(tones), RATE)
    return folder


@pytest.fixture
def sounds(made, tmp_path):
    shutil.copytree(made, tmp_path / "sounds")
    return tmp_path / "sounds"


#: Milvus takes seconds to make collections, so the quick suite takes a folder's library.
EVERY_STORE = pytest.mark.parametrize(
    "location",
    ["lance", *(pytest.param(each, marks=pytest.mark.slow) for each in ("milvus-lite", "milvus"))],
    indirect=True,
)


@pytest.fixture
def library(location):
    with sonovec.Library(location, model="logmel", segment_seconds=1) as library:
        yield library


def names(hits):
    return [Path(hit.path).name for hit in hits]


@EVERY_STORE
def test_vectors_of_an_analyser_are_searched_by_tracks_and_by_sounds(sounds, library, known, tmp_path):
    report = library.add(sounds, analysers=["bands"])
    assert not report.notes and report.counts.indexed == 4
    spaces = library.spaces()
    assert {name: (space.level, space.dim, space.analyser) for name, space in spaces.items()} == {
        "main": ("segment", 192, None),
        "bands": ("segment", 8, "bands"),
        "coarse": ("track", 4, "bands"),
    }
    assert spaces["bands"].passport == {"analyser": "bands", "version": "1"}
    assert library.tracks_in_spaces() == dict.fromkeys(spaces, 4)
    for n, track in enumerate(sorted(library.tracks(), key=lambda track: track.path)):
        assert names(library.search(sounds / f"{n}.wav", 1, space="coarse", include_self=True)) == [f"{n}.wav"]
        assert names(library.search(track.id, 1, space="bands", level="segment", include_self=True)) == [f"{n}.wav"]
        assert {label.name for label in library.labels.get(track.id)} == {f"band {2 * n}", f"band {2 * n + 1}"}
        assert {label.source for label in library.labels.get(track.id)} == {"bands 1"}
    query = tmp_path / "query.wav"
    sound = soundfile.read(sounds / "1.wav")[0]
    soundfile.write(query, np.concatenate([np.zeros(RATE * 2), sound * 0.5]), RATE)
    hit = library.search(query, 1, space="bands", level="segment", start=4.0)[0]
    assert Path(hit.path).name == "1.wav" and hit.score == pytest.approx(1, abs=1e-3)
    assert (hit.query_start, hit.start) in {(4.0, 2.0), (4.0, 3.0), (5.0, 2.0), (5.0, 3.0)}
    assert names(library.search((sound.astype(np.float32) / 3, RATE), 1, space="coarse")) == ["1.wav"]
    rows = library.search(sounds / "2.wav", 1, space="bands", start=0.0, end=2.0, include_self=True)
    assert names(rows) == ["2.wav"]
    found = library.passages.find("heard", filter=f"path = '{sounds / '3.wav'}'")
    assert [passage.text for passage, _ in found] == ["heard 4 seconds by 1"]
    ids, vectors = library.vectors("coarse").numpy()
    assert len(ids) == 4 and vectors.shape == (4, 4)


@EVERY_STORE
def test_another_version_replaces_all_that_the_former_gave(sounds, library, known):
    library.add(sounds, analysers=["bands"])
    track = next(track for track in library.tracks() if track.path.endswith("0.wav"))
    assert [passage.source for passage in library.passages.get(track.id)] == ["bands 1"]
    library.passages.put([sonovec.Passage(track.id, 0.0, 1.0, "a tone", "Ann", 1.0)])
    library.labels.put([sonovec.Label(track.id, 0.0, 1.0, "Tone", "bandsaw 1", 1.0)])
    known["bands"] = Newer
    with pytest.raises(PassportError, match=r"in version 1, and 2 is installed; .* --analyser bands"):
        library.search((np.ones(RATE, np.float32) / 9, RATE), space="bands")
    report = library.add(sounds / "0.wav", analysers=["bands"])
    assert (report.counts.unchanged, report.heard) == (1, 1)
    assert library.spaces()["bands"].dim == 4 and library.spaces()["bands"].passport["version"] == "2"
    assert library.tracks_in_spaces() == {"main": 4, "bands": 1, "coarse": 0}
    assert {passage.source for passage in library.passages.get(track.id)} == {"Ann"}
    assert {(label.source, label.name) for label in library.labels.get(track.id)} == {
        ("bands 2", "newer"),
        ("bandsaw 1", "Tone"),
    }
    assert library.add(sounds, analysers=["bands"]).heard == 3
    assert library.tracks_in_spaces()["bands"] == 4
    assert {passage.source for passage in library.passages.get()} == {"Ann"}
    assert {track.fields["seconds_heard"] for track in library.tracks()} == {None}
    assert library.add(sounds, analysers=["bands"]).heard == 0


@EVERY_STORE
def test_a_changed_file_and_a_dropped_space_are_filled_again(sounds, library, known):
    library.add(sounds, analysers=["bands"])
    former = next(track.id for track in library.tracks() if track.path.endswith("3.wav"))
    soundfile.write(sounds / "3.wav", np.sin(np.arange(RATE) * 1.3) / 4, RATE)
    library.add(sounds, analysers=["bands"])
    store = library._store
    assert not store.holds([former], "bands") and not library.labels.get(former)
    assert library.tracks_in_spaces() == {"main": 4, "bands": 4, "coarse": 4}
    library.drop_space("bands")
    assert library.add(sounds, analysers=["bands"]).heard == 4
    assert library.tracks_in_spaces() == {"main": 4, "bands": 4, "coarse": 4}
    assert not [*consistency.examine(store, library.ledger).faults()]


def gives(**vectors):
    class Gives(Bands):
        def finish(self):
            return replace(super().finish(), vectors=vectors)

    return Gives


def test_vectors_that_cannot_be_are_left_out_and_the_ledger_says_why(made, tmp_path, known):
    """What cannot be: see `tests/analysis/test_checks.py`."""
    known["bands"] = gives(coarse=np.array([1, np.nan, 1, 1]))
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        report = library.add(made, analysers=["bands"])
        assert report.counts.indexed == 4 and not report.failures and len(report.notes) == 4
        assert library.tracks_in_spaces() == {"main": 4, "bands": 0, "coarse": 0}
        for track in library.tracks():
            assert library.ledger.analyses(track.id)["bands"].reason.startswith(
                "bands: gave a vector of numbers that are"
            )
            assert track.fields["seconds_heard"] is None and not library.labels.get(track.id)
        known["bands"] = Bands
        assert library.add(made, analysers=["bands"]).heard == 4, "those that failed are asked again"
        assert library.tracks_in_spaces() == {"main": 4, "bands": 4, "coarse": 4}


@EVERY_STORE
def test_a_text_that_the_store_cannot_keep_costs_what_its_analyser_gave(made, location, known, tmp_path):
    class Long(Bands):
        def finish(self):
            return replace(super().finish(), passages=[Spoken(0.0, 1.0, "x" * 70_000)])

    known["bands"] = Long
    with sonovec.Library(location, model="logmel") as library:
        report = library.add(made, analysers=["bands"])
        assert report.counts.indexed == 4 and not report.failures
        fails = library._store.most_text is not None
        assert len(report.notes) == 4 * fails and library.tracks_in_spaces()["bands"] == 4 * (not fails)
        if fails:
            assert "bands: gave a text of 70000 bytes, and this store keeps 65535; part it" in report.notes[0][1]


def test_what_is_wrong_is_said(made, tmp_path, known):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(made)
    with sonovec.Library(tmp_path / "library", model="logmel", hop=0.5) as library:
        library.add(made, space="coarse")
    with sonovec.Library(tmp_path / "library") as library:
        with pytest.raises(UsageError, match="the space 'coarse' of the analyser 'bands' is there already, with the"):
            library.add(made, analysers=["bands"])
        assert "bands" not in library.spaces() and "seconds_heard" not in library._store.columns()
        library.drop_space("coarse")
        library.add(made, analysers=[Bands])
        with pytest.raises(UsageError, match="the space 'bands' has no encoder; the analyser 'bands' fills it"):
            library.encoder_of("bands")
        with pytest.raises(UsageError, match="the space 'bands' has no encoder; the analyser 'bands' fills it"):
            library.add(made, space="bands")
        with pytest.raises(
            AnalyserError, match=r"samples in memory: the analyser 'bands' gives no vector for it \(bands: "
        ):
            known["bands"] = gives(bands=[None])
            library.search((np.ones(RATE, np.float32) / 9, RATE), space="bands")
        del known["bands"]
        with pytest.raises(
            UsageError, match=r"space 'bands': to search it by a sound needs the analyser that fills it"
        ):
            library.search((np.ones(RATE, np.float32) / 9, RATE), space="bands")
        assert len(library.search(made / "1.wav", space="bands", include_self=True)) == 4, (
            "what is stored needs no analyser"
        )
        with pytest.raises(UsageError, match="two analysers are called 'bands'"):
            library.add(made, analysers=[Bands, Newer])
        with pytest.raises(UsageError, match=r"version='' *; give a text without spaces"):
            library.add(made, analysers=[type("Nameless", (Bands,), {"version": ""})])
        with pytest.raises(
            UsageError, match="3 is not an analyser; give a name, such as 'loudness', or a subclass of sono"
        ):
            library.add(made, analysers=[3])


def test_the_commands(made, tmp_path, known, capsys):
    library = str(tmp_path / "library")
    assert run(["index", str(made), "-l", library, "-m", "logmel", "--analyser", "bands"]) == 0
    assert run(["library", "spaces", library]) == 0
    assert "coarse" in capsys.readouterr().out
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, soundfile.read(made / "2.wav")[0] / 2, RATE)
    assert run(["search", str(sound), "-l", library, "--space", "bands", "-n", "1"]) == 0
    assert "2.wav" in capsys.readouterr().out


def test_a_later_run_tells_how_far_it_is(made, tmp_path, known):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(made)
        told = []
        library.add(made, analysers=["bands"], progress=told.append)
        heard = [each for each in told if each.stage == "listening to tracks that were there"]
        assert heard[-1].done == heard[-1].total == 4 and heard[-1].audio_seconds == pytest.approx(16)
        assert {each.total for each in heard} == {4} and {each.done for each in heard} >= {1, 2, 3, 4}


def test_a_cancelled_run_is_taken_up(made, tmp_path):
    class Slow(Bands):
        name, spaces, fields = "slow", (), (Field("slow", float),)

        def finish(self):
            return Findings({"slow": 1.0})

    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(made)
        job = sonovec.Job(lambda progress: progress.done == 2 and job.cancel())
        with pytest.raises(
            sonovec.Cancelled, match="cancelled while listening to tracks that were there: 2 of 4 tracks"
        ):
            library.analyse([Slow], progress=job)
        heard = sum(track.fields["slow"] is not None for track in library.tracks())
        assert job.state == "cancelled" and library.analyse([Slow]).heard == 4 - heard


# -- kills


WRITES = {
    LanceTable: ("delete", "upsert", "update"),
    LanceBackend: ("add_space", "drop_space"),
    Ledger: ("mark", "record_many", "settle", "record_analyses", "forget_analyses"),
}


def killed_at(step, monkeypatch):
    """Let so many writes to the store and to the ledger go through; behind the last comes a kill."""
    writes = []

    def killing(original):
        def write(self, *arguments, **more):
            if len(writes) == step:  # what is tried while the kill is on its way
                raise KeyboardInterrupt
            result = original(self, *arguments, **more)
            writes.append(original.__name__)
            if len(writes) == step:
                raise KeyboardInterrupt
            return result

        return write

    for owner, names in WRITES.items():
        for name in names:
            monkeypatch.setattr(owner, name, killing(getattr(owner, name)))


@pytest.mark.slow
@pytest.mark.parametrize("anew", [False, True])
def test_a_run_that_is_killed_at_any_write_is_taken_up(made, tmp_path, known, monkeypatch, anew):
    """While new tracks come with an analyser, and while another version of it replaces what the former gave."""
    seed = tmp_path / "seed"
    with sonovec.Library(seed, model="logmel") as library:
        if anew:
            library.add(made / "0.wav")
        else:
            library.add(made, analysers=["bands"])
            known["bands"] = Newer
    for step in range(1, 60):
        place = tmp_path / str(step)
        shutil.copytree(seed, place)
        with sonovec.Library(place) as library, monkeypatch.context() as patch:
            killed_at(step, patch)
            try:
                library.add(made, analysers=["bands"])
                finished = True
            except KeyboardInterrupt:
                finished = False
        with sonovec.Library(place) as library:
            library.add(made, analysers=["bands"])
            assert not [*consistency.examine(library._store, library.ledger).faults()], step
            assert library.tracks_in_spaces() == {"main": 4, "bands": 4, "coarse": 4 * anew}, step
            sources = {each.source for each in (*library.labels.get(), *library.passages.get())}
            assert sources == {f"bands {known['bands'].version}"}, step
            assert len(library.labels.get()) == (16 if anew else 4), step
        if finished:
            break
    assert finished and step > 12


# -- analysers of vectors


class Restless(VectorAnalyser):
    """How much the vectors differ, and which of two is nearer to each."""

    name, version = "restless", "1"
    fields = (Field("restlessness", float, "scalar"), Field("vectors_heard", int))

    def begin(self, passport):
        assert passport.model == "logmel"
        self.rows, self.times = [], []

    def push(self, windows):
        assert not windows.vectors.flags.writeable and len(windows.vectors) == len(windows.times) == len(
            windows.coverage
        )
        self.rows.append(windows.vectors)
        self.times.append(windows.times)

    def finish(self):
        rows, times = np.concatenate(self.rows), np.concatenate(self.times)
        names = ["loud" if row.max() > 0 else "quiet" for row in rows]
        labels = [Noted(*time, name) for time, name in zip(times, names, strict=True)]
        return Findings({"restlessness": rows.std(axis=0).mean(), "vectors_heard": len(rows)}, labels=labels)


class OfWindows(Restless):
    name, unit = "of_windows", "windows"
    fields = (Field("window_restlessness", float, "scalar"), Field("window_vectors_heard", int))

    def finish(self):
        found = super().finish()
        return replace(found, columns={f"window_{name}": value for name, value in found.columns.items()})


@EVERY_STORE
def test_analysers_hear_the_vectors_of_segments_and_of_windows(sounds, location):
    with sonovec.Library(location, model="logmel", hop=0.5, segment_seconds=2) as library:
        library.add(sounds / "0.wav", analysers=[Restless, OfWindows])
        first = library.tracks()[0]
        assert first.fields["vectors_heard"] == len(library._store.segments([first.id])[first.id]) == 2
        assert first.fields["window_vectors_heard"] == len(library.encoder.embed(sounds / "0.wav").windows)
        ends = {label.end for label in library.labels.get(first.id, source="restless 1")}
        assert ends == {part.end for part in library._store.segments([first.id])[first.id]}
        library.add(sounds)
        assert library.add(sounds, analysers=[Restless, OfWindows]).heard == 3
        for path in sounds.iterdir():
            [track] = [track for track in library.tracks() if track.path == str(path)]
            rows = library.encoder.embed(path).windows
            assert track.fields["window_restlessness"] == pytest.approx(rows.std(axis=0).mean(), rel=1e-4)
            stored = np.stack([part.vector for part in library._store.segments([track.id])[track.id]])
            assert track.fields["restlessness"] == pytest.approx(stored.std(axis=0).mean(), rel=1e-4)


def test_segments_are_heard_without_the_sound(sounds, tmp_path, monkeypatch):
    with sonovec.Library(tmp_path / "library", model="logmel", segment_seconds=1) as library:
        library.add(sounds)
        for path in sounds.iterdir():
            path.unlink()
        report = library.add(sounds, analysers=[Restless, OfWindows])
        assert report.heard == 4 and not report.notes
        assert {track.fields["vectors_heard"] for track in library.tracks()} == {4}
        assert {track.fields["window_vectors_heard"] for track in library.tracks()} == {None}


def test_analyse_hears_what_is_indexed_and_nothing_else(sounds, tmp_path, known, monkeypatch):
    with sonovec.Library(tmp_path / "library", model="logmel", segment_seconds=1) as library:
        library.add(sounds)
    shutil.copy(sounds / "0.wav", sounds / "new.wav")
    (sounds / "1.wav").unlink()

    def away(*arguments, **options):
        raise AssertionError("the encoder is loaded")

    monkeypatch.setattr(encoder, "load", away)
    with sonovec.Library(tmp_path / "library") as library:
        told = []
        report = library.analyse([Restless, "bands"], progress=told.append)
        assert (report.heard, report.notes, told[-1].done, told[-1].total) == (4, [], 4, 4)
        assert (library.jobs()[0].kind, library.jobs()[0].state) == ("analyse", "done")
        assert sum(track.fields["vectors_heard"] for track in library.tracks()) == 16
        assert library.tracks_in_spaces() == {"main": 4, "bands": 3, "coarse": 3}
        assert library.analyse("bands").heard == 0 and len(list(library.ledger.entries())) == 4
        assert not [*consistency.examine(library._store, library.ledger).faults()]
    with sonovec.Library(tmp_path / "none") as library, pytest.raises(LibraryError, match="no library here"):
        library.analyse("bands")


def test_an_analyser_of_vectors_that_fails_or_hangs_costs_its_own(sounds, tmp_path):
    class Raises(OfWindows):
        name, fields = "raises", (Field("never", float),)

        def begin(self, passport):
            raise AnalyserError(f"raises: was fitted on vectors of another encoder than {passport.model}")

    class Hangs(Restless):
        name, limit, fields = "hangs", 0.3, (Field("hung", float),)

        def finish(self):
            import time

            time.sleep(1)

    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        report = library.add(sounds, analysers=[Raises, Hangs, OfWindows])
        assert report.counts.indexed == 4 and not report.failures
        assert {note.split(":")[0] for _, note in report.notes} == {"raises", "hangs"}
        reasons = library.ledger.analyses(library.tracks()[0].id)
        assert reasons["raises"].reason == "raises: was fitted on vectors of another encoder than logmel"
        assert reasons["hangs"].reason == "hangs: took more than 0.3 seconds to end"
        assert all(track.fields["window_vectors_heard"] for track in library.tracks())


def test_a_space_of_an_analyser_of_vectors_is_searched_by_a_sound(sounds, tmp_path, known):
    class Projected(VectorAnalyser):
        name, version = "projected", "1"
        spaces = (SpaceSpec("projected", 16),)

        def begin(self, passport):
            self.parts = []

        def push(self, windows):
            given = zip(windows.times, windows.coverage, windows.vectors[:, ::12], strict=True)
            self.parts += [Part(*time, coverage, row) for time, coverage, row in given]

        def finish(self):
            return Findings(vectors={"projected": self.parts})

    known["projected"] = Projected
    with sonovec.Library(tmp_path / "library", model="logmel", segment_seconds=1) as library:
        library.add(sounds, analysers=["projected"])
        assert library.spaces()["projected"].passport["of"] == library.encoder.passport.fingerprint
        sound = soundfile.read(sounds / "2.wav", dtype="float32")[0]
        hit = library.search((sound, RATE), 1, space="projected", start=1.0, level="segment")[0]
        assert Path(hit.path).name == "2.wav" and hit.query_start >= 1.0
