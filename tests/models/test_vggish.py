from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import WeightsError
from sonovec.models import registry, vggish
from tests.golden.make_tf_checkpoint import GOLDEN


def windows_of(encoder, samples):
    """By a file of floats, which may be far too loud; samples in memory may not."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "sound.wav")
        soundfile.write(file, samples, 16000, subtype="FLOAT")
        return encoder.embed(file).windows


def close(found, expected):
    """Within 1e-4 of the largest number of the reference: these random weights give numbers up to about 10."""
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()), rtol=0)


@pytest.fixture(scope="module")
def encoder(vggish_weights):
    return sonovec.load("vggish", weights=vggish_weights, tail="drop", precision="f32")


@pytest.mark.parametrize(("kind", "options"), [("before", {}), ("after", {"relu": True})])
@pytest.mark.slow
def test_equals_the_reference_network(vggish_golden, vggish_weights, kind, options):
    made, golden = vggish_golden
    encoder = sonovec.load("vggish", weights=vggish_weights, tail="drop", precision="f32", **options)
    for name, samples in made.sounds().items():
        close(windows_of(encoder, samples), golden[f"{kind}/{name}"])


@pytest.mark.slow
def test_equals_the_reference_quantisation(vggish_golden, vggish_weights):
    made, golden = vggish_golden
    encoder = sonovec.load("vggish", weights=vggish_weights, tail="drop", precision="f32", pca=True)
    different = total = 0
    for name, samples in made.sounds().items():
        found, expected = windows_of(encoder, samples), golden[f"pca/{name}"]
        assert ((found >= 0) & (found <= 255) & (found == found.round())).all()
        assert np.abs(found - expected).max() <= 1, "a number that lies between two steps may fall to either"
        different += (found != expected).sum()
        total += found.size
    assert different / total < 0.005


@pytest.mark.slow
def test_bf16_is_close_to_float32_where_the_processor_has_it(encoder, vggish_weights, vggish_golden):
    made, _ = vggish_golden
    low = sonovec.load("vggish", weights=vggish_weights, tail="drop", precision="auto")
    for samples in made.sounds().values():
        a, b = windows_of(encoder, samples), windows_of(low, samples)
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert cosine.min() > low.card.bf16_cosine


@pytest.mark.slow
def test_windows_are_cut_where_the_reference_cuts_one_long_spectrogram(encoder):
    e = encoder.embed((np.random.default_rng(0).standard_normal(100_000).astype(np.float32) / 9, 16000))
    np.testing.assert_allclose(e.times[:, 0], np.arange(len(e.times)) * 0.96)
    np.testing.assert_allclose(e.times[:, 1] - e.times[:, 0], 0.975)


@pytest.mark.slow
def test_options_are_in_the_passport(vggish_weights):
    passports = {
        sonovec.load("vggish", weights=vggish_weights, relu=relu, pca=pca).passport.fingerprint
        for relu in (False, True)
        for pca in (False, True)
    }
    assert len(passports) == 4


CONVERTED = """
import sys
import tempfile
from pathlib import Path
import numpy as np, sonovec
e = sonovec.load("vggish", weights=sys.argv[1], pca=True).embed((np.zeros(16000, np.float32), 16000))
print(e.vector.shape, [m for m in ("torch",) if m in sys.modules])
"""


@pytest.mark.slow
def test_torch_is_not_imported_once_the_network_is_converted(vggish_weights):
    sonovec.load("vggish", weights=vggish_weights, pca=True).embed((np.zeros(16000, np.float32), 16000))
    run = subprocess.run([sys.executable, "-c", CONVERTED, vggish_weights], capture_output=True, text=True, check=True)
    assert run.stdout == "(128,) []\n"


@pytest.fixture(scope="module")
def googles(vggish_golden, tmp_path_factory):
    """A folder with the same weights as Google publishes theirs: a checkpoint that TensorFlow wrote, and NumPy's arrays."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow writes the checkpoint, and is not installed")
    folder = tmp_path_factory.mktemp("google")
    script = Path(__file__).parents[1] / "golden" / "make_vggish_checkpoint.py"
    subprocess.run([sys.executable, script, folder / vggish.CHECKPOINT], check=True, capture_output=True)
    components = vggish_golden[0].components()
    np.savez(folder / vggish.CHECKPOINT_PCA, **components)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"pca": True}])
def test_googles_own_checkpoint_gives_the_same_vectors(vggish_golden, vggish_weights, googles, options):
    noise = vggish_golden[0].sounds()["noise"]
    found = sonovec.load("vggish", weights=googles, precision="f32", **options)
    port = sonovec.load("vggish", weights=vggish_weights, precision="f32", **options)
    assert np.array_equal(windows_of(found, noise), windows_of(port, noise))
    assert found.passport != port.passport


@pytest.mark.slow
def test_a_damaged_checkpoint_is_refused(tmp_path, googles):
    content = bytearray((googles / vggish.CHECKPOINT).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / vggish.CHECKPOINT).write_bytes(content)
    with pytest.raises(WeightsError, match=r"vggish_model\.ckpt: not a whole checkpoint .*CRC of the block"):
        sonovec.load("vggish", weights=tmp_path).embed((np.zeros(16000, np.float32), 16000))


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    (tmp_path / vggish.CHECKPOINT).write_bytes((GOLDEN / "v1.ckpt").read_bytes())
    with pytest.raises(WeightsError, match=r"vggish_model\.ckpt: not weights of VGGish"):
        sonovec.load("vggish", weights=tmp_path).embed((np.zeros(16000, np.float32), 16000))
    (tmp_path / vggish.CHECKPOINT_PCA).write_bytes(b"no")
    with pytest.raises(WeightsError, match=r"vggish_pca_params\.npz: not NumPy's arrays"):
        sonovec.load("vggish", weights=tmp_path, pca=True)


def test_weights_of_another_network_are_refused(tmp_path):
    import torch

    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / vggish.NETWORK.name)
    with pytest.raises(WeightsError, match=r"vggish-10086976\.pth: not weights of VGGish \(differs in embeddings"):
        sonovec.load("vggish", weights=tmp_path).embed((np.zeros(16000, np.float32), 16000))


def test_a_file_that_is_no_weights_is_refused(tmp_path):
    (tmp_path / vggish.NETWORK.name).write_bytes(b"<html>not found</html>")
    with pytest.raises(WeightsError, match=r"not a file of PyTorch weights"):
        sonovec.load("vggish", weights=tmp_path).embed((np.zeros(16000, np.float32), 16000))


def test_a_truncated_file_is_refused(tmp_path, vggish_weights):
    whole = (vggish_weights / vggish.PCA.name).read_bytes()
    (tmp_path / vggish.NETWORK.name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"not a file of PyTorch weights"):
        sonovec.load("vggish", weights=tmp_path).embed((np.zeros(16000, np.float32), 16000))


def test_the_card_is_complete():
    card = registry.card("vggish")
    assert card.dim == 128 and card.rate == 16000
    for name in ("licence", "trained_on", "reference", "front_end", "summary", "weights", "extras", "published_scores"):
        assert getattr(card, name), name
