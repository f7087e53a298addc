"""YAMNet with its real weights; TensorFlow Lite's own interpreter is the reference, as far as its 8-bit arithmetic goes."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import soxr

import sonovec
from sonovec.errors import WeightsError
from sonovec.models import yamnet


@pytest.fixture(scope="module")
def weights(shared_data):
    return shared_data / "weights" / "yamnet.tflite"


@pytest.fixture(scope="module")
def encoder(weights):
    return sonovec.load("yamnet", weights=weights)


def clips(shared_data, kind, n=6):
    folder = next(path for path in (shared_data / "esc10").iterdir() if kind in path.name)
    return sorted(folder.glob("*.ogg"))[:n]


@pytest.mark.parametrize(
    ("kind", "expected", "least"),
    [
        ("Dog bark", {"Dog", "Bark", "Animal"}, 6),
        ("Rain", {"Rain", "Rain on surface", "Raindrop"}, 5),
        ("Baby cry", {"Baby cry, infant cry", "Crying, sobbing"}, 4),
        ("Rooster", {"Rooster", "Chicken, rooster", "Fowl", "Crowing, cock-a-doodle-doo"}, 5),
    ],
)
def test_it_hears_what_is_there(kind, expected, least, encoder, shared_data):
    """Of the first six clips: the class stands among the three best, silence left out."""
    heard = 0
    for clip in clips(shared_data, kind):
        best = [name for name, _ in encoder.embed(clip).top_tags(4) if name != "Silence"][:3]
        heard += bool(expected & set(best))
    assert heard >= least


@pytest.mark.slow
def test_agrees_with_tensorflow_lite(encoder, weights, shared_data):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="has no wheel here").Interpreter(
        str(weights)
    )
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    scores = interpreter.get_output_details()[0]["index"]
    for kind in ("Dog bark", "Rain", "Chainsaw"):  # on very quiet clips its rounding hides the sound
        samples, rate = soundfile.read(clips(shared_data, kind, 1)[0], dtype="float32", always_2d=True)
        samples = soxr.resample(samples.mean(axis=1), rate, yamnet.RATE)[: yamnet.WINDOW.length]
        interpreter.set_tensor(place, samples[None])
        interpreter.invoke()
        found, expected = encoder.embed((samples, yamnet.RATE)).scores[0], interpreter.get_tensor(scores)[0]
        # Its rounding to 8 bits moves single scores by up to 0.17.
        assert np.abs(found - expected).mean() < 0.003 and np.corrcoef(found, expected)[0, 1] > 0.9


@pytest.mark.slow
def test_every_load_gives_the_same_bits(weights, shared_data):
    """OpenVINO packs 8-bit weights by several threads, and now and then wrongly; they are multiplied out before."""
    clip = clips(shared_data, "Dog bark", 1)[0]
    first = sonovec.load("yamnet", weights=weights).embed(clip).windows
    for _ in range(15):
        np.testing.assert_array_equal(sonovec.load("yamnet", weights=weights).embed(clip).windows, first)


def test_names_are_those_of_its_class_map(shared_data):
    rows = (shared_data / "weights" / "yamnet_class_map.csv").read_text().splitlines()[1:]
    assert len(rows) == len(yamnet.CLASSES) == 521
    assert all(name in row for name, row in zip(yamnet.CLASSES, rows, strict=True))


def test_a_file_cut_short_is_told_in_a_line(weights, tmp_path):
    cut = tmp_path / "yamnet.tflite"
    cut.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match=r"yamnet.tflite: cannot be read as a network"):
        sonovec.load("yamnet", weights=cut).embed((np.zeros(16000, np.float32), 16000))
