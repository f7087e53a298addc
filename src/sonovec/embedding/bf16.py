"""Whether bf16 keeps the promise of a model's card with the weights at hand: measured once, and kept in the cache.

A card promises for an architecture, and weights differ: a small wav2vec 2.0 that was pre-trained on eleven hours kept a
cosine of 0.03 where random weights keep 0.9999.
"""

from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from sonovec import demo
from sonovec.graph import Graph
from sonovec.models.model import Model, Rows
from sonovec.paths import atomic, cached
from sonovec.vectors import cosines

#: Seconds of the windows that measure, where a model takes windows of any length.
LONGEST = 4.0


def lowest_cosine(model: Model, graph: Graph) -> float:
    """The lowest cosine of a window's vector in bf16 with that in float32, over the kinds of `sonovec.demo`.

    Parameters
    ----------
    model : Model
    graph : Graph
        The model's network for sound.
    """
    file = cached("bf16", f"{graph.key}.json")
    with suppress(OSError, ValueError, KeyError, TypeError):
        return float(json.loads(file.read_text())["lowest_cosine"])
    found = _measured(model, graph)
    with suppress(OSError):  # a cache that cannot be written is measured for again
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic(file) as temporary:
            temporary.write_text(json.dumps({"lowest_cosine": found}))
    return found


def _measured(model: Model, graph: Graph) -> float:
    from sonovec.runtime import open_network

    rows, coverage = _windows(model, graph)
    exact, half = (
        model.finish(open_network(graph, precision, "cpu", 1).run(list(rows)), coverage)[:, : model.dim]
        for precision in ("f32", "bf16")
    )
    return float(cosines(exact, half).min())


def _windows(model: Model, graph: Graph) -> tuple[Rows, NDArray[np.float32]]:
    """A window of each kind, as loud as it was made; their pitch does not matter here, so nothing is resampled."""
    length = model.window.length
    if -1 in graph.input_shape:
        length = min(length, round(LONGEST * model.card.rate))
    clips = [demo.clip(name)[0][:length] for name in demo.KINDS]
    coverage = np.array([len(clip) / length for clip in clips], np.float32)
    samples = np.stack([np.pad(clip, (0, length - len(clip))) for clip in clips])
    return model.features(samples, coverage), coverage
