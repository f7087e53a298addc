from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec.embedding.embedding import Failure
from sonovec.embedding.encoder import load
from sonovec.errors import PassportError, UsageError, WeightsError
from sonovec.jobs import Job
from sonovec.learn.detection import Detected, detect, encoder_of, loaded, panels
from sonovec.learn.detector import Detector
from sonovec.learn.events import Rules
from sonovec.vectors import unit
from tests.learn.detectors import BEEP, BUZZ, RATE, answering, scene, tones

EVENTS = [(3.0, 3.6, BEEP), (8.0, 12.0, BUZZ), (10.0, 13.0, BEEP), (20.0, 22.0, BEEP)]


def near(found: Detected, name: str) -> list[tuple[float, float]]:
    return [(each.start, each.end) for each in found.detections if each.name == name]


def test_events_of_classes_that_overlap_have_their_edges() -> None:
    (found,) = detect([(scene(25, EVENTS), RATE)], tones())
    assert isinstance(found, Detected) and found.duration == 25
    assert np.abs(np.subtract(near(found, "beep"), [(3, 3.6), (10, 13), (20, 22)])).max() <= 0.5
    assert np.abs(np.subtract(near(found, "buzz"), [(8, 12)])).max() <= 0.5
    assert all(0.5 <= each.probability <= 1 and each.mean <= each.probability for each in found.detections)
    sounds = [(scene(40, [(9.37 * k, 9.37 * k + 2.2, BEEP) for k in (1, 2, 3)]), RATE)]
    truth = [(9.37 * k, 9.37 * k + 2.2) for k in (1, 2, 3)]
    coarse, fine = (
        np.abs(np.subtract(near(each, "beep"), truth)).mean()
        for hop in (1.0, 0.125)
        for each in detect(sounds, tones(), hop=hop)
    )
    assert fine < coarse and fine < 0.2


def test_a_file_in_pieces_of_any_size_gives_what_its_vectors_at_once_give(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, scene(70, [(each[0] + 40, each[1] + 40, each[2]) for each in EVENTS]), RATE, "FLOAT")
    (found,) = detect(path, tones())
    encoder = load("logmel").with_hop(0.125)
    (tracker,) = panels([tones()], Rules(), encoder=encoder)[0].trackers()
    whole = encoder.embed(path)
    expected = [*tracker.push(whole.times, whole.windows, whole.silent), *tracker.finish()]
    assert sorted(map(str, found.detections)) == sorted(map(str, expected)) and len(expected) == 4


def test_several_detectors_share_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    from sonovec.embedding import pipeline

    beeps, buzzes = tones("beeps", ("beep",)), tones("buzzes", ("buzz",))
    buzzes = replace(buzzes, passport=replace(buzzes.passport, hop=16000, tail="drop"))
    opened: list[str] = []
    real = pipeline.open_source
    monkeypatch.setattr(
        pipeline, "open_source", lambda source, *more: opened.append(source.name) or real(source, *more)
    )
    (found,) = detect([(scene(25, EVENTS), RATE)], [beeps, buzzes])
    assert len(opened) == 1
    (alone,) = detect([(scene(25, EVENTS), RATE)], beeps)
    assert [each for each in found.detections if each.name == "beep"] == list(alone.detections)
    assert {each.detector for each in found.detections} == {beeps.source, buzzes.source}


@pytest.mark.slow
def test_detectors_of_two_encoders_take_a_pass_each_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    default = load("default")
    vectors = default.embed((scene(20, [(8, 12, BEEP)]), RATE))
    from tests.learn.detectors import fitted

    targets = ((vectors.times[:, 0] >= 8) & (vectors.times[:, 1] <= 12)).astype(np.int8)[:, None]
    other = fitted("other", ("whistle",), vectors.windows, targets, default)
    (found,) = detect([(scene(20, [(8, 12, BEEP)]), RATE)], [tones(), other])
    assert {each.detector for each in found.detections} == {tones().source, other.source}
    assert [each.start for each in found.detections] == sorted(each.start for each in found.detections)
    assert "2 encoders (logmel, sonovec-1): each sound is embedded 2 times" in caplog.text


def test_a_part_of_a_sound_has_the_times_of_the_whole() -> None:
    (found,) = detect([(scene(25, EVENTS), RATE)], tones(), start=18.0)
    assert np.abs(np.subtract(near(found, "beep"), [(20, 22)])).max() <= 0.5


def test_failures_stand_in_their_place_and_silence_is_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", np.zeros(RATE * 5), RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF....WAVE")
    results = list(detect([tmp_path / "broken.wav", tmp_path / "quiet.wav", (scene(25, EVENTS), RATE)], tones()))
    assert isinstance(results[0], Failure) and "broken.wav" in results[0].reason
    assert results[1].detections == () and "silent" in results[1].notes[-1]
    assert len(results[2].detections) == 4


def test_the_nearest_examples_explain_an_event() -> None:
    (found,) = detect([(scene(25, EVENTS), RATE)], tones(), classes=["BUZZ"], explain=2)
    (event,) = found.detections
    assert [each.heard for each in event.examples] == [True, True]
    assert all(20 - 1 <= each.start < 70 and each.path == "train.wav" for each in event.examples)
    assert event.examples[0].cosine >= event.examples[1].cosine > 0.9


def test_it_can_be_watched_and_cancelled() -> None:
    from sonovec.errors import Cancelled

    job = Job(lambda progress: progress.done == 1 and job.cancel())
    with pytest.raises(Cancelled, match="cancelled while listening"):
        list(detect([(scene(2, []), RATE)] * 5, tones(), progress=job))


def test_an_encoder_that_is_another_one_is_refused_with_the_field() -> None:
    with pytest.raises(
        PassportError, match="detector 'tones' takes vectors with model='logmel', and these have 'sonovec-1'"
    ):
        detect([], tones(), encoder=load("default"))
    with pytest.raises(
        PassportError, match="denoise='', and these have 'noisereduce-3'; leave --denoise out, or train it"
    ):
        detect([], tones(), encoder=load("logmel", denoise=True))
    denoising = replace(tones(), passport=replace(tones().passport, denoise="noisereduce-3"))
    with pytest.raises(PassportError, match="and these have ''; load the encoder with denoise=True, or train it again"):
        detect([], denoising, encoder=load("logmel"))
    changed = replace(tones(), passport=replace(tones().passport, weights="0" * 64))
    with pytest.raises(PassportError, match="weights"):
        encoder_of(changed)
    other = replace(tones(), passport=replace(tones().passport, front_end="something else"))
    with pytest.raises(PassportError, match="front_end='something else'"):
        encoder_of(other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hop": 1.5}, "hop=1.5: a window of 'logmel' is 1 s long; give more than 0, up to that"),
        ({"hop": 0.0}, "hop=0: "),
        ({"classes": ["beeps"]}, "class 'beeps': none of the 2 classes of the detectors; the nearest are: 'beep'"),
        ({"threshold": 2.0}, "threshold=2.0"),
        ({"start": 3.0, "end": 2.0}, "is not a range"),
    ],
)
def test_usage(arguments, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        detect([], tones(), **arguments)


def test_which_detectors() -> None:
    with pytest.raises(UsageError, match="no detectors"):
        loaded([])
    with pytest.raises(UsageError, match=f"the detector {tones().source} is given twice"):
        loaded([tones(), tones()])


# -- folders of detectors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tones().save(tmp_path / "tones.detector")
    return tmp_path / "tones.detector"


def test_a_saved_detector_hears_the_same(folder: Path) -> None:
    found = Detector.load(folder)
    assert found.source == tones().source
    np.testing.assert_array_equal(found.exemplars.vectors, tones().exemplars.vectors)
    (here,), (there,) = (detect([(scene(25, EVENTS), RATE)], each, explain=1) for each in (tones(), folder))
    assert here.detections == there.detections


def edit(folder: Path, **changed: object) -> None:
    card = json.loads((folder / "detector.json").read_text())
    (folder / "detector.json").write_text(json.dumps({**card, **changed}))


def rewrite(folder: Path, **changed: object) -> None:
    """Change arrays, and the hash with them."""
    from sonovec.models.weights import sha256_of

    with np.load(folder / "arrays.npz") as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    np.savez(folder / "arrays.npz", **{name: value for name, value in {**kept, **changed}.items() if value is not None})
    edit(folder, arrays=sha256_of(folder / "arrays.npz"))


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (shutil.rmtree, UsageError, "is not a detector; give a folder"),
        (lambda folder: [each.unlink() for each in folder.iterdir()], UsageError, "is not a detector"),
        (lambda folder: (folder / "arrays.npz").unlink(), WeightsError, "arrays.npz: no such file"),
        (lambda folder: (folder / "detector.json").write_text("{"), WeightsError, "detector.json: "),
        (lambda folder: (folder / "detector.json").write_text("[]"), WeightsError, "lacks format"),
        (lambda folder: (folder / "detector.json").write_bytes(b"\xff\xfe"), WeightsError, "detector.json: "),
        (lambda folder: (folder / "arrays.npz").write_bytes(b"PK"), WeightsError, "is not the file that was saved"),
        (
            lambda folder: (folder / "arrays.npz").write_bytes((folder / "arrays.npz").read_bytes()[:-100]),
            WeightsError,
            "is not the file that was saved",
        ),
        (lambda folder: edit(folder, format=2), WeightsError, "has format 2, and this version reads 1; update sonovec"),
        (lambda folder: edit(folder, name=None), WeightsError, "lacks name"),
        (lambda folder: edit(folder, passport={"model": "logmel"}), WeightsError, "passport of another version"),
        (lambda folder: edit(folder, classes=["beep"]), WeightsError, "should have the shape"),
        (lambda folder: edit(folder, classes=["beep", "beep"]), WeightsError, "its classes are"),
        (lambda folder: edit(folder, classes=["beep", 3]), WeightsError, "its classes are"),
        (lambda folder: edit(folder, paths=["a.wav"]), WeightsError, "should have the shape"),
        (lambda folder: edit(folder, classes=["beep", "hum"]), WeightsError, "says version"),
        (lambda folder: rewrite(folder, weights=None), WeightsError, "lacks"),
        (lambda folder: rewrite(folder, bias=np.array([0, np.nan], np.float32)), WeightsError, "bias holds values"),
        (lambda folder: rewrite(folder, bias=np.zeros(2, np.float32)), WeightsError, "says version"),
        (lambda folder: rewrite(folder, center=np.zeros(3, np.float32)), WeightsError, "should have the shape"),
        (lambda folder: rewrite(folder, scale=np.zeros(192, np.float32)), WeightsError, "not above 0"),
        (lambda folder: rewrite(folder, thresholds=np.array([{}, {}])), WeightsError, "cannot be read"),
        (lambda folder: edit(folder, model={}), WeightsError, "are no texts"),
        (lambda folder: rewrite(folder, thresholds=np.array(["a", "b"])), WeightsError, "thresholds is"),
    ],
)  # fmt: skip
def test_folders_that_are_damaged(folder: Path, harm, error: type[Exception], message: str) -> None:
    harm(folder)
    with pytest.raises(error, match=message) as raised:
        Detector.load(folder)
    assert "tones.detector" in str(raised.value)


def test_a_detector_replaces_another_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    answering().save(folder)
    assert Detector.load(folder).name == "plain"
    assert [each.name for each in tmp_path.iterdir()] == ["tones.detector"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="mine: is there, and is no detector; give another name"):
        tones().save(tmp_path / "mine")


def test_unit_vectors_are_kept_as_examples() -> None:
    kept = tones().exemplars.vectors.astype(np.float64)
    np.testing.assert_allclose(unit(kept), kept, atol=2e-3)
