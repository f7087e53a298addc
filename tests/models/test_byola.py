from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec.errors import UsageError, WeightsError
from sonovec.models import byola, registry
from tests.promises import assert_card_is_complete, assert_same_vectors

RATE = 16000


def _script():
    path = Path(__file__).parents[1] / "golden" / "make_byola.py"
    spec = importlib.util.spec_from_file_location("make_byola", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _script()


@pytest.fixture(scope="module")
def golden():
    with np.load(made.GOLDEN) as arrays:
        return dict(arrays)


def shapes(dim):
    return {key: tuple(tensor.shape) for key, tensor in byola.network(dim).state_dict().items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with random weights under the published names, as the authors saved theirs."""
    import torch

    folder = tmp_path_factory.mktemp("byola")
    for dim in byola.SIZES:
        arrays = made.weights({key: shape for key, shape in shapes(dim).items() if "num_batches" not in key})
        state = {key: torch.from_numpy(array) for key, array in arrays.items()}
        state |= {key: torch.tensor(100) for key in shapes(dim) if "num_batches" in key}
        torch.save(state, folder / f"AudioNTT2020-BYOLA-64x96d{dim}.pth")
    return folder


@pytest.fixture(scope="module")
def encoder(folder):
    return sonovec.load("byola-512", weights=folder, precision="f32")


def close(found, expected):
    """Within 1e-4 of the largest number of the reference: these random weights give numbers up to about 10."""
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()), rtol=0)


@pytest.mark.parametrize("dim", byola.SIZES)
def test_names_and_shapes_are_the_published_ones(golden, dim):
    assert sorted(golden[f"{dim}/names"]) == sorted(f"{key} {list(shape)}" for key, shape in shapes(dim).items())


def test_equals_the_reference_front_end(golden):
    for name, samples in made.sounds().items():
        found = byola.FRONT_END(samples[None])
        assert found.shape[1] == golden[f"frames/{name}"]
        np.testing.assert_allclose(found.reshape(-1)[:: made.STEP], golden[f"bands/{name}"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("seconds", made.SECONDS)
def test_equals_the_reference_network_at_any_length(golden, encoder, seconds):
    e = encoder.embed((made.noise(seconds), RATE))
    assert e.windows.shape == (1, 512)
    close(e.windows[0], golden[f"512/{seconds}"])


@pytest.mark.parametrize("dim", byola.SIZES)
def test_a_short_sound_is_padded_on_both_sides(golden, folder, dim):
    e = sonovec.load(f"byola-{dim}", weights=folder, precision="f32").embed((made.noise(made.SHORT), RATE))
    close(e.windows[0], golden[f"{dim}/{made.SHORT}"])


def test_the_end_of_a_clip_is_embedded_as_long_as_it_is(golden, encoder):
    e = encoder.embed((np.concatenate([made.noise(10.0), made.noise(3.217)]), RATE))
    np.testing.assert_allclose(e.times, [[0, 10], [10, 13.217]], atol=1e-4)
    close(e.windows, np.stack([golden["512/10.0"], golden["512/3.217"]]))


def test_bf16_is_not_offered(folder):
    assert sonovec.load("byola-512", weights=folder).passport.precision == "f32"
    with pytest.raises(UsageError, match=r"precision='bf16'"):
        _ = sonovec.load("byola-512", weights=folder, precision="bf16").passport


def test_a_vector_does_not_depend_on_what_else_is_embedded(encoder):
    clips = [(made.noise(seconds), RATE) for seconds in (1.2, 10.0, 0.4, 3.217, 1.2)]
    alone = [encoder.embed(clip).windows for clip in clips]
    for one, other in zip(alone, encoder.embed_many(clips), strict=True):
        assert_same_vectors(one, other.windows, encoder.passport.precision)


@pytest.mark.parametrize("samples", [1, 100, 15199])
def test_silence_of_any_length_gives_a_vector(encoder, samples):
    e = encoder.embed((np.zeros(samples, np.float32), RATE))
    assert e.windows.shape == (1, 512) and e.silent.all() and np.isfinite(e.windows).all()


def test_statistics_of_ones_own_data_are_options(folder, encoder):
    own = sonovec.load("byola-512", weights=folder, precision="f32", mean=-7, std=4.5)
    assert own.passport.fingerprint != encoder.passport.fingerprint
    assert "shift=-7.0, scale=4.5" in own.passport.front_end
    sound = made.noise(0.95)
    spectrogram = replace(byola.FRONT_END, shift=-7.0, scale=4.5)(sound[None])[0]
    # A number of the spectrogram may differ in its last bit on some processors.
    np.testing.assert_allclose(
        own.embed((sound, RATE)).windows[0], own.network.run([spectrogram])[0], atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deviation_that_is_none_is_refused(folder, std):
    with pytest.raises(UsageError, match=r"give the statistics of log-mel spectrograms, such as std=5"):
        sonovec.load("byola-512", weights=folder, std=std)


def test_weights_of_another_size_are_refused(folder):
    with pytest.raises(WeightsError, match=r"d1024\.pth: not weights of byola-512 \(differs in fc\.0\.bias"):
        sonovec.load("byola-512", weights=folder / "AudioNTT2020-BYOLA-64x96d1024.pth").embed((made.noise(0.4), RATE))


def test_a_truncated_file_is_refused(tmp_path, folder):
    name = "AudioNTT2020-BYOLA-64x96d512.pth"
    (tmp_path / name).write_bytes((folder / name).read_bytes()[:100_000])
    with pytest.raises(WeightsError, match=r"not a file of PyTorch weights"):
        sonovec.load("byola-512", weights=tmp_path).embed((made.noise(0.4), RATE))


@pytest.mark.parametrize("dim", byola.SIZES)
def test_the_card_is_complete(dim):
    card = registry.card(f"byola-{dim}")
    assert_card_is_complete(card, "published_scores", "options")
    assert card.licence == "LicenseRef-NTT-evaluation" and card.commercial_use is False
