from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest

import sonovec
from sonovec.errors import UsageError, WeightsError
from sonovec.models import custom, resemblyzer, saved
from sonovec.models.weights import sha256_of
from sonovec.runtime.torch_runtime import TorchNetwork
from tests.golden import make_resemblyzer
from tests.models import tiny
from tests.models.test_custom import CARD, onnx_file, write

SOUND = (tiny.sound(2.2, 16000), 16000)


def _voices(folder):
    import torch

    folder.mkdir()
    shapes = {name: tuple(tensor.shape) for name, tensor in resemblyzer.network().state_dict().items()}
    state = {name: torch.from_numpy(array) for name, array in make_resemblyzer.weights(shapes).items()}
    torch.save({"model_state": state}, folder / "pretrained.pt")
    with zipfile.ZipFile(folder / resemblyzer.WHEEL.name, "w") as archive:
        archive.write(folder / "pretrained.pt", resemblyzer.MEMBER)
    return folder


def _own(folder, **changes):
    folder.mkdir()
    return write(folder, file=onnx_file(folder), **changes)


#: Encoders of every kind of name, by a folder that their files may be written to.
KINDS = {
    "logmel": lambda folder: sonovec.load("logmel", hop=0.5, tail="drop"),
    "built in": lambda folder: sonovec.load("default"),
    "of a wheel": lambda folder: sonovec.load("resemblyzer", weights=_voices(folder), loudness=False),
    "of a file": lambda folder: sonovec.load("resemblyzer", weights=_voices(folder) / "pretrained.pt"),
    "own": lambda folder: sonovec.load(_own(folder)),
    "folder": lambda folder: sonovec.load(str(tiny.waveform("wav2vec2-group", folder)), layer=1, pooling="max"),
    "hub": lambda folder: sonovec.load("somebody/hubert", weights=tiny.waveform("hubert", folder), hop=2.0),
}


#: Those that take seconds.
SLOW = ("of a wheel", "of a file", "folder", "hub")


def some(*kinds):
    return pytest.mark.parametrize(
        "kind", [pytest.param(kind, marks=pytest.mark.slow if kind in SLOW else ()) for kind in kinds]
    )


@some(*KINDS)
def test_what_was_saved_is_loaded_wherever_it_lies(tmp_path, kind):
    encoder = KINDS[kind](tmp_path / "files")
    vectors, passport = encoder.embed(SOUND).windows, encoder.passport
    encoder.save(tmp_path / "kept")
    shutil.rmtree(tmp_path / "files", ignore_errors=True)
    (tmp_path / "kept").rename(tmp_path / "moved")
    loaded = sonovec.load(tmp_path / "moved")
    assert loaded.passport == passport and np.array_equal(loaded.embed(SOUND).windows, vectors)
    loaded.save(tmp_path / "again")
    again = sonovec.load(tmp_path / "again")
    assert again.passport == passport and (again.window, again.options) == (encoder.window, encoder.options)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["built in", "of a wheel", "folder"])
def test_a_network_that_was_trained_is_saved(tmp_path, kind):
    import torch

    encoder = KINDS[kind](tmp_path / "files")
    network = encoder.module()
    length = min(encoder.window.length, 64000)
    samples = np.random.default_rng(0).standard_normal((2, length)).astype(np.float32) / 10
    rows = torch.from_numpy(np.stack(encoder.model.features(samples, np.ones(2, np.float32))))
    network.train()
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    network(rows).square().mean().backward()
    optimiser.step()
    network.eval()
    folder = encoder.save(tmp_path / "mine", network)
    loaded = sonovec.load(folder, precision="f32")
    assert loaded.card.name == loaded.passport.model == "mine" and loaded.passport.weights != encoder.passport.weights
    with torch.no_grad():
        expected = network(rows).numpy()
    found = np.stack(loaded.network.run(list(rows.numpy())))
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()))
    assert not np.allclose(np.stack(encoder.network.run(list(rows.numpy()))), expected, atol=1e-7)
    # The state in the folder goes on to the next.
    again = sonovec.load(loaded.save(tmp_path / "again"))
    assert again.passport.weights == loaded.passport.weights and again.card.name == "mine"


@pytest.mark.slow
def test_the_built_in_network_is_the_same_in_pytorch():
    import torch

    encoder = sonovec.load("default", precision="f32")
    samples = np.random.default_rng(0).standard_normal((3, 64000)).astype(np.float32) / 10
    samples[1, 20000:] = 0
    rows = encoder.model.features(samples, np.ones(3, np.float32))
    with torch.no_grad():
        expected = encoder.module()(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(np.stack(encoder.network.run(list(rows))), expected, atol=1e-5)
    np.testing.assert_allclose(
        np.stack(TorchNetwork(encoder.model.graph, "f32", "cpu").run(list(rows))), expected, atol=1e-5
    )


@pytest.mark.slow
def test_options_of_a_saved_encoder_can_be_others(tmp_path):
    folder = KINDS["folder"](tmp_path / "files").save(tmp_path / "kept")
    assert sonovec.load(folder).options["layer"] == 1
    assert sonovec.load(folder, layer=2).options == {**sonovec.load(folder).options, "layer": 2}


@pytest.mark.slow
def test_remote_code_is_not_run_because_a_file_says_so(tmp_path):
    folder = sonovec.load(str(tiny.waveform("hubert", tmp_path / "files")), remote_code=True).save(tmp_path / "kept")
    assert json.loads((folder / saved.CARD).read_text())["options"]["remote_code"] is True
    assert sonovec.load(folder).options["remote_code"] is False


def test_what_cannot_be_trained_is_told(tmp_path):
    with pytest.raises(UsageError, match="'logmel' has no network"):
        sonovec.load("logmel").module()
    own = KINDS["own"](tmp_path / "files")
    with pytest.raises(UsageError, match="'files' is a file that PyTorch cannot train"):
        own.module()


def test_a_network_of_another_model_is_refused(tmp_path):
    with pytest.raises(
        UsageError, match=r"network= does not fit 'sonovec-1' \(differs in encoder\..*encoder\.module\(\)"
    ):
        sonovec.load("default").save(tmp_path / "mine", resemblyzer.network())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(UsageError, match=r"mine: is there and not empty; give a new folder, such as .*mine-2"):
        sonovec.load("logmel").save(tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda folder: (folder / "weights" / "network.onnx").write_bytes(b"x"), "is not the file that was saved"),
        (lambda folder: (folder / "weights" / "network.onnx").unlink(), "no such file, and encoder.json names it"),
        (lambda folder: _change(folder, model="weights/../../elsewhere"), "lies outside of its folder"),
        (lambda folder: _change(folder, files={"../secret": ""}), "lies outside of its folder"),
        (lambda folder: _change(folder, model="../files"), "lies outside of its folder"),
        (lambda folder: _change(folder, model="/etc"), "lies outside of its folder"),
        (lambda folder: _change(folder, format=99), "has format 99, and this version reads 1"),
        (lambda folder: _change(folder, hop=None), "lacks hop"),
        (lambda folder: (folder / saved.CARD).write_text("{"), "cannot be read"),
    ],
)
def test_a_folder_that_was_harmed_is_refused(tmp_path, harm, says):
    folder = KINDS["own"](tmp_path / "files").save(tmp_path / "kept")
    harm(folder)
    with pytest.raises(WeightsError, match=says) as told:
        sonovec.load(folder)
    assert "\n" not in str(told.value)


def _change(folder, **changes):
    told = json.loads((folder / saved.CARD).read_text())
    (folder / saved.CARD).write_text(json.dumps(told | changes))


def test_weights_beside_a_saved_encoder_are_refused(tmp_path):
    folder = sonovec.load("logmel").save(tmp_path / "kept")
    with pytest.raises(UsageError, match="has its own; leave weights out"):
        sonovec.load(folder, weights=tmp_path)


def test_a_network_that_changes_while_it_is_loaded_is_refused(tmp_path):
    folder = write(tmp_path, file=onnx_file(tmp_path, seed=71))
    encoder = sonovec.load(folder)
    onnx_file(tmp_path, seed=72)
    with pytest.raises(WeightsError, match="its files changed while it was loaded; load it again"):
        encoder.embed(SOUND)
    assert not np.array_equal(sonovec.load(folder).embed(SOUND).vector, np.zeros(8))


def test_weights_that_change_while_they_are_loaded_are_refused(tmp_path):
    import torch

    def fill(seed):
        torch.manual_seed(seed)
        torch.save({"model_state": resemblyzer.network().state_dict()}, tmp_path / "voices.pt")

    fill(1)
    encoder = sonovec.load("resemblyzer", weights=tmp_path / "voices.pt")
    fill(2)
    with pytest.raises(WeightsError, match="'resemblyzer': its files changed while it was loaded; load it again"):
        encoder.embed(SOUND)


def test_an_option_that_a_model_does_not_have_is_refused(tmp_path):
    folder = KINDS["of a file"](tmp_path / "files").save(tmp_path / "kept")
    _change(folder, options={"loudness": "loud"})
    with pytest.raises(WeightsError, match=r"encoder\.json: option loudness is 'loud' and may be: True, False"):
        sonovec.load(folder)


def test_a_file_that_vanishes_while_it_is_loaded_is_named(tmp_path, monkeypatch):
    folder = write(tmp_path, file=onnx_file(tmp_path))

    def vanishing(network):
        network.unlink()
        return sha256_of(network)

    monkeypatch.setattr(custom, "digest", vanishing)
    with pytest.raises(WeightsError, match=r"network\.onnx vanished while it was loaded"):
        sonovec.load(folder)


def test_a_card_that_changes_before_the_network_is_used_is_refused(tmp_path):
    encoder = sonovec.load(write(tmp_path, file=onnx_file(tmp_path, seed=73)))
    write(tmp_path, file="network.onnx", dim=9)
    with pytest.raises(WeightsError, match="its files changed while it was loaded"):
        encoder.embed(SOUND)


def test_a_card_that_changed_is_read_again(tmp_path):
    own = _own(tmp_path / "birds")
    assert sonovec.load(own).card.summary == "a network of the user's own"
    write(tmp_path / "birds", file="network.onnx", summary="birds of the lake", name="lake")
    assert (sonovec.load(own).card.summary, sonovec.load(own).card.name) == ("birds of the lake", "lake")
    assert CARD["dim"] == sonovec.load(own).dim
