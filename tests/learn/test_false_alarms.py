"""False alarms are counted as they were planted, in files and in libraries, and their rates have honest intervals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import sonovec
from sonovec.embedding.encoder import Encoder
from sonovec.errors import PassportError, UsageError
from sonovec.learn.detection import Detected
from sonovec.learn.detector import Detector, Exemplars
from sonovec.learn.events import Detection
from sonovec.learn.false_alarms import Unheard, count, measure, rate, threshold_of_recall
from sonovec.learn.head import Head
from sonovec.learn.outcomes import Outcomes

RATE = 16_000


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return sonovec.load("logmel")


@pytest.fixture(scope="module")
def detector(encoder: Encoder) -> Detector:
    """Hears loud high tones as `tone`, and everything as `all`."""
    seconds = np.arange(RATE) / RATE
    tone, hum = (encoder.embed((_sound(f, seconds), RATE)).vector for f in (3000, 100))
    units = [each / np.linalg.norm(each) for each in (tone, hum)]
    weights = np.stack([200 * (units[0] - units[1]), 0 * units[0]]).astype(np.float32)
    bias = np.float32([-weights[0] @ (units[0] + units[1]) / 2, 9])
    dim, one = encoder.dim, np.ones(2, np.float32)
    head = Head(np.zeros(dim, np.float32), np.ones(dim, np.float32), weights, bias, one, 0 * one)
    examples = Exemplars(np.empty((0, dim), np.float16), np.empty((0, 2), np.int8), np.empty((0, 2)), ())
    thresholds = np.float32([0.5, 0.5])
    return Detector("test", ("tone", "all"), thresholds, head, encoder.passport, {"name": "logmel"}, examples)


def _sound(frequency: float, seconds: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(len(seconds)) / 1000
    return (0.3 * np.sin(2 * np.pi * frequency * seconds) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of hum; a tone sounds twice in the first, once in the second; and a file that is damaged."""
    folder = tmp_path_factory.mktemp("pool")
    seconds = np.arange(60 * RATE) / RATE
    for name, spans in (("a.wav", [(10, 12), (30, 35)]), ("b.wav", [(50, 51)])):
        sound = _sound(100, seconds)
        for start, end in spans:
            sound[start * RATE : end * RATE] = _sound(3000, seconds)[start * RATE : end * RATE]
        soundfile.write(folder / name, sound, RATE)
    (folder / "c.wav").write_bytes(b"RIFF....WAVE")
    return folder


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    probabilities = np.array([[0.9, 0.9], [0.8, 0.1]])
    return Outcomes(
        ("tone", "all"), np.int8([[1, 0], [1, 0]]), probabilities, *[("x.wav", "y.wav")] * 2, np.zeros((2, 2))
    )


def test_planted_sounds_are_counted_and_named(
    detector: Detector, encoder: Encoder, pool: Path, outcomes: Outcomes
) -> None:
    found = measure(detector, encoder, pool, outcomes)
    tone, everything = found.classes
    assert found.hours == pytest.approx(120 / 3600)
    assert (found.sounds, [Path(path).name for path, _ in found.failures]) == (2, ["c.wav"])
    assert (tone.at_threshold.events, tone.at_threshold.per_hour) == (3, 90)
    assert tone.at_recall is not None and (round(tone.at_recall.threshold, 6), tone.at_recall.events) == (0.8, 3)
    spans = sorted((Path(each.path).name, each.start, each.end) for each in tone.worst)
    assert [name for name, *_ in spans] == ["a.wav", "a.wav", "b.wav"]
    assert np.array([span for _, *span in spans]) == pytest.approx(np.array([[10, 12], [30, 35], [50, 51]]), abs=0.5)
    assert everything.at_threshold.events == 2, "what is heard all the time is one event of each sound"
    assert everything.at_recall is None, "no example of it was held out"


def test_what_was_trained_on_is_not_counted(
    detector: Detector, encoder: Encoder, pool: Path, outcomes: Outcomes
) -> None:
    trained = replace(outcomes, paths=(str(pool / "a.wav"), "y.wav"))
    found = measure(detector, encoder, pool, trained)
    assert (found.sounds, found.classes[0].at_threshold.events) == (1, 1)
    assert found.notes == ("1 sound not counted: the detector was trained on them",)


def test_a_library_is_heard_by_what_it_stores(
    detector: Detector, encoder: Encoder, pool: Path, outcomes: Outcomes, tmp_path: Path
) -> None:
    with sonovec.Library(tmp_path / "lib", model=encoder, segment_seconds=1) as library:
        library.add(pool)
    found = measure(detector, encoder, tmp_path / "lib", outcomes)
    assert found.hours == pytest.approx(120 / 3600)
    assert (found.sounds, found.classes[0].at_threshold.events) == (2, 3)
    assert "stored segments" in found.notes[0]
    with pytest.raises(PassportError, match="weights|model"):
        measure(
            replace(detector, passport=replace(detector.passport, model="other")), encoder, tmp_path / "lib", outcomes
        )


def test_a_pool_without_sound_is_refused(
    detector: Detector, encoder: Encoder, outcomes: Outcomes, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="holds no sound in which false alarms could be counted"):
        measure(detector, encoder, tmp_path, outcomes)
    (tmp_path / "c.wav").write_bytes(b"RIFF....WAVE")
    with pytest.raises(UsageError, match=r"c\.wav"):
        measure(detector, encoder, tmp_path, outcomes)


def test_hours_are_of_sound_and_events_those_of_each_threshold(detector: Detector) -> None:
    both = detector, replace(detector, name="at recall", thresholds=np.float32([0.9, np.inf]))
    events = [
        Detection(1.0, 2.0, name, 0.95, 0.9, each.source)
        for each, name in ((both[0], "tone"), (both[0], "all"), (both[1], "tone"))
    ]
    sounds = [Detected(Path("a"), 60.0, tuple(events)), Detected(Path("b"), 30.0, ()), Unheard("c", "is damaged")]
    found = count(both, sounds, "pool")
    assert found.hours * 3600 == pytest.approx(90)
    assert [each.at_threshold.per_hour for each in found.classes] == [40, 40]
    assert [each.at_recall and each.at_recall.per_hour for each in found.classes] == [40, None]
    assert found.failures == (("c", "is damaged"),)


@given(st.integers(0, 2000), st.floats(0.01, 1000))
def test_an_interval_is_that_of_a_poisson_count(events: int, hours: float) -> None:
    from scipy.special import pdtr, pdtrc

    found = rate(0.5, events, hours)
    assert found.low <= found.per_hour <= found.high
    if hours < 10:  # where rounding does not count
        assert pdtrc(max(events - 1, 0), found.low * hours) == pytest.approx(0.025 if events else 0, rel=0.05)
        assert pdtr(events, found.high * hours) == pytest.approx(0.025, rel=0.05)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0.01, 1))
def test_the_threshold_of_a_recall_reaches_it_and_no_higher_one_does(values: list[float], recall: float) -> None:
    n = len(values)
    names = tuple(map(str, range(n)))
    outcomes = Outcomes(("a",), np.ones((n, 1), np.int8), np.array(values)[:, None], names, names, np.zeros((n, 2)))
    threshold = threshold_of_recall(outcomes, 0, recall)
    assert threshold is not None
    found = np.array(values)
    assert (found >= threshold).mean() >= recall - 1e-9
    assert (found > threshold).mean() < recall
