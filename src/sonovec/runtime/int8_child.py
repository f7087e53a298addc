"""Quantises a graph in a process of its own: NNCF draws on the output stream, and changes how the whole process logs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Files in the folder that both processes know: the rows to calibrate by, a byte for each row that was used, the result.
ROWS, SEEN, RESULT = "rows.npz", "seen", "graph.xml"


def main(graph: str, folder: str) -> None:
    """Quantise the file `graph` by the rows in `folder`, and write the result there."""
    import numpy as np

    logging.disable(logging.WARNING)
    import nncf

    from sonovec.runtime.openvino_core import core, openvino

    model = core().read_model(graph)
    with np.load(Path(folder, ROWS)) as arrays:
        rows = [arrays[f"arr_{number}"] for number in range(len(arrays))]
    with Path(folder, SEEN).open("wb", buffering=0) as seen:

        def take(row: Any) -> Any:
            seen.write(b".")
            return row[None]

        made = nncf.quantize(
            model,
            nncf.Dataset(rows, take),
            subset_size=len(rows),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=front_end(model)),
            # Known by their attention; they need other bounds than convolutions.
            model_type=nncf.ModelType.TRANSFORMER if _has_attention(model) else None,
        )
    openvino().save_model(made, Path(folder, RESULT), compress_to_fp16=False)


def front_end(model: Any) -> list[str]:
    """Names of what comes before a logarithm: a spectrogram inside the network, which 8 bits would ruin."""
    waiting = [node for node in model.get_ops() if node.get_type_name() == "Log"]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in seen:
            seen.add(node.get_friendly_name())
            waiting += [node.input_value(i).get_node() for i in range(node.get_input_size())]
    return sorted(seen - set(_fixed(model)))


def _fixed(model: Any) -> Iterator[str]:
    for node in model.get_ops():
        if node.get_type_name() in ("Parameter", "Constant"):
            yield node.get_friendly_name()


def _has_attention(model: Any) -> bool:
    return any(node.get_type_name() in ("Softmax", "ScaledDotProductAttention") for node in model.get_ops())


if __name__ == "__main__":
    main(*sys.argv[1:])
