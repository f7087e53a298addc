from __future__ import annotations

import gzip
import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec.audio.windows import frame
from sonovec.errors import MissingExtraError, WeightsError
from sonovec.models import openl3, registry
from sonovec.models.weights import sha256_of
from tests.promises import assert_card_is_complete

h5py = pytest.importorskip("h5py")
RATE = openl3.FRONT_END.rate
MUSIC = openl3.KINDS["music"].file.name


def _script():
    path = Path(__file__).parents[1] / "golden" / "make_openl3.py"
    spec = importlib.util.spec_from_file_location("make_openl3", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _script()


@pytest.fixture(scope="module")
def golden():
    with np.load(made.GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def sounds():
    return made.sounds()


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A file of random weights in Keras's format, under the name that the authors' package gives it."""
    file = tmp_path_factory.mktemp("openl3") / openl3.UNPACKED.format("music")
    made.write(file, made.weights())
    return file


@pytest.fixture(scope="module")
def folder(unpacked, tmp_path_factory):
    """A folder with the same weights as they are published."""
    folder = tmp_path_factory.mktemp("published")
    (folder / MUSIC).write_bytes(gzip.compress(unpacked.read_bytes(), 1))
    return folder


@pytest.fixture(scope="module")
def load(folder):
    """Load an encoder with random weights, once for each way."""
    loaded = {}

    def get(dim=6144, precision="f32"):
        if (dim, precision) not in loaded:
            name = f"openl3-music-{dim}"
            loaded[dim, precision] = sonovec.load(name, weights=folder, hop=made.HOP, precision=precision)
        return loaded[dim, precision]

    return get


@pytest.fixture(scope="module")
def vectors(load, sounds):
    """What the large model gives in float32."""
    return {name: load().embed((samples, RATE)).windows for name, samples in sounds.items()}


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()), rtol=0)


def test_equals_the_reference_front_end(golden, sounds, load):
    for name, samples in sounds.items():
        windows = np.concatenate([group.samples for group in frame([samples], load().window)])
        found = openl3.spectrograms(windows)
        assert found.shape[1:] == (openl3.FRAMES, 256) and found.dtype == np.float32
        np.testing.assert_allclose(
            found.reshape(len(found), -1)[:, :: made.STEP], golden[f"spectrogram/{name}"], atol=1e-4, rtol=0
        )


@pytest.mark.slow
def test_equals_the_reference_network(golden, vectors):
    for name, found in vectors.items():
        close(found[:, :: made.STEP_6144], golden[f"6144/{name}"])
        close(found.reshape(len(found), -1, 512).max(axis=1), golden[f"512/{name}"])


@pytest.mark.slow
def test_the_small_model_is_the_large_one_pooled_further(golden, sounds, load, vectors):
    for name in ("noise", "short"):
        found = load(512).embed((sounds[name], RATE)).windows
        close(found, golden[f"512/{name}"])
        assert np.array_equal(found, vectors[name].reshape(len(found), -1, 512).max(axis=1))


@pytest.mark.slow
def test_bf16_is_close_to_float32_where_the_processor_has_it(sounds, load, vectors):
    for name in ("noise", "tone", "sweep", "click"):
        a, b = vectors[name], load(6144, "auto").embed((sounds[name], RATE)).windows
        for found, other in ((a, b), (a.reshape(len(a), -1, 512).max(1), b.reshape(len(b), -1, 512).max(1))):
            cosine = (found * other).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(other, axis=1)
            assert cosine.min() >= 0.9999, name


@pytest.mark.slow
def test_a_vector_does_not_depend_on_what_else_is_embedded(sounds, load, vectors):
    names = ["short", "noise", "tone"]
    for name, e in zip(names, load().embed_many([(sounds[name], RATE) for name in names]), strict=True):
        assert np.array_equal(e.windows, vectors[name])


def test_loudness_does_not_count(sounds):
    noise = sounds["noise"][None, :RATE]
    np.testing.assert_allclose(openl3.spectrograms(noise / 64), openl3.spectrograms(noise), atol=1e-4)


def test_a_short_sound_is_padded_to_a_second_and_silence_is_a_vector(sounds, load, vectors):
    e = load().embed((sounds["short"], RATE))
    assert e.windows.shape == (1, 6144) and e.times.tolist() == [[0.0, 0.4]]
    padded = np.pad(sounds["short"], (0, RATE - len(sounds["short"])))
    assert np.array_equal(load().embed((padded, RATE)).windows, e.windows)
    assert load().embed((sounds["silence"], RATE)).silent.all() and np.isfinite(vectors["silence"]).all()
    assert not openl3.spectrograms(sounds["silence"][None]).any()


def test_windows_start_at_the_first_sample_a_tenth_of_a_second_apart(folder):
    window = sonovec.load("openl3-env-512", weights=_as(folder, "env")).window
    assert (window.length, window.hop) == (48000, 4800)


def _as(folder, content):
    file = folder / openl3.KINDS[content].file.name
    if not file.exists():
        file.write_bytes((folder / MUSIC).read_bytes())
    return folder


@pytest.mark.parametrize("hop", [0.1, 0.7, 1 / 3, 0.0333, 0.123457])
def test_times_do_not_drift_over_ten_minutes(folder, hop):
    # 0.7 * 48000 is a little less than 33600 in floating point.
    spec = sonovec.load("openl3-music-512", weights=folder, hop=hop).window
    marks = np.zeros(600 * RATE, np.float32)
    marks[:: spec.hop] = 1
    *_, last = frame(np.split(marks, 600), replace(spec, length=64))
    assert (last.samples[:, 0] == 1).all(), "a window begins where its time says"
    # A hop is a whole number of samples: the grid itself is off by half a sample for each window at most.
    assert abs(last.starts[-1] / RATE - last.starts[-1] / spec.hop * hop) <= last.starts[-1] / spec.hop * 0.5 / RATE


@pytest.mark.parametrize("where", ["file", "folder"])
def test_the_unpacked_file_is_taken_too(folder, unpacked, where):
    given = unpacked if where == "file" else unpacked.parent
    model = registry.build("openl3-music-512", {}, given)
    assert model.weights_hash == sha256_of(unpacked)
    assert model.graph.torch_module().state_dict().keys() == openl3._network().state_dict().keys()
    same(unpacked, folder / MUSIC)


def same(one, other):
    """Whether two files hold the same weights."""
    card = registry.card("openl3-music-512")
    for arrays, others in zip(openl3._read(one, card), openl3._read(other, card), strict=True):
        assert all(map(np.array_equal, arrays, others))


def test_a_whole_keras_model_is_read_like_its_weights(tmp_path, unpacked):
    whole = tmp_path / "whole.h5"
    with h5py.File(unpacked) as source, h5py.File(whole, "w") as target:
        source.copy(source, target, "model_weights")
    same(whole, unpacked)


def _embed(file):
    return sonovec.load("openl3-music-512", weights=file).embed((np.zeros(RATE, np.float32), RATE))


@pytest.mark.parametrize(
    "change",
    [
        lambda layers: layers.pop(),
        lambda layers: layers.insert(0, ("melspectrogram_1", [np.zeros((2048, 3), np.float32)])),
        lambda layers: layers[1][1].reverse(),
        lambda layers: layers.clear(),
    ],
    ids=["one layer too few", "of version 0.2", "other shapes", "none"],
)
def test_weights_of_another_network_are_refused(tmp_path, change):
    layers = made.weights()
    change(layers)
    made.write(tmp_path / "other.h5", layers)
    with pytest.raises(WeightsError, match=r"other\.h5: not weights of openl3-music-512 \(differs in layers\.") as told:
        _embed(tmp_path / "other.h5")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("part", [0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path, folder, unpacked, packed, part):
    whole = (folder / MUSIC if packed else unpacked).read_bytes()
    (tmp_path / MUSIC).write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(WeightsError, match=r"not a file of Keras weights \(.*\); fetch") as told:
        _embed(tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "content", [b"<html>not found</html>", b"", b"\x1f\x8bnot gzip"], ids=["text", "empty", "gzip"]
)
def test_a_file_that_is_no_weights_is_refused(tmp_path, content):
    (tmp_path / MUSIC).write_bytes(content)
    with pytest.raises(WeightsError, match=r"not a file of Keras weights"):
        _embed(tmp_path)


@pytest.mark.parametrize("missing", ["h5py", "torch"])
def test_what_must_be_installed_is_said(monkeypatch, unpacked, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"openl3-music-512 needs .*pip install 'sonovec\[openl3\]'"):
        openl3._read(unpacked, registry.card("openl3-music-512"))


CONVERTED = """
import sys
import numpy as np, sonovec
e = sonovec.load("openl3-music-512", weights=sys.argv[1]).embed((np.zeros(48000, np.float32), 48000))
print(e.vector.shape, [m for m in ("torch", "h5py") if m in sys.modules])
"""


@pytest.mark.slow
def test_neither_torch_nor_h5py_is_imported_once_the_network_is_converted(folder, vectors):
    run = subprocess.run([sys.executable, "-c", CONVERTED, folder], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "(512,) []\n", "")


@pytest.mark.parametrize("card", openl3.CARDS, ids=lambda card: card.name)
def test_the_card_is_complete(card):
    assert_card_is_complete(card, "licence", "published_scores")
    assert card.weights[0].url == f"https://github.com/marl/openl3/raw/models/{card.weights[0].name}"
