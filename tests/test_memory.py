"""A network that does not fit into memory: one line, and nothing half-written."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sonovec.errors import OutOfMemoryError
from sonovec.memory import enough_memory

CODE = """
import resource, sys
import numpy as np, openvino, torch
import sonovec
encoder = sonovec.load("vggish", weights=sys.argv[1], precision="f32")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20,) * 2)
try:
    encoder.embed((np.zeros(16000, np.float32), 16000))
except sonovec.SonovecError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process as only Linux does")
def test_a_network_that_does_not_fit_is_told_in_a_line(vggish_weights, tmp_path):
    import os

    run = subprocess.run(
        [sys.executable, "-c", CODE, vggish_weights],
        capture_output=True,
        text=True,
        env={**os.environ, "SONOVEC_CACHE": str(tmp_path)},
    )
    assert run.stdout.startswith("OutOfMemoryError") and "not enough memory to" in run.stdout
    assert run.stdout.count("\n") == 1
    assert not list(tmp_path.glob("graphs/*"))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc"), RuntimeError("CUDA out of memory")])
def test_each_wording_is_understood(error):
    with pytest.raises(OutOfMemoryError, match="net: not enough memory to run it"), enough_memory("net", "run"):
        raise error


def test_other_errors_go_their_way():
    with pytest.raises(RuntimeError, match="shapes differ"), enough_memory("net", "run"):
        raise RuntimeError("shapes differ")
