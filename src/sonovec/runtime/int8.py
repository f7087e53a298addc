"""Weights and activations in 8 bits: smaller, often faster, with a loss that is measured on sounds and kept beside them."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from sonovec.errors import MissingExtraError, UsageError
from sonovec.graph import Graph
from sonovec.runtime.convert import converted
from sonovec.runtime.graph_cache import GRAPH, about, is_whole, keep, place
from sonovec.runtime.network import Row
from sonovec.runtime.openvino_core import core

#: What a precision of 8 bits is called, before the hash of what it was calibrated on.
INT8 = "int8"


def quantize(graph: Graph, rows: Sequence[Row]) -> str:
    """Quantise a graph by what flows through it for some rows, and keep it in place of one that was made before.

    Parameters
    ----------
    graph : Graph
    rows : sequence of arrays
        Each of the graph's input shape; a few hundred of them.

    Returns
    -------
    str
        The precision's name, ``int8-`` and a hash of the rows: vectors of two calibrations are never mixed.

    Raises
    ------
    MissingExtraError
        If NNCF is not installed.
    """
    try:
        logging.getLogger("nncf").setLevel(logging.ERROR)
        import nncf
    except ImportError:
        raise MissingExtraError("int8 needs NNCF once, to quantise: pip install 'sonovec[int8]'") from None
    model = core().read_model(converted(graph))
    with _bars_on_the_terminal():
        calibrated = nncf.quantize(
            model,
            nncf.Dataset(list(rows), lambda row: row[None]),
            subset_size=len(rows),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=_front_end(model)),
            # Known by their attention; they need other bounds than convolutions.
            model_type=nncf.ModelType.TRANSFORMER if _has_attention(model) else None,
        )
    precision = f"{INT8}-{_hash(rows)}"
    keep(calibrated, _folder(graph), {"precision": precision, "rows": len(rows)}, anew=True)
    return precision


@contextmanager
def _bars_on_the_terminal() -> Iterator[None]:
    """NNCF draws its progress on the output stream, where results belong."""
    if sys.stderr.isatty():
        with redirect_stdout(sys.stderr):
            yield
    else:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            yield


def _front_end(model: Any) -> list[str]:
    """Names of what comes before a logarithm: a spectrogram inside the network, which 8 bits would ruin."""
    waiting = [node for node in model.get_ops() if node.get_type_name() == "Log"]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in seen:
            seen.add(node.get_friendly_name())
            waiting += [node.input_value(i).get_node() for i in range(node.get_input_size())]
    left_alone = {
        node.get_friendly_name() for node in model.get_ops() if node.get_type_name() in ("Parameter", "Constant")
    }
    return sorted(seen - left_alone)


def _has_attention(model: Any) -> bool:
    return any(node.get_type_name() in ("Softmax", "ScaledDotProductAttention") for node in model.get_ops())


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
