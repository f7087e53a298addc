"""What the process takes that indexes a long file: the same however long it is, also with very long vectors."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import psutil
import pytest
import soundfile
import yaml

RATE, WINDOW, DIM = 16000, 320, 6144
#: Gives the most that it took, in bytes, where the system tells it of this process alone.
INDEX = """
import json, sys
import sonovec

report = sonovec.Library(sys.argv[1], model=sys.argv[2]).add(sys.argv[3], analysers=["loudness", "fingerprint"])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"peak": int(status["VmHWM"].split()[0]) * 1024, "indexed": report.counts.indexed}))
"""


def write_network(folder):
    """A network that makes as many numbers as OpenL3 of each 20 ms."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).standard_normal((WINDOW, DIM)).astype(np.float32) / 20
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["input", "weights"], ["embedding"])],
        "wide",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ("n", WINDOW))],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ("n", DIM))],
        [numpy_helper.from_array(weights, "weights")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, folder / "network.onnx")
    card = {"rate": RATE, "window": WINDOW / RATE, "dim": DIM, "front_end": "waveform", "file": "network.onnx"}
    (folder / "card.yaml").write_text(yaml.safe_dump({**card, "output": "embedding"}))


@pytest.mark.slow
@pytest.mark.skipif(not psutil.LINUX, reason="reads /proc")
def test_memory_stays_the_same_with_long_vectors(tmp_path):
    """20 minutes at a hop of 20 ms: all vectors would take 1.5 GB."""
    (tmp_path / "model").mkdir()
    write_network(tmp_path / "model")
    tone = (np.sin(2 * np.pi * 220 * np.arange(RATE * 60) / RATE) * 8000).astype(np.int16)
    peaks = []
    for minutes in (5, 20):
        sound = tmp_path / f"{minutes}.flac"
        with soundfile.SoundFile(sound, "w", RATE, 1) as file:
            for _ in range(minutes):
                file.write(tone)
        command = [sys.executable, "-c", INDEX, tmp_path / f"library{minutes}", tmp_path / "model", sound]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        told = json.loads(run.stdout)
        assert told["indexed"] == 1
        peaks.append(told["peak"])
    assert peaks[1] < 700e6 and peaks[1] - peaks[0] < 150e6, peaks
