"""What is said in the tracks of a library: transcribed once, stored as passages, found by its words."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import UsageError
from sonovec.speech.analyser import analyser
from sonovec.speech.transcript import Segment
from tests.speech.lengths import Lengths


@pytest.fixture(scope="module")
def folder(shared_data, tmp_path_factory):
    """Three sounds in which somebody speaks after a second of silence, and one in which nobody does."""
    folder = tmp_path_factory.mktemp("spoken")
    for name, digits in {"one": "1", "three": "123", "five": "12345"}.items():
        parts = [np.zeros(8000)]
        for digit in digits:
            parts.append(soundfile.read(shared_data / "fsdd" / f"{digit}_george_0.flac")[0])
        soundfile.write(folder / f"{name}.wav", np.concatenate([*parts, np.zeros(8000)]), 8000)
    soundfile.write(folder / "noise.wav", 1e-3 * np.random.default_rng(0).standard_normal(24000), 8000)
    return folder


@pytest.fixture
def library(tmp_path):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        yield library


def test_what_is_said_is_found_with_its_seconds(folder, library):
    network = Lengths()
    report = library.add(folder, analysers=[analyser(network)])
    assert report.counts.indexed == 4 and not report.notes
    # Each speaks from the first second on, and ends a second before the end.
    found = library.said("speech", None)
    assert {hit.title for hit in found.hits} == {"one", "three", "five"}
    for hit in found.hits:
        assert hit.start == pytest.approx(1.0, abs=0.35)
        assert hit.end == pytest.approx(hit.fields["duration"] - 1.0, abs=0.35)
        assert hit.language == hit.fields["spoken_language"] == "en"
        assert hit.fields["speech_seconds"] == pytest.approx(hit.end - hit.start, abs=0.01)
        assert hit.source.startswith("transcript@lengths:1:")
    [silent] = library.tracks("spoken_language is null")
    assert silent.title == "noise" and silent["speech_seconds"] == 0.0
    assert [track.title for track in library.tracks("speech_seconds > 2")] == ["five"]


def test_only_what_is_missing_is_transcribed_and_another_version_replaces(folder, library):
    library.add([folder / "one.wav", folder / "noise.wav"])
    network = Lengths()
    library.add([folder / "one.wav", folder / "three.wav"], analysers=[analyser(network)])
    heard = network.stretches
    assert heard >= 2
    report = library.add(folder, analysers=[analyser(network)])
    assert report.heard == 1 and network.stretches == heard + 1, "noise was heard, of which nothing reached the network"
    assert library.analyse([analyser(network)]).heard == 0

    before = len(library.said("speech", None).hits)
    other = Lengths(version="2", word="talk")
    assert library.analyse([analyser(other)]).heard == 4
    assert library.said("speech").hits == [] and len(library.said("talk", None).hits) == before
    assert {passage.source.split(":")[1] for passage in library.passages.get()} == {"2"}


def test_a_language_is_asked_for_and_is_another_version(folder, library):
    network = Lengths()
    assert analyser(network).version != analyser(network, "de").version
    with pytest.raises(UsageError, match=r"language='xx': not one of lengths's; it knows: en, de"):
        analyser(network, "xx")
    library.add(folder / "one.wav", analysers=[analyser(network, "de")])
    assert library.tracks("spoken_language = 'de'")


def test_a_network_that_fails_costs_the_transcript_alone(folder, library):
    class Broken(Lengths):
        def hear(self, stretches, language=None):
            raise UsageError("no weights any more")

    report = library.add(folder, analysers=[analyser(Broken())])
    assert report.counts.indexed == 4 and len(report.notes) == 3
    assert all("no weights any more" in note for _, note in report.notes)
    again = library.add(folder, analysers=[analyser(Lengths())])
    assert again.heard == 3 and len(library.said("speech", None).hits) == 3


def test_threads_hear_in_turn(folder, tmp_path):
    class Alone(Lengths):
        inside = 0

        def hear(self, stretches, language=None):
            assert self.inside == 0
            self.inside += 1
            time.sleep(0.02)
            self.inside -= 1
            return super().hear(stretches, language)

    with sonovec.Library(tmp_path / "library", model="logmel", jobs=4) as library:
        report = library.add(folder, analysers=[analyser(Alone())])
        assert not report.notes


#: Tells each stretch that is heard, and is killed.
INDEX = """
import sys, time
from sonovec.library import pending
import sonovec
from sonovec.speech.analyser import analyser
from tests.speech.lengths import Lengths

pending.COMMIT_TRACKS, pending.COMMIT_SECONDS = 2, 0.05

class Telling(Lengths):
    def hear(self, stretches, language=None):
        time.sleep(0.1)
        with open(sys.argv[3], "a") as log:
            log.write("x" * len(stretches))
        return super().hear(stretches, language)

sonovec.Library(sys.argv[1], model="logmel", jobs=1).add(sys.argv[2], analysers=[analyser(Telling())])
"""


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_and_writes_nothing_twice(folder, tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    samples, rate = soundfile.read(folder / "one.wav")
    for number in range(40):
        soundfile.write(sounds / f"{number:02}.wav", samples * (1 - number / 100), rate)
    log = tmp_path / "log"
    log.touch()
    process = subprocess.Popen([sys.executable, "-c", INDEX, tmp_path / "library", sounds, log])
    while log.stat().st_size < 20 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        written = {passage.track for passage in library.passages.get()}
        network = Lengths()
        library.add(sounds, analysers=[analyser(network)])
        # A kill between the store and the ledger leaves one batch of two, which is heard again and put once.
        assert 1 <= len(written) < 40 and network.stretches <= 40 - len(written) + 2
        assert len(library.passages.get()) == len({passage.track for passage in library.passages.get()}) == 40


def test_export_and_removal_take_passages_along(folder, library, tmp_path):
    library.add(folder, analysers=[analyser(Lengths())])
    library.export(tmp_path / "exported")
    with sonovec.Library(tmp_path / "copy", model="logmel") as copy:
        copy.import_(tmp_path / "exported")
        assert [hit.text for hit in copy.said("speech").hits] == [hit.text for hit in library.said("speech").hits]
    library.remove(folder / "one.wav")
    assert {hit.title for hit in library.said("speech").hits} == {"three", "five"}
    assert len(library.show(folder / "three.wav").passages) == 1


def test_segments_without_text_are_left_out():
    from sonovec.speech.analyser import findings

    found = findings([Segment(0.0, 1.0, " "), Segment(1.0, 2.0, " hallo ", language="de"), Segment(2, 3, "x")])
    assert [each.text for each in found.passages] == ["hallo", "x"]
    assert json.dumps(dict(found.columns)) == '{"spoken_language": "de", "speech_seconds": 2.0}'
