"""Weights and activations in 8 bits: smaller, often faster, with a loss that is measured on sounds and kept beside them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sonovec.errors import MissingExtraError, SonovecError, UsageError
from sonovec.graph import Graph
from sonovec.jobs import TICK
from sonovec.paths import display
from sonovec.runtime.convert import converted
from sonovec.runtime.graph_cache import GRAPH, about, is_whole, keep, place
from sonovec.runtime.int8_child import RESULT, ROWS, SEEN
from sonovec.runtime.network import Row
from sonovec.runtime.openvino_core import core

#: What a precision of 8 bits is called, before the hash of what it was calibrated on.
INT8 = "int8"


def quantize(graph: Graph, rows: Sequence[Row], tell: Callable[[int], object] = lambda done: None) -> str:
    """Quantise a graph by what flows through it for some rows, and keep it in place of one that was made before.

    Parameters
    ----------
    graph : Graph
    rows : sequence of arrays
        Each of the graph's input shape; a few hundred of them.
    tell : callable
        Called again and again with how many rows were used; what it raises ends the work.

    Returns
    -------
    str
        The precision's name, ``int8-`` and a hash of the rows: vectors of two calibrations are never mixed.

    Raises
    ------
    MissingExtraError
        If NNCF is not installed.
    SonovecError
        If NNCF cannot quantise the graph.
    """
    if find_spec("nncf") is None:
        raise MissingExtraError("int8 needs NNCF once, to quantise: pip install 'sonovec[int8]'")
    with tempfile.TemporaryDirectory(prefix="sonovec-") as folder:
        np.savez(Path(folder, ROWS), *rows)  # of several lengths
        _run(converted(graph), Path(folder), lambda done: tell(min(done, len(rows))))
        precision = f"{INT8}-{_hash(rows)}"
        made = core().read_model(Path(folder, RESULT))
        keep(made, _folder(graph), {"precision": precision, "rows": len(rows)}, anew=True)
    return precision


def _run(graph: Path, folder: Path, tell: Callable[[int], object]) -> None:
    """Run the child process until it ends, or until `tell` raises."""
    seen, said = folder / SEEN, folder / "said.txt"
    paths = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "sonovec.runtime.int8_child", str(graph), str(folder)]
    with (
        said.open("wb") as complaints,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env={**os.environ, "PYTHONPATH": paths},
        ) as child,
    ):
        try:
            while child.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(TICK)
                tell(seen.stat().st_size if seen.exists() else 0)
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        last = said.read_text(errors="replace").strip().splitlines()[-1:]
        raise SonovecError(f"{display(graph)}: NNCF could not quantise it ({' '.join(last) or child.returncode})")


def _hash(rows: Sequence[Row]) -> str:
    digest = hashlib.blake2b(digest_size=4)
    for row in rows:
        digest.update(row.tobytes())
    return digest.hexdigest()


def _folder(graph: Graph) -> Path:
    return place(f"{graph.key}-{INT8}")


def quantized(graph: Graph, precision: str) -> tuple[Path, str]:
    """The quantised graph, and the whole name of its precision.

    Raises
    ------
    UsageError
        If it was not quantised yet on this machine, or was calibrated otherwise than `precision` says.
    """
    folder = _folder(graph)
    if not is_whole(folder):
        raise UsageError(f"precision={precision!r}: not quantised yet; run: sonovec models quantize MODEL")
    found = str(about(folder)["precision"])
    if precision not in (INT8, found):
        raise UsageError(
            f"precision={precision!r}: this machine has {found!r}, calibrated on other sounds, so its vectors differ"
        )
    return folder / GRAPH, found


def record_loss(graph: Graph, loss: Mapping[str, object]) -> None:
    """Keep the measured loss with the quantised graph."""
    folder = _folder(graph)
    keep(core().read_model(folder / GRAPH), folder, {**about(folder), **loss}, anew=True)


def loss(graph: Graph) -> dict[str, Any] | None:
    """What was measured when the graph was quantised; None if it was not."""
    folder = _folder(graph)
    return about(folder) if is_whole(folder) else None
