"""What is said where a package of an extra is missing: in each place the task, the package and the line that installs it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sonovec.errors import MissingExtraError
from sonovec.evaluation import metrics
from sonovec.extras import require
from sonovec.learn.fit import fit
from sonovec.learn.session import Session
from sonovec.learn.tuning.finetune import finetune

ROWS = np.eye(4), np.eye(4, dtype=np.int8)


@pytest.mark.parametrize(
    ("module", "call", "told"),
    [
        ("scipy", lambda: fit(*ROWS), r"training a detector needs scikit-learn.*sonovec\[learn\]"),
        ("scipy", lambda: Session("nowhere", ["crow"]), r"labelling needs scikit-learn.*sonovec\[learn\]"),
        ("torch", lambda: finetune("nowhere", "made"), r"fine-tuning needs PyTorch.*sonovec\[torch,learn\]"),
        ("sklearn", lambda: finetune("nowhere", "made"), r"fine-tuning needs scikit-learn.*sonovec\[torch,learn\]"),
        (
            "sklearn",
            lambda: metrics.probe(ROWS[0], list("aabb")),
            r"comparing encoders needs scikit-learn.*\[evaluate\]",
        ),
    ],
)
def test_what_is_missing_is_named_before_any_work(module, call, told, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as Python says that there is no such module
    with pytest.raises(MissingExtraError, match=told):
        call()


def test_what_is_there_is_imported() -> None:
    require("json", "nothing", "learn")


AT_ONCE = """
import threading
from sonovec.extras import require
modules, failed = ("scipy.signal", "scipy.fft", "scipy.ndimage", "scipy.stats") * 2, []
together = threading.Barrier(len(modules))

def load(module):
    together.wait()
    try:
        require(module, "a test", "music")
    except Exception as error:
        failed.append(error)

threads = [threading.Thread(target=load, args=(module,)) for module in modules]
for each in threads:
    each.start()
for each in threads:
    each.join()
assert not failed, failed
"""


def test_threads_import_parts_of_one_package_at_once():
    pytest.importorskip("scipy")
    subprocess.run([sys.executable, "-c", AT_ONCE], check=True)
