"""The trained network as the file that the package ships."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from sonovec.models.builtin import FRAMES, FRONT_END
from sonovec.models.networks.sonovec_1 import Encoder, Windows

#: Tensors with fewer numbers than this stay in float32.
SMALL = 1024


def export(encoder: Encoder, target: Path) -> None:
    """Write ONNX: normalisations folded into the convolutions, weights in float16, computed in float32."""
    import onnx

    whole = Windows(encoder.cpu().float()).eval()
    example = torch.zeros(2, FRAMES, FRONT_END.n_mels)
    with tempfile.TemporaryDirectory() as folder:
        exact = Path(folder, "exact.onnx")
        torch.onnx.export(
            whole,
            (example,),
            str(exact),
            input_names=["spectrograms"],
            output_names=["vectors_and_scores"],
            dynamic_axes={"spectrograms": {0: "n"}, "vectors_and_scores": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )
        model = onnx.load(exact)
    _halve(model)
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString())


def _halve(model: object) -> None:
    """Keep the large weights in float16, each cast to float32 where it is used."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph  # type: ignore[attr-defined]
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < SMALL:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
