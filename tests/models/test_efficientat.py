from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec.errors import UsageError, WeightsError
from sonovec.models import efficientat, registry
from sonovec.models.checkpoint import load_state, read_state
from sonovec.models.weights import sha256_of
from tests.promises import assert_same_vectors

RATE = efficientat.FRONT_END.rate
SIZES = {size.name: size for size in efficientat.SIZES}
SMALL = ("mn04", "dymn04")


@pytest.fixture(scope="module")
def made():
    """The script that made the golden file, whose sounds and weights are made again here."""
    script = Path(__file__).parents[1] / "golden" / "make_efficientat.py"
    spec = importlib.util.spec_from_file_location("make_efficientat", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def golden(made):
    with np.load(made.GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def sounds(made):
    return made.sounds()


def shapes(size):
    import torch

    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in efficientat.network(SIZES[size]).state_dict().items()}


@pytest.fixture(scope="module")
def folder(made, golden, tmp_path_factory):
    """Random weights under the published names, in PyTorch's own format."""
    import torch

    folder = tmp_path_factory.mktemp("efficientat")
    for size in made.KEPT:
        arrays = made.weights(shapes(size), golden[f"variances/{size}"])
        state = {name: torch.from_numpy(array) for name, array in arrays.items()}
        torch.save(state, folder / SIZES[size].file.name)
    return folder


@pytest.fixture(scope="module")
def load(folder):
    """Load an encoder with random weights, once for each way."""
    loaded = {}

    def get(size, **options):
        key = (size, *options.items())
        if key not in loaded:
            loaded[key] = sonovec.load(f"efficientat-{size}", weights=folder, precision="f32", **options)
        return loaded[key]

    return get


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()), rtol=0)


def test_equals_the_reference_front_end(made, golden, sounds):
    for name, samples in sounds.items():
        found = efficientat.FRONT_END(samples[None]).swapaxes(1, 2)
        assert found.shape == (1, 128, golden[f"frames/{name}"])
        np.testing.assert_allclose(found.reshape(-1)[:: made.STEP], golden[f"spectrogram/{name}"], atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("size", SMALL)
def test_equals_the_reference(made, golden, sounds, load, size):
    for name in made.KEPT[size]:
        e, hidden = (load(size, hidden=hidden).embed((sounds[name], RATE)) for hidden in (False, True))
        close(e.windows[0], golden[f"pooled/{size}/{name}"])
        close(hidden.windows[0], golden[f"hidden/{size}/{name}"])
        close(e.scores[0], golden[f"scores/{size}/{name}"])
        np.testing.assert_array_equal(e.scores, hidden.scores)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["mn10", "dymn10"])
def test_larger_networks_equal_the_reference(golden, sounds, folder, size):
    import torch

    network = network_of(folder, size)
    (row,) = efficientat.spectrograms(sounds["noise"][None], np.ones(1, np.float32))
    with torch.inference_mode():
        found = network(torch.from_numpy(row[None]))
    for kind, tensor in zip(("pooled", "hidden", "scores"), found, strict=True):
        close(tensor[0].numpy(), golden[f"{kind}/{size}/noise"])


@pytest.mark.parametrize("size", SIZES)
def test_weights_have_the_published_names_and_shapes(made, golden, size):
    np.testing.assert_array_equal(made.listing(shapes(size)), golden[f"listing/{size}"])


@pytest.mark.slow
@pytest.mark.parametrize("size", SMALL)
def test_a_vector_does_not_depend_on_what_came_with_it(sounds, load, size):
    encoder = load(size)
    alone = [encoder.embed((samples, RATE)) for samples in sounds.values()]
    together = list(encoder.embed_many([(samples, RATE) for samples in sounds.values()]))
    for a, b in zip(alone, together, strict=True):
        assert_same_vectors(a.windows, b.windows)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)


def network_of(folder, size):
    file = folder / SIZES[size].file.name
    return load_state(efficientat.network(SIZES[size]), read_state(file, size), file, size)


@pytest.mark.slow
def test_sounds_of_a_batch_do_not_mix(folder):
    import torch

    network = network_of(folder, "dymn04")
    batch = torch.from_numpy(np.random.default_rng(3).standard_normal((3, 1, 128, 60), np.float32))
    with torch.inference_mode():
        for together, alone in zip(network(batch), network(batch[1:2]), strict=True):
            torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_only_what_is_longer_than_a_window_is_cut(load, sounds):
    encoder = load("mn04")
    long = np.concatenate([sounds["full"], sounds["noise"]])
    e = encoder.embed((long, RATE))
    assert e.times.tolist() == [[0, 10], [10, 13.125]]
    for window, part in zip(e.windows, ("full", "noise"), strict=True):
        np.testing.assert_array_equal(window, encoder.embed((sounds[part], RATE)).windows[0])


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 100, 513])
def test_a_sound_that_the_reference_cannot_take_is_padded(load, sounds, length):
    encoder = load("mn04")
    short = sounds["shortest"][:length]
    padded = np.pad(short, (0, efficientat.SHORTEST - length))
    np.testing.assert_array_equal(encoder.embed((short, RATE)).windows, encoder.embed((padded, RATE)).windows)


def test_tags_are_scores_of_all_classes(load, sounds):
    e = load("mn04").embed((sounds["silence"], RATE))
    assert e.classes == efficientat.CLASSES and len(e.classes) == 527 == load("mn04").card.n_classes
    assert e.scores.shape == (1, 527) and ((e.scores > 0) & (e.scores < 1)).all() and e.silent.all()


def test_bf16_is_refused(folder):
    with pytest.raises(UsageError, match="bf16"):
        sonovec.load("efficientat-mn04", weights=folder, precision="bf16").embed((np.zeros(1000, np.float32), RATE))
    assert sonovec.load("efficientat-mn04", weights=folder).passport.precision == "f32"


def test_weights_of_another_size_are_refused(folder):
    file = folder / SIZES["mn10"].file.name
    with pytest.raises(WeightsError, match=r"mn10_as_mAP_471\.pt: not weights of efficientat-mn04 \(differs in "):
        sonovec.load("efficientat-mn04", weights=file).embed((np.zeros(1000, np.float32), RATE))


@pytest.fixture(scope="module")
def published(shared_data):
    return sonovec.load("efficientat-mn04", weights=shared_data / "weights")


@pytest.mark.slow
def test_published_weights_give_what_the_reference_gives(golden, sounds, published):
    e = published.embed((sounds["sweep"], RATE))
    close(e.windows[0], golden["pooled/published/sweep"])
    close(e.scores[0], golden["scores/published/sweep"])


def test_the_card_has_the_hash_and_size_of_the_published_file(shared_data, published):
    (file,) = published.card.weights
    path = shared_data / "weights" / file.name
    assert (sha256_of(path), path.stat().st_size) == (file.sha256, file.size)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "tag"),
    [
        ("001 - Dog bark", "Dog"),
        ("002 - Rain", "Rain"),
        ("004 - Baby cry", "Baby cry, infant cry"),
        ("005 - Clock tick", "Tick-tock"),
        ("009 - Rooster", "Chicken, rooster"),
    ],
)
def test_published_weights_name_real_sounds(shared_data, published, kind, tag):
    clips = sorted((shared_data / "esc10" / kind).glob("*.ogg"))[:6]
    found = list(published.embed_many(clips))
    named = [tag in [e.classes[i] for i in np.argsort(-e.scores[0])[:3]] for e in found]
    assert len(named) == 6 and sum(named) >= 5, dict(zip(clips, named, strict=True))
    assert all(e.times.tolist() == [[0, pytest.approx(5, abs=0.1)]] for e in found), "a short sound is one window"


@pytest.mark.parametrize("size", SMALL)
def test_a_truncated_file_is_refused(tmp_path, folder, size):
    file = tmp_path / SIZES[size].file.name
    whole = (folder / file.name).read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="not a file of PyTorch weights"):
        sonovec.load(f"efficientat-{size}", weights=tmp_path).embed((np.zeros(1000, np.float32), RATE))


@pytest.mark.parametrize(
    ("size", "dim", "hidden"),
    [
        ("mn04", 384, 512),
        ("mn10", 960, 1280),
        ("mn40", 3840, 5120),
        ("dymn04", 384, 512),
        ("dymn10", 960, 1280),
        ("dymn20", 1920, 2560),
    ],
)
def test_the_card_is_complete(size, dim, hidden):
    card = registry.card(f"efficientat-{size}")
    assert (card.dim, SIZES[size].hidden, card.rate, card.n_classes) == (dim, hidden, 32000, 527)
    for name in ("licence", "trained_on", "reference", "front_end", "summary", "weights", "extras", "published_scores"):
        assert getattr(card, name), name
