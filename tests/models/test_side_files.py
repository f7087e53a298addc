"""A network's identity is that of all of its files, and a card reads nothing outside of its folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sonovec
from sonovec.errors import SonovecError, UsageError, WeightsError
from sonovec.models import huggingface
from sonovec.models.side_files import digest, is_below, side_files
from sonovec.models.weights import sha256_of
from tests.models import tiny
from tests.models.test_custom import SAMPLES, by_hand, onnx_file, windows, write


def split(folder: Path, location: str = "weights.data", *, in_one: bool = True) -> Path:
    """A network of ONNX whose weights lie in files of their own."""
    whole = folder / onnx_file(folder, name="whole.onnx")
    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    network = folder / "network.onnx"
    onnx.save(
        onnx.load(whole),
        network,
        save_as_external_data=True,
        all_tensors_to_one_file=in_one,
        location=location if in_one else None,
        size_threshold=0,
    )
    whole.unlink()
    return network


def redirect(network: Path, location: str) -> None:
    """Let a network say that its weights lie elsewhere."""
    model = onnx.load(network, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    network.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("location", ["weights.data", "sub/deep/weights.bin"])
def test_networks_that_differ_only_in_their_external_data_are_two(tmp_path, location):
    network = split(tmp_path, location)
    name = write(tmp_path, file=network.name)
    first = sonovec.load(name)
    np.testing.assert_allclose(first.embed((SAMPLES, 16000)).windows, by_hand(windows()), atol=1e-4)
    data = tmp_path / location
    numbers = np.frombuffer(data.read_bytes(), np.float32)
    before = sha256_of(network)
    data.write_bytes((2 * numbers).tobytes())
    second = sonovec.load(name)
    assert sha256_of(network) == before
    assert first.passport.weights != second.passport.weights
    assert first.model.graph.key != second.model.graph.key
    np.testing.assert_allclose(second.embed((SAMPLES, 16000)).windows, 4 * by_hand(windows()), atol=1e-3)


@pytest.mark.parametrize("name", ["network", "network.ONNX", "network.model"])
def test_onnx_is_known_by_its_content(tmp_path, name):
    network = split(tmp_path).rename(tmp_path / name)
    assert side_files(network) == ["weights.data"]
    found = sonovec.load(write(tmp_path, file=name)).embed((SAMPLES, 16000))
    np.testing.assert_allclose(found.windows, by_hand(windows()), atol=1e-4)


def test_each_tensor_in_a_file_of_its_own(tmp_path):
    network = split(tmp_path, in_one=False)
    assert sorted(side_files(network)) == ["first", "second"]
    before = digest(network)
    for name in ("first", "second"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert digest(network) != before
        (tmp_path / name).write_bytes(content)
    assert digest(network) == before


def test_tensors_in_attributes_and_branches_are_found(tmp_path):
    """As constants have them, and the two sides of an If."""
    from onnx import TensorProto, helper

    def constant(name: str) -> onnx.NodeProto:
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=f"{name}.data")
        return helper.make_node("Constant", [], [name], value=tensor)

    branches = {
        f"{side}_branch": helper.make_graph(
            [constant(side)], side, [], [helper.make_tensor_value_info(side, TensorProto.FLOAT, [1])]
        )
        for side in ("then", "else")
    }
    nodes = [constant("outer"), helper.make_node("If", ["input"], ["output"], **branches)]
    inputs = [helper.make_tensor_value_info("input", TensorProto.BOOL, [1])]
    graph = helper.make_graph(nodes, "x", inputs, [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1])])
    network = tmp_path / "network.onnx"
    network.write_bytes(helper.make_model(graph).SerializeToString())
    for name in ("outer", "then", "else"):
        (tmp_path / f"{name}.data").write_bytes(bytes(4))
    assert side_files(network) == ["else.data", "outer.data", "then.data"]


def test_a_file_alone_has_the_hash_that_it_always_had(tmp_path):
    network = tmp_path / onnx_file(tmp_path)
    assert side_files(network) == [] and digest(network) == sha256_of(network)


def test_external_data_that_is_missing_is_named(tmp_path):
    network = split(tmp_path)
    (tmp_path / "weights.data").unlink()
    with pytest.raises(
        WeightsError, match=r"network\.onnx: keeps weights in .*weights\.data, and there is no such file"
    ):
        sonovec.load(write(tmp_path, file=network.name))


@pytest.mark.parametrize("how", ["parent", "absolute", "link", "link of a folder"])
def test_external_data_outside_of_the_folder_is_refused_and_named(tmp_path, how):
    folder = tmp_path / "model"
    folder.mkdir()
    network = split(folder)
    outside = shutil.move(folder / "weights.data", tmp_path / "secret.data")
    location = {
        "parent": "../secret.data",
        "absolute": str(outside),
        "link": "w.data",
        "link of a folder": "d/secret.data",
    }
    if how == "link":
        (folder / "w.data").symlink_to(outside)
    if how == "link of a folder":
        (folder / "d").symlink_to(tmp_path)
    redirect(network, location[how])
    with pytest.raises(
        WeightsError, match=r"network\.onnx: keeps weights in .*data, which lies outside of its folder"
    ) as caught:
        sonovec.load(write(folder, file=network.name))
    assert "\n" not in str(caught.value)


def test_a_link_that_stays_in_the_folder_is_followed(tmp_path):
    network = split(tmp_path)
    (tmp_path / "weights.data").rename(tmp_path / "real.data")
    (tmp_path / "weights.data").symlink_to("real.data")
    found = sonovec.load(write(tmp_path, file=network.name)).embed((SAMPLES, 16000))
    np.testing.assert_allclose(found.windows, by_hand(windows()), atol=1e-4)


def test_the_two_files_of_openvino_are_one_network(tmp_path):
    import openvino

    model = openvino.convert_model(tmp_path / onnx_file(tmp_path))
    openvino.save_model(model, tmp_path / "network.xml", compress_to_fp16=False)
    name = write(tmp_path, file="network.xml")
    first = sonovec.load(name)
    np.testing.assert_allclose(first.embed((SAMPLES, 16000)).windows[:, :8], by_hand(windows()), atol=1e-4)
    data = tmp_path / "network.bin"
    data.write_bytes(data.read_bytes()[:-4] + np.float32(3).tobytes())
    assert sonovec.load(name).passport.weights != first.passport.weights
    data.unlink()
    with pytest.raises(WeightsError, match=r"network\.bin, and there is no such file"):
        sonovec.load(name)


# What cards name


@pytest.mark.parametrize("field", ["file", "classes"])
@pytest.mark.parametrize("how", ["parent", "through a folder", "absolute", "link", "windows"])
def test_a_path_of_a_card_that_leaves_its_folder_is_refused(tmp_path, field, how):
    folder = tmp_path / "card"
    (folder / "sub").mkdir(parents=True)
    onnx_file(tmp_path, name="outside")
    (folder / "link").symlink_to(tmp_path / "outside")
    names = {
        "parent": "../outside",
        "through a folder": "sub/../../outside",
        "absolute": str(tmp_path / "outside"),
        "link": "link",
        "windows": "C:\\outside",
    }
    card = {"file": onnx_file(folder), "scores": "scores", "classes": ["a"], field: names[how]}
    with pytest.raises(
        UsageError, match=rf"card\.yaml: {field}: .* lies outside of the card's folder; put the file beside"
    ) as caught:
        sonovec.load(write(folder, **card))
    assert "\n" not in str(caught.value)


def test_paths_below_a_card_are_read_also_where_the_folder_is_a_link(tmp_path):
    folder = tmp_path / "real"
    (folder / "sub").mkdir(parents=True)
    onnx_file(folder / "sub")
    (folder / "sub" / "names.txt").write_text("\n".join("abcdefgh"))
    write(folder, file="sub/network.onnx", scores="scores", classes="sub/names.txt")
    (tmp_path / "link").symlink_to(folder)
    found = sonovec.load(str(tmp_path / "link")).embed((SAMPLES, 16000))
    assert found.classes == tuple("abcdefgh")


@given(st.lists(st.sampled_from(["..", ".", "a", "b.onnx", "", "C:"]), min_size=1, max_size=5).map("/".join))
def test_no_name_that_is_below_leaves(name):
    if is_below(name):
        assert Path(os.path.normpath(Path("/x/y") / name)).is_relative_to("/x/y")


# Models in Hugging Face's layout


def sharded(folder: Path, **names: str) -> Path:
    """A model in two files with an index; `names` changes what the index calls them."""
    import torch
    from safetensors.torch import load_file, save_file

    tiny.waveform("hubert", folder)
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for number, part in enumerate((sorted(state)[::2], sorted(state)[1::2]), start=1):
        shard = f"model-0000{number}-of-00002.safetensors"
        save_file({key: torch.clone(state[key]) for key in part}, folder / shard, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, names.get(f"shard{number}", shard))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder


@pytest.mark.slow
def test_each_shard_shapes_the_hash(tmp_path):
    folder = sharded(tmp_path)
    assert sonovec.load(str(folder), precision="f32").embed((SAMPLES, 16000)).vector.shape
    pretrained = huggingface.locate(str(folder))
    before = pretrained.weights_hash
    for shard in folder.glob("*.safetensors"):
        content = shard.read_bytes()
        shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert pretrained.weights_hash != before
        shard.write_bytes(content)
    assert pretrained.weights_hash == before


def test_a_shard_that_is_missing_or_outside_is_named(tmp_path):
    folder = sharded(tmp_path / "a")
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"index\.json: names .*model-00002-of-00002\.safetensors, which is missing"):
        sonovec.load(str(folder))
    for number, name in enumerate(("../x.safetensors", str(tmp_path / "x.safetensors"))):
        folder = sharded(tmp_path / f"b{number}", shard2=name)
        with pytest.raises(
            WeightsError, match=r"index\.json: names .*x\.safetensors, which lies outside of its folder"
        ):
            sonovec.load(str(folder))


@pytest.mark.parametrize("index", [{}, {"weight_map": 3}, {"weight_map": {"a": 3}}])
def test_an_index_that_names_no_files_is_told_in_a_line(tmp_path, index):
    folder = sharded(tmp_path)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(SonovecError, match="has no weight_map that names files") as caught:
        sonovec.load(str(folder))
    assert "\n" not in str(caught.value)
