from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import sonovec
from sonovec.errors import UsageError, WeightsError
from sonovec.features.mel import VGGISH
from tests.golden import make_saved_model
from tests.models import tiny

SAMPLES = tiny.sound(2.2, 16000)
CARD = {"rate": 16000, "window": 0.5, "front_end": "waveform", "output": "embedding", "dim": 8}


def write(folder: Path, **changes) -> str:
    """Write a card into `folder`; None takes a field out."""
    told = {name: value for name, value in {**CARD, **changes}.items() if value is not None}
    (folder / "card.yaml").write_text(yaml.safe_dump(told))
    return str(folder)


def onnx_file(folder: Path, shape=("n", 8000), name="network.onnx", seed=3) -> str:
    """An ONNX network: a hidden layer, its projection "embedding", and the sigmoid of that, "scores"."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    size = int(np.prod(shape[1:]))
    weights = [
        numpy_helper.from_array((rng.standard_normal((size, 16)) / 50).astype(np.float32), "first"),
        numpy_helper.from_array(rng.standard_normal((16, 8)).astype(np.float32), "second"),
    ]
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["product"]),
        helper.make_node("Relu", ["product"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "second"], ["embedding"]),
        helper.make_node("Sigmoid", ["embedding"], ["scores"]),
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ("n", 8))]
    graph = helper.make_graph(nodes, "network", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / name)
    return name


def by_hand(rows: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(3)
    first = (rng.standard_normal((rows[0].size, 16)) / 50).astype(np.float32)
    return np.maximum(rows.reshape(len(rows), -1) @ first, 0) @ rng.standard_normal((16, 8)).astype(np.float32)


def windows(samples=SAMPLES, length=8000) -> np.ndarray:
    padded = np.pad(samples, (0, -len(samples) % length))
    return padded.reshape(-1, length)


def test_onnx_with_a_tensor_inside_and_scores(tmp_path):
    classes = [f"class {i}" for i in range(8)]
    encoder = sonovec.load(write(tmp_path, file=onnx_file(tmp_path), scores="scores", classes=classes))
    found = encoder.embed((SAMPLES, 16000))
    expected = by_hand(windows())
    np.testing.assert_allclose(found.windows, expected, atol=1e-4)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-expected)), atol=1e-4)
    assert found.classes == tuple(classes) and encoder.card.n_classes == 8


def test_a_card_of_a_former_version_calls_its_classes_tags(tmp_path):
    for folder, field in (("now", "classes"), ("former", "tags")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "names.txt").write_text("\n".join("abcdefgh"), encoding="utf-8")
        write(tmp_path / folder, name="one", file=onnx_file(tmp_path / folder), scores="scores", **{field: "names.txt"})
    now, former = (sonovec.load(tmp_path / folder) for folder in ("now", "former"))
    assert former.classes == now.classes == tuple("abcdefgh") and former.passport == now.passport
    again = sonovec.load(former.save(tmp_path / "saved"))
    assert again.classes == former.classes and again.passport == former.passport


def test_a_log_mel_front_end_is_made_of_fields(tmp_path):
    fields = {
        name: getattr(VGGISH, name)
        for name in ("window_length", "hop_length", "fft_length", "n_mels", "f_min", "f_max")
    }
    for layout, axes in (([1, "frames", "mels"], (0, 1, 2)), (["mels", "frames"], (0, 2, 1))):
        shape = ("n", 1, 96, 64) if 1 in layout else ("n", 64, 96)
        name = write(
            tmp_path,
            file=onnx_file(tmp_path, shape, f"{len(layout)}.onnx"),
            front_end=fields,
            layout=layout,
            window=0.975,
        )

        found = sonovec.load(name).embed((SAMPLES, 16000))
        expected = by_hand(np.ascontiguousarray(VGGISH(windows(length=15600)).transpose(axes)))
        np.testing.assert_allclose(found.windows, expected, atol=1e-3)


def test_torchscript(tmp_path):
    import torch

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8000, 500), torch.nn.ReLU(), torch.nn.Linear(500, 8)).eval()
    torch.jit.script(network).save(tmp_path / "network.ts")
    with torch.no_grad():
        expected = network(torch.from_numpy(windows())).numpy()
    found = sonovec.load(write(tmp_path, file="network.ts", output="")).embed((SAMPLES, 16000))
    np.testing.assert_allclose(found.windows, expected, atol=1e-4)


def test_a_saved_model(tmp_path):
    shutil.copytree(make_saved_model.FOLDER, tmp_path / "network")
    found = sonovec.load(write(tmp_path, file="network", output="embedding")).embed((SAMPLES, 16000))
    np.testing.assert_allclose(found.windows, make_saved_model.expected(windows()), atol=1e-4)


def test_tflite_is_read_as_the_family_reads_it(tmp_path, shared_data):
    file = shared_data / "weights" / "yamnet.tflite"
    shutil.copy(file, tmp_path)
    name = write(
        tmp_path,
        file=file.name,
        window=0.975,
        hop=0.48,
        output="yamnet_frames/global_average_pooling2d/Mean",
        dim=1024,
    )
    expected = sonovec.load("yamnet", weights=file).embed((SAMPLES, 16000)).windows
    np.testing.assert_array_equal(sonovec.load(name).embed((SAMPLES, 16000)).windows, expected)


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"file": None}, UsageError, "lacks file"),
        ({"rat": 3}, UsageError, "unknown field 'rat'; there are: file, rate"),
        ({"rate": "16k"}, UsageError, "rate: '16k' has the wrong type str"),
        ({"front_end": {"mels": 3}}, UsageError, "front_end has no mels; it has: area_norm"),
        ({"front_end": {"n_mels": 64}}, UsageError, "front_end: .*missing"),
        ({"front_end": "mfcc"}, UsageError, "front_end: 'mfcc'; give waveform"),
        ({"layout": ["frames"]}, UsageError, "layout: .*give samples in order"),
        ({"classes": ["a"]}, UsageError, "scores and classes go together"),
        ({"classes": ["a"], "tags": ["a"]}, UsageError, "tags is the former name of classes; give classes alone"),
        ({"classes": "no.txt", "scores": "scores"}, UsageError, "'no.txt' cannot be read"),
        ({"file": "no.onnx"}, WeightsError, "no.onnx: no such file; put it there"),
        ({"output": "embeding"}, WeightsError, "has no tensor 'embeding'; the nearest are: embedding"),
        ({"dim": 9}, UsageError, "have 8 numbers and should have 9; change dim:"),
        ({"window": 0.4}, WeightsError, "network.onnx: its input.*8000.*6400"),
    ],
)
def test_a_wrong_card_is_told_in_a_line(changes, kind, says, tmp_path):
    name = write(tmp_path, **{"file": onnx_file(tmp_path), **changes})
    with pytest.raises(kind, match=says) as caught:
        sonovec.load(name).embed((SAMPLES, 16000))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["- a\n", "a: [", ""])
def test_what_is_no_card_is_told_in_a_line(content, tmp_path):
    (tmp_path / "card.yaml").write_text(content)
    with pytest.raises(UsageError, match=r"card.yaml: (is not valid YAML|holds no fields)"):
        sonovec.load(str(tmp_path))
    with pytest.raises(UsageError, match="no such file; give the card"):
        sonovec.load(str(tmp_path / "other.yaml"))


@pytest.mark.parametrize("keep", [0, 100, 1000])
def test_a_file_cut_short_is_told_in_a_line(keep, tmp_path):
    file = tmp_path / onnx_file(tmp_path)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="cannot be read as a network") as caught:
        sonovec.load(write(tmp_path, file=file.name)).embed((SAMPLES, 16000))
    assert "\n" not in str(caught.value)
