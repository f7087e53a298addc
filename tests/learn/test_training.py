"""Training from labels to a detector: its report, its limits, and that nothing is lost where it is killed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.embedding.encoder import Encoder
from sonovec.errors import Cancelled, PassportError, UsageError
from sonovec.learn import examples as examples_of
from sonovec.learn import labels as labels_of
from sonovec.learn import training
from sonovec.learn.detector import Detector
from sonovec.learn.false_alarms import STAGE
from sonovec.learn.stored import stored
from sonovec.learn.training import Settings, train, train_into


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return sonovec.load("logmel")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four kinds of sounds of 2 s, six of each."""
    folder = tmp_path_factory.mktemp("sounds")
    for code, (kind, make) in enumerate(KINDS.items()):
        (folder / kind).mkdir()
        for take in range(6):
            rng = np.random.default_rng([code, take])
            samples = make(rng, np.arange(2 * RATE) / RATE) + rng.standard_normal(2 * RATE) / 1000
            soundfile.write(folder / kind / f"{kind}-{take}.flac", np.clip(samples * rng.uniform(0.3, 1), -1, 1), RATE)
    return folder


RATE = 16_000
KINDS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "bells": lambda rng, t: np.exp(-3 * (t % 1)) * np.sin(2 * np.pi * rng.uniform(800, 1200) * t) / 2,
    "birds": lambda rng, t: np.sin(2 * np.pi * (rng.uniform(4000, 5000) * t + 30 * np.sin(2 * np.pi * 7 * t))) / 2,
    "engine": lambda rng, t: np.sign(np.sin(2 * np.pi * rng.uniform(60, 90) * t)) / 3,
    "rain": lambda rng, t: rng.standard_normal(len(t)) / 8,
}


@pytest.fixture(scope="module")
def detector(sounds: Path, encoder: Encoder) -> Detector:
    return train(sounds, encoder)


def test_a_folder_of_classes_becomes_a_detector(detector: Detector, sounds: Path, encoder: Encoder) -> None:
    assert detector.classes == ("bells", "birds", "engine", "rain")
    assert detector.name == sounds.name
    assert detector.passport == encoder.passport
    assert detector.report["accuracy"]["value"] >= 0.95
    assert (detector.report["stretches"], detector.report["groups"], detector.report["folds"]) == (24, 24, 5)
    for sound in sorted(sounds.rglob("*.flac")):
        heard = detector.probabilities(encoder.embed(sound).vector[None])[0]
        assert detector.classes[heard.argmax()] == sound.parent.name


def test_it_is_the_same_from_labels_and_from_examples(detector: Detector, sounds: Path, encoder: Encoder) -> None:
    read = labels_of.read(sounds)
    for source in (read, examples_of.embed(read, encoder)):
        again = train(source, encoder, name=detector.name)
        assert (again.version, again.report) == (detector.version, detector.report)


def test_groups_are_never_split(sounds: Path, encoder: Encoder) -> None:
    """With one group for each take, each fold holds one take of all kinds."""
    found = train(sounds, encoder, group=r"-(\d+)\.")
    assert (found.report["groups"], found.report["folds"]) == (6, 6)
    assert any("6 groups are few" in line for line in found.report["unknown"])


def test_background_of_a_folder_is_trained_against(sounds: Path, encoder: Encoder, tmp_path: Path) -> None:
    shutil.copytree(sounds, tmp_path / "classes")
    for kind in ("rain", "engine"):
        (tmp_path / "classes" / kind).rename(tmp_path / kind)
    alone, against = (train(tmp_path / "classes", encoder, background=each) for each in (None, tmp_path / "rain"))
    assert any("there is no background" in line for line in alone.report["unknown"])
    assert not any("there is no background" in line for line in against.report["unknown"])
    assert against.report["background"] > 0
    rain, engine = (
        np.concatenate([encoder.embed(sound).windows for sound in (tmp_path / kind).iterdir()])
        for kind in ("rain", "engine")
    )
    assert (against.probabilities(rain) < against.thresholds).mean() > 0.95
    assert against.probabilities(rain).max(axis=1).mean() < against.probabilities(engine).max(axis=1).mean() + 0.2


def test_the_stored_background_of_an_encoder_is_trained_against_and_said(detector: Detector, sounds: Path) -> None:
    assert detector.settings["stored_background"] is None
    heard_by = sonovec.load("default")
    found = train(sounds, heard_by)
    others = stored(heard_by.passport, heard_by.dim)
    assert found.settings["stored_background"] == others.id
    assert any("256 windows of other sounds that come with sonovec-1" in line for line in found.report["choices"])
    assert found.report["stretches"] == 24, "figures are of the user's own sounds"
    assert found.report["accuracy"]["value"] >= 0.95
    assert (found.probabilities(others.vectors) >= found.thresholds).mean() < 0.02


def test_planted_errors_and_copies_are_named(sounds: Path, encoder: Encoder, tmp_path: Path) -> None:
    shutil.copytree(sounds, tmp_path / "sounds")
    rain = sorted((tmp_path / "sounds" / "rain").iterdir())
    wrong = shutil.move(rain[0], tmp_path / "sounds" / "bells" / rain[0].name)
    samples, rate = soundfile.read(rain[1])
    soundfile.write(copy := rain[1].with_name("again.wav"), samples, rate)
    report = train(tmp_path / "sounds", encoder).report
    suspect = report["label_suspects"][0]
    assert (suspect["path"], suspect["label"], suspect["suggested"]) == (str(wrong), "bells", "rain")
    [leak] = report["leaks"]
    assert ({each["path"] for each in leak["stretches"]}, leak["identical"]) == ({str(rain[1]), str(copy)}, True)


def test_it_says_what_cannot_be_known(sounds: Path, encoder: Encoder, tmp_path: Path) -> None:
    shutil.copytree(sounds, tmp_path / "sounds")
    for sound in sorted((tmp_path / "sounds" / "rain").iterdir())[1:]:
        sound.unlink()
    found = train(tmp_path / "sounds", encoder)
    rain = found.report["classes"][3]
    assert rain["class"] == "rain" and rain["average_precision"] is None and rain["stretches"] == 1
    assert any("'rain'" in line and "(one example)" in line for line in found.report["unknown"])
    assert found.report["classes"][0]["average_precision"] is not None


def test_all_from_one_recording_is_said(sounds: Path, encoder: Encoder, tmp_path: Path) -> None:
    parts = [soundfile.read(sorted((sounds / kind).iterdir())[0]) for kind in ("bells", "rain", "bells", "rain")]
    soundfile.write(tmp_path / "day.wav", np.concatenate([samples for samples, _ in parts]), parts[0][1])
    starts = np.cumsum([0, *(len(samples) / rate for samples, rate in parts)])
    lines = [f"{starts[row]:.3f}\t{starts[row + 1]:.3f}\tbell\n" for row in (0, 2)]
    (tmp_path / "day.txt").write_text("".join(lines))
    found = train(tmp_path / "day.txt", encoder)
    assert found.report["folds"] == 1 or found.report["folds"] == 0
    assert found.report["classes"][0]["average_precision"] is None
    assert "all examples are from one group" in found.report["unknown"][0]
    bells, rain = (encoder.embed(sorted((sounds / kind).iterdir())[0]).vector for kind in ("bells", "rain"))
    assert found.probabilities(bells[None])[0, 0] > found.probabilities(rain[None])[0, 0]


@pytest.mark.parametrize("precision", [0, 1, 1.5, -0.1, float("nan")])
def test_a_precision_that_cannot_be_is_refused(sounds: Path, encoder: Encoder, precision: float) -> None:
    with pytest.raises(UsageError, match="precision=.* such as precision=0.95"):
        train(sounds, encoder, precision=precision)


def test_one_class_alone_is_refused(sounds: Path, encoder: Encoder, tmp_path: Path) -> None:
    shutil.copytree(sounds / "rain", tmp_path / "sounds" / "rain")
    with pytest.raises(UsageError, match="'rain' is not.*background"):
        train(tmp_path / "sounds", encoder)
    assert train(tmp_path / "sounds", encoder, background=sounds / "bells").report["classes"][0]["average_precision"]


def test_examples_of_another_encoder_are_refused(sounds: Path, encoder: Encoder) -> None:
    examples = examples_of.embed(labels_of.read(sounds), encoder)
    with pytest.raises(PassportError, match="hop"):
        train(examples, encoder.with_hop(0.5))


def test_it_ends_where_it_is_cancelled(sounds: Path, encoder: Encoder) -> None:
    told: list[str] = []
    pool = sounds / "rain" / "rain-0.flac"
    others = labels_of.read(sounds)
    others = replace(others, labels=tuple(label for label in others.labels if label.path != pool))
    train(others, encoder, false_alarms=pool, progress=lambda progress: told.append(progress.stage))
    stages = list(dict.fromkeys(told))
    assert stages == ["embedding", "training", "measuring", "counting false alarms"]
    for stage in stages:
        job = sonovec.Job(lambda progress: progress.stage == stage and job.cancel())  # noqa: B023
        with pytest.raises(Cancelled, match=stage):
            train(others, encoder, false_alarms=pool, progress=job)


# -- on disk


def content(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(folder.iterdir())}


def test_a_detector_is_written_and_the_same_again(sounds: Path, encoder: Encoder, tmp_path: Path) -> None:
    found = train_into(tmp_path / "a.detector", sounds, encoder, Settings(precision=0.9))
    first = content(tmp_path / "a.detector")
    assert Detector.load(tmp_path / "a.detector").report == json.loads(json.dumps(found.report.to_json()))
    train_into(tmp_path / "a.detector", sounds, encoder, Settings(precision=0.9))
    assert content(tmp_path / "a.detector") == first
    assert [each.name for each in tmp_path.iterdir()] == ["a.detector"]


def test_what_is_there_and_no_detector_is_left_alone(sounds: Path, encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("...")
    with pytest.raises(UsageError, match="is no detector"):
        train_into(tmp_path / "mine", sounds, encoder, Settings())
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_what_an_interrupted_run_embedded_is_not_embedded_again(
    sounds: Path, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_into(tmp_path / "whole.detector", sounds, encoder, Settings())
    job = sonovec.Job(lambda progress: progress.done == 10 and job.cancel())
    with pytest.raises(Cancelled):
        train_into(tmp_path / "crows.detector", sounds, encoder, Settings(), progress=job)
    assert [each.name for each in sorted(tmp_path.glob("crows*"))] == ["crows.detector.part"]
    heard = embedded(encoder, monkeypatch)
    train_into(tmp_path / "crows.detector", sounds, encoder, Settings())
    assert 0 < len(heard) <= 15
    assert content(tmp_path / "crows.detector")["arrays.npz"] == content(tmp_path / "whole.detector")["arrays.npz"]
    assert [each.name for each in sorted(tmp_path.glob("crows*"))] == ["crows.detector"]


def embedded(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that an encoder embeds from now on."""
    heard: list[Path] = []
    run_many = type(encoder.engine).run_many

    def watched(self, sources, *arguments):
        return run_many(self, (heard.append(each.path) or each for each in sources), *arguments)  # type: ignore[func-returns-value]

    monkeypatch.setattr(type(encoder.engine), "run_many", watched)
    return heard


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight sounds of half a minute that are of none of the kinds, but for a bell in each."""
    folder = tmp_path_factory.mktemp("pool")
    for take in range(8):
        samples = np.random.default_rng(take).standard_normal(30 * RATE) / 500
        samples[10 * RATE : 12 * RATE] += KINDS["bells"](np.random.default_rng(take), np.arange(2 * RATE) / RATE)
        soundfile.write(folder / f"{take}.flac", samples, RATE)
    return folder


@pytest.mark.slow
def test_what_an_interrupted_run_heard_of_the_pool_is_not_heard_again(
    sounds: Path, pool: Path, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Settings(false_alarms=pool)
    whole = train_into(tmp_path / "whole.detector", sounds, encoder, setting).report.false_alarms
    assert whole is not None and sum(each.at_threshold.events for each in whole.classes) > 0
    job = sonovec.Job(lambda progress: progress.stage == STAGE and progress.done == 5 and job.cancel())
    with pytest.raises(Cancelled):
        train_into(tmp_path / "crows.detector", sounds, encoder, setting, progress=job)
    heard = embedded(encoder, monkeypatch)
    again = train_into(tmp_path / "crows.detector", sounds, encoder, setting).report.false_alarms
    assert 0 < len(heard) <= 4 and {each.parent for each in heard} == {pool}
    assert again == whole


PROGRAM = """
import sys
from pathlib import Path
import sonovec
from sonovec.learn.training import Settings, train_into
print("begins", flush=True)
settings = Settings(false_alarms=sys.argv[3] if len(sys.argv) > 3 else None)
train_into(Path(sys.argv[2]), sys.argv[1], sonovec.load("logmel"), settings)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills with SIGKILL")
def test_a_run_that_is_killed_at_any_moment_gives_the_same_in_the_end(sounds: Path, pool: Path, tmp_path: Path) -> None:
    def begin(name: str) -> subprocess.Popen[bytes]:
        target = tmp_path / name / "crows.detector"
        return subprocess.Popen([sys.executable, "-c", PROGRAM, sounds, target, pool], stdout=subprocess.PIPE)

    whole = begin("whole")
    assert whole.stdout is not None and whole.stdout.readline() == b"begins\n"
    started = time.monotonic()
    assert whole.wait() == 0
    length = time.monotonic() - started
    rng = random.Random(0)
    for _ in range(5):
        process = begin("killed")
        assert process.stdout is not None and process.stdout.readline() == b"begins\n"
        time.sleep(rng.random() * length)
        process.kill()
        process.wait()
        folder = tmp_path / "killed" / "crows.detector"
        if folder.exists():  # whole, or not at all
            Detector.load(folder)
    assert begin("killed").wait() == 0
    assert content(tmp_path / "killed" / "crows.detector") == content(tmp_path / "whole" / "crows.detector")
    assert [each.name for each in (tmp_path / "killed").iterdir()] == ["crows.detector"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs setrlimit")
@pytest.mark.parametrize("stage", ["embedding", "training"])
def test_a_disk_that_is_full_is_said_and_nothing_is_half_written(
    sounds: Path, encoder: Encoder, tmp_path: Path, stage: str
) -> None:
    """A limit on the size of files ends the journal, or the arrays of the detector, as a full disk does."""
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    target = tmp_path / "crows.detector"
    job = sonovec.Job(lambda progress: progress.stage == stage and job.cancel())
    with pytest.raises(Cancelled):
        train_into(target, sounds, encoder, Settings(), progress=job)
    done = subprocess.run([sys.executable, "-c", limit + PROGRAM, sounds, target], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(
        r"UsageError: .*crows.detector.*cannot be written \(File too large\); free some space", done.stderr
    )
    assert [each.name for each in tmp_path.iterdir()] == ["crows.detector.part"]
    train_into(target, sounds, encoder, Settings())
    train_into(tmp_path / "whole" / "crows.detector", sounds, encoder, Settings())
    assert content(target) == content(tmp_path / "whole" / "crows.detector")


def test_the_name_of_a_detector_is_that_of_its_labels() -> None:
    assert training.default_folder("crows/") == Path("crows.detector")
    assert training.default_folder(Path("a", "crows.txt")) == Path("crows.detector")
