"""Examples of real windows: by the rule, one hearing of each recording, and what is told of what could not be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sonovec
from sonovec.errors import PassportError, UsageError
from sonovec.learn import gathering
from sonovec.learn.examples import CLIP, Examples, embed
from sonovec.learn.labels import Labelled, LabelSet
from sonovec.learn.overlap import overlap
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN
from sonovec.vectors import nearest_others

RATE = 16000


@pytest.fixture(scope="module")
def encoder():
    """Windows of a second, one behind the other."""
    return sonovec.load("logmel")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of 10.5 s, twice under two names; of 3 s; and a recording whose second half is silent."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    for name, seconds in {"a": 10.5, "b": 3.0, "half": 4.0}.items():
        samples = rng.normal(0, 0.1, int(seconds * RATE))
        if name == "half":
            samples[2 * RATE :] = 0
        soundfile.write(folder / f"{name}.wav", samples, RATE)
    (folder / "copy.wav").write_bytes((folder / "a.wav").read_bytes())
    return folder


def made(encoder, labels: list[Labelled], rest: bool = True, **options) -> Examples:
    return embed(LabelSet("labels", tuple(labels), rest), encoder, **options)


def test_a_stretch_is_its_clip_vector_and_its_windows(folder: Path, encoder) -> None:
    a = folder / "a.wav"
    found = made(encoder, [Labelled(a, 2.0, 4.4, "crow"), Labelled(a, 7.1, 7.3, "owl", "far")])
    whole = encoder.embed(a)
    assert found.classes == ("crow", "owl")
    assert found.passport == encoder.passport and found.vectors.dtype == np.float32
    rows = found.stretches == 0
    assert found.times[rows].tolist() == [[2, 4], [2, 3], [3, 4]] and found.targets[rows].tolist() == [[1, 0]] * 3
    np.testing.assert_array_equal(found.vectors[rows][1:], whole.windows[2:4])
    np.testing.assert_allclose(found.vectors[rows][0], whole.windows[2:4].mean(axis=0), rtol=1e-5)
    assert found.weights[rows].tolist() == [CLIP, (1 - CLIP) / 2, (1 - CLIP) / 2]
    owl = found.stretches == 1
    assert found.times[owl].tolist() == [[7, 8]] and found.targets[owl].tolist() == [[0, 1]]
    rest = found.stretches > 1
    # What a label touches less than by half says nothing.
    assert found.times[rest, 0].tolist() == [0, 1, 5, 6, 8, 9, 10]
    assert (found.targets[rest] == NOT_HEARD).all() and len(set(found.stretches[rest].tolist())) == 7
    assert set(found.paths) == {str(a)} and found.weights[rest][-1] == 0.5  # as much of the last window is sound


def test_the_clip_vector_of_a_whole_recording_is_that_of_the_encoder(folder: Path, encoder) -> None:
    found = made(encoder, [Labelled(folder / "a.wav", name="crow"), Labelled(folder / "b.wav", name="owl")], rest=False)
    np.testing.assert_allclose(found.vectors[0], encoder.embed(folder / "a.wav").vector, rtol=1e-5)
    assert found.times[0].tolist() == [0, 10.5] and len(found.vectors) == 1 + 11 + 1 + 3
    assert found.weights[found.stretches == 0].sum() == pytest.approx(1)


def test_what_is_known_of_windows_where_stretches_meet(folder: Path, encoder) -> None:
    a = folder / "a.wav"
    crow, owl = Labelled(a, 0, 2.2, "crow"), Labelled(a, 1, 2, "owl")
    found = made(encoder, [crow, owl, Labelled(a, 4, 5, verdict=UNKNOWN), Labelled(a, 6, 7, "owl", verdict=NOT_HEARD)])
    of = {tuple(time): target for time, target in zip(found.times.tolist(), found.targets.tolist(), strict=True)}
    assert of[0, 1] == [HEARD, NOT_HEARD] and of[1, 2] == [HEARD, HEARD]
    assert of[0, 2] == [HEARD, UNKNOWN]  # the owl is in one of the two windows
    assert (2, 3) not in of and (4, 5) not in of and of[6, 7] == [UNKNOWN, NOT_HEARD]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 80), st.integers(0, 40), st.sampled_from(["crow", "owl", None])),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([0.25, 0.5, 1.0]),
)
def test_targets_follow_the_rule(folder: Path, encoder, given_ones, hop: float) -> None:
    a, b = folder / "a.wav", folder / "b.wav"
    stretches = {(first / 8, (first + length) / 8): name for first, length, name in given_ones}
    labels = [Labelled(a, start, end, name) for (start, end), name in stretches.items()]
    found = made(encoder.with_hop(hop), [*labels, Labelled(b, 0, 1, "crow"), Labelled(b, 2, 3, "owl")])
    for time, target, stretch, path in zip(found.times, found.targets, found.stretches, found.paths, strict=True):
        if path != str(a) or time[1] - time[0] > 1:  # a clip vector
            continue
        for row, name in enumerate(found.classes):
            own = [each for each, label in stretches.items() if label == name]
            heard, touched = overlap([time], [each[0] for each in own], [each[1] for each in own])
            assert target[row] == (HEARD if heard.any() else UNKNOWN if touched.any() else NOT_HEARD)
        if stretch < len(labels):
            assert overlap([time], [labels[stretch].start], [labels[stretch].end])[0].all()


def test_copies_are_one_recording(folder: Path, encoder) -> None:
    a, copy = folder / "a.wav", folder / "copy.wav"
    labels = [Labelled(a, 0, 1, "crow", "x"), Labelled(copy, 0, 1, "crow", "y"), Labelled(copy, 4, 5, "owl", "y")]
    found = made(encoder, [*labels, Labelled(folder / "b.wav", 0, 1, "owl", "z")])
    assert set(found.paths) == {str(a), str(folder / "b.wav")} and set(found.groups) == {"x", "z"}
    assert len(set(found.stretches[(found.targets == HEARD).any(axis=1)].tolist())) == 3
    assert any("1 recording with the content of another" in note and "copy.wav" in note for note in found.notes)


def test_what_contradicts_itself_in_copies_is_refused(folder: Path, encoder) -> None:
    labels = [Labelled(folder / "a.wav", name="crow", source="one"), Labelled(folder / "copy.wav", source="other")]
    with pytest.raises(UsageError, match="one says that 'crow' is heard, and other that none"):
        made(encoder, labels, rest=False)


def test_silence_is_no_example(folder: Path, encoder) -> None:
    half = folder / "half.wav"
    found = made(encoder, [Labelled(half, 0, 1, "crow"), Labelled(half, 2.5, 4, "crow", source="x.txt:2")])
    assert found.times.tolist() == [[0, 1], [1, 2]]
    assert "1 label holds silence and is left out: x.txt:2" in found.notes
    with pytest.raises(UsageError, match=r"no example of 'owl' could be made \(1 label holds silence"):
        made(encoder, [Labelled(half, 0, 1, "crow"), Labelled(half, 3, 4, "owl")])


def test_what_is_nearly_silent_is_told(tmp_path: Path, encoder) -> None:
    for name, level in (("loud", 0.1), ("quiet", 10 ** (-80 / 20))):
        soundfile.write(tmp_path / f"{name}.wav", np.random.default_rng(0).normal(0, level, RATE), RATE, "PCM_24")
    found = made(encoder, [Labelled(tmp_path / f"{name}.wav", name=name) for name in ("loud", "quiet")], rest=False)
    assert "1 label is nearly silent (below -70 dBFS): quiet.wav, from its start" in found.notes


def test_times_behind_the_end(folder: Path, encoder) -> None:
    b = folder / "b.wav"
    found = made(encoder, [Labelled(b, 1, 9, "crow", source="x.txt:1")])
    assert found.times[0].tolist() == [1, 3]
    assert "1 label ends behind its recording and is cut there: x.txt:1" in found.notes
    with pytest.raises(UsageError, match=r"x.txt:2: begins at 3 s, and .*b.wav ends at 3.00 s; correct the label"):
        made(encoder, [Labelled(b, 3, 4, "crow", source="x.txt:2")])


def test_what_cannot_be_decoded_is_told_and_the_rest_used(folder: Path, encoder, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    labels = [Labelled(folder / "a.wav", 0, 1, "crow"), Labelled(tmp_path / "bad.wav", 0, 1, "crow")]
    found = made(encoder, labels)
    assert any(note.startswith("1 recording could not be decoded and is left out: ") for note in found.notes)
    assert len(set(found.paths)) == 1


def test_one_class_needs_something_that_it_is_not(folder: Path, encoder) -> None:
    labels = [Labelled(folder / "a.wav", name="crow"), Labelled(folder / "b.wav", name="crow")]
    with pytest.raises(UsageError, match="nothing is an example of what 'crow' is not; label stretches"):
        made(encoder, labels, rest=False)
    with pytest.raises(UsageError, match="labels: no label names a class"):
        made(encoder, [Labelled(folder / "a.wav")])
    found = made(encoder, [*labels, Labelled(folder / "half.wav")], rest=False)
    assert set(found.targets.ravel().tolist()) == {HEARD, NOT_HEARD}


def test_long_recordings_give_a_bounded_number_of_rows(
    encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_OF_REST", 20)
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).normal(0, 0.1, 200 * 8000), 8000)
    labels = [Labelled(tmp_path / "long.wav", 0, 100, "crow"), Labelled(tmp_path / "long.wav", 150, 151, "owl")]
    found, again = made(encoder, labels), made(encoder, labels)
    assert np.bincount(found.stretches)[:2].tolist() == [61, 1] and len(found.vectors) == 61 + 1 + 20
    np.testing.assert_array_equal(found.vectors, again.vectors)
    windows = encoder.embed(tmp_path / "long.wav").windows
    np.testing.assert_allclose(found.vectors[0], windows[:100].mean(axis=0), rtol=1e-4)  # of all, not of those drawn


def test_background_of_a_folder_and_of_a_library(folder: Path, encoder, tmp_path: Path) -> None:
    other = tmp_path / "others"
    other.mkdir()
    soundfile.write(other / "c.wav", np.random.default_rng(9).normal(0, 0.1, 4 * RATE), RATE)
    (other / "also-a.wav").write_bytes((folder / "a.wav").read_bytes())
    (other / "bad.wav").write_bytes(b"RIFF")
    crow = [Labelled(folder / "a.wav", name="crow")]
    found = made(encoder, crow, rest=False, background=other)
    rest = found.stretches > 0
    assert set(np.array(found.paths)[rest]) == {str(other / "c.wav")} == set(np.array(found.groups)[rest])
    np.testing.assert_array_equal(found.vectors[rest], encoder.embed(other / "c.wav").windows)
    assert f"background: 4 rows of 1 recording in {other}, in which no class is heard" in found.notes
    assert "background: 1 file left out, not decoded" in found.notes
    with sonovec.Library(tmp_path / "library", model="logmel", segment_seconds=2.0) as library:
        library.add(other)
        [c] = [track for track in library if track.path.endswith("c.wav")]
        for place in (library, tmp_path / "library"):
            found = made(encoder.with_hop(0.5), crow, rest=False, background=place)
            rest = found.stretches > 0
            assert found.times[rest].tolist() == [[0, 2], [2, 4]] and set(np.array(found.paths)[rest]) == {c.path}
        with pytest.raises(
            PassportError, match="its vectors have model='logmel', and those of the examples have 'sonovec-1'"
        ):
            made(sonovec.load("default"), crow, rest=False, background=library)
    with pytest.raises(UsageError, match="background='.*nowhere': no such file or folder"):
        made(encoder, crow, rest=False, background=tmp_path / "nowhere")
    (other / "c.wav").unlink()
    with pytest.raises(UsageError, match="holds no sound but what is labelled"):
        made(encoder, crow, rest=False, background=other)


def test_it_can_be_watched_and_cancelled(folder: Path, encoder) -> None:
    told: list[sonovec.Progress] = []
    labels = [Labelled(folder / "a.wav", 0, 1, "crow"), Labelled(folder / "b.wav", 0, 1, "owl")]
    made(encoder, labels, progress=told.append)
    assert told[-1].stage == "embedding" and told[-1].done == told[-1].total == 2 and told[-1].unit == "recordings"
    job = sonovec.Job(lambda progress: job.cancel())
    with pytest.raises(sonovec.Cancelled):
        made(encoder, labels, progress=job)
    assert job.state == "cancelled"


def test_real_recordings(shared_data: Path) -> None:
    """Instruments of a real set, in folders that are classes: a neighbour in another group tells the instrument."""
    root = shared_data / "train" / "philharmonia"
    names = ("flute", "cello", "trombone")
    labels = [
        Labelled(path, name=name) for name in names for path in sorted(root.glob(f"audio_{name}_{name}_*.opus"))[:6]
    ]
    assert len(labels) == 18
    found = embed(LabelSet("philharmonia", tuple(labels), False), sonovec.load("default"))
    clips = np.unique(found.stretches, return_index=True)[1]
    nearest = nearest_others(found.vectors[clips])
    classes = found.targets[clips].argmax(axis=1)
    assert (classes[nearest] == classes).mean() > 0.6
