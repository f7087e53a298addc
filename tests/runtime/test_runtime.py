from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.graph import Graph
from sonovec.paths import cache_dir
from sonovec.runtime import open_network, openvino_runtime
from sonovec.runtime.convert import converted
from sonovec.runtime.network import padded
from sonovec.runtime.openvino_core import cpu_has_bf16
from sonovec.runtime.openvino_runtime import OpenVinoNetwork
from sonovec.runtime.torch_runtime import TorchNetwork
from tests.promises import assert_same_vectors


def convolutions():
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 48 * 32, 64),
    ).eval()  # fmt: skip


GRAPH = Graph("test-convolutions", (1, 96, 64), convolutions, bf16=True)


@pytest.fixture(scope="module")
def network():
    return open_network(GRAPH, "f32", "cpu")


def patches(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 1, 96, 64)).astype(np.float32)


def cosine(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_equals_torch(network):
    import torch

    with torch.inference_mode():
        expected = convolutions()(torch.from_numpy(patches(20))).numpy()
    np.testing.assert_allclose(network.run(patches(20)), expected, atol=1e-4)


@settings(max_examples=20)
@given(n=st.integers(2, 16), seed=st.integers(0, 50), shift=st.integers(0, 15))
def test_rows_of_one_shape_are_bit_identical_in_any_company(network, n, seed, shift):
    rows = patches(16, seed)
    full = network.run(rows)
    np.testing.assert_array_equal(network.run(rows[:n]), full[:n])
    np.testing.assert_array_equal(network.run(np.roll(rows, shift, axis=0)), np.roll(full, shift, axis=0))


def test_rows_of_different_shapes_agree(network):
    rows = patches(40)
    alone = np.concatenate([network.run(row[None], quick=True) for row in rows])
    assert_same_vectors(alone, network.run(rows))
    for n in (1, 2, 3, 15, 17):
        assert_same_vectors(network.run(rows[:n], quick=True), network.run(rows[:n]))


@pytest.mark.skipif(not cpu_has_bf16(), reason="this processor has no bf16")
def test_rows_of_different_shapes_agree_in_bf16():
    network, rows = open_network(GRAPH, "bf16", "cpu"), patches(40)
    alone = np.concatenate([network.run(row[None], quick=True) for row in rows])
    assert_same_vectors(alone, network.run(rows), "bf16")


def test_full_batches_have_one_shape_and_few_rows_another_that_is_made_when_it_is_needed():
    network = OpenVinoNetwork(GRAPH, "f32", jobs=2)
    network.run(patches(3))
    network.run(patches(40))
    assert list(network._requests) == [16] and network.rows == 16
    network.run(patches(1), quick=True)
    assert sorted(network._requests) == [network.quick_rows, 16]


def test_heavy_weights_have_one_shape_where_memory_is_scarce(monkeypatch):
    monkeypatch.setattr(openvino_runtime, "free_memory", lambda: 1 << 20)
    network = OpenVinoNetwork(GRAPH, "f32", jobs=2)
    assert network.rows == network.quick_rows == 16
    assert_same_vectors(network.run(patches(3), quick=True), network.run(patches(3)))


def test_calls_from_several_threads_change_nothing(network):
    batches = [patches(n, n) for n in (1, 16, 3, 40, 16, 1, 7, 16)]
    expected = [network.run(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for found, wanted in zip(pool.map(network.run, batches), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_the_number_of_streams_changes_nothing(network):
    single = OpenVinoNetwork(GRAPH, "f32")
    single.streams = 1
    np.testing.assert_array_equal(single.run(patches(16)), network.run(patches(16)))


def test_bf16_is_within_the_promise_or_refused(network):
    if not cpu_has_bf16():
        with pytest.raises(UsageError, match="no bf16; give precision='f32'"):
            open_network(GRAPH, "bf16", "cpu")
        return
    low = open_network(GRAPH, "auto", "cpu")
    assert low.precision == "bf16"
    assert cosine(low.run(patches(16)), network.run(patches(16))).min() > 0.9999


def test_a_card_can_forbid_bf16():
    strict = Graph(GRAPH.key, GRAPH.input_shape, convolutions, bf16=False)
    assert open_network(strict, "auto", "cpu").precision == "f32"
    with pytest.raises(UsageError, match="give precision='f32'"):
        open_network(strict, "bf16", "cpu")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("f16", "cpu"), "precision='f16' is unknown.*auto, f32, bf16"), (("f32", "tpu"), "device='tpu' is unknown")],
)
def test_unknown_names_are_refused(arguments, says):
    with pytest.raises(UsageError, match=says):
        open_network(GRAPH, *arguments)


def test_cuda_runs_or_is_refused_with_the_way_out(network):
    import torch

    if torch.cuda.is_available():
        assert cosine(open_network(GRAPH, "f32", "cuda").run(patches(40)), network.run(patches(40))).min() > 0.999999
        return
    with pytest.raises(UsageError, match="finds no CUDA device here; give device='cpu'"):
        open_network(GRAPH, "f32", "cuda")


def test_the_torch_runtime_agrees(network):
    """The code of the CUDA road, on the device that is there."""
    torch_network = TorchNetwork(GRAPH, "f32", "cpu")
    assert cosine(torch_network.run(patches(40)), network.run(patches(40))).min() > 0.999999
    low = TorchNetwork(GRAPH, "bf16", "cpu")
    assert cosine(low.run(patches(16)), network.run(patches(16))).min() > 0.9999


@pytest.mark.parametrize("damage", [lambda whole: whole[:1000], lambda whole: whole[:-4] + b"xxxx"])
def test_a_cache_that_is_not_whole_is_made_again(damage):
    graph = Graph("test-broken-cache", GRAPH.input_shape, convolutions)
    expected = open_network(graph, "f32", "cpu").run(patches(2))
    weights = cache_dir() / "graphs" / graph.key / "graph.bin"
    weights.write_bytes(damage(weights.read_bytes()))
    np.testing.assert_array_equal(open_network(graph, "f32", "cpu").run(patches(2)), expected)


CONVERT = """
from torch import nn
from sonovec.graph import Graph
from sonovec.runtime.convert import converted
converted(Graph("test-two-processes", (8,), lambda: nn.Linear(8, 4).eval()))
"""


@pytest.mark.slow
def test_two_processes_may_convert_at_once():
    runs = [subprocess.Popen([sys.executable, "-c", CONVERT], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for run in runs:
        _, complaints = run.communicate()
        assert run.returncode == 0, complaints
    folder = cache_dir() / "graphs"
    assert converted(Graph("test-two-processes", (8,), convolutions)).exists()
    assert not list(folder.glob(".converting-*"))


@given(n=st.integers(1, 100))
def test_padding_keeps_every_row_once(n):
    rows = np.arange(n, dtype=np.float32)[:, None]
    pieces = padded(rows, (1, 16))
    np.testing.assert_array_equal(np.concatenate([piece[:count] for piece, count in pieces]), rows)
    assert all(len(piece) in (1, 16) for piece, _ in pieces)


def test_openvino_reports_nothing_to_its_makers():
    """Importing it by itself forks a process that does."""
    code = (
        "import os, sys; os.fork = lambda: sys.exit('forked'); "
        "from sonovec.runtime.openvino_core import core; core(); assert not sys.modules['openvino_telemetry']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
