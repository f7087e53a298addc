"""A model that is ready to be run: what an encoder is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.models.card import ModelCard
from sonovec.models.graph import Graph

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """A card with its options settled.

    Attributes
    ----------
    card : ModelCard
    options : mapping
        Every option of the card, defaults included.
    window : WindowSpec
        Window and hop in samples at the card's rate.
    dim : int
        Length of a vector.
    front_end : str
        The front end with its code version, for the passport.
    weights_hash : str
        SHA-256 of the weights; empty where there are none.
    features : callable
        Samples (n, length) and their coverage (n,) to one float32 row for each window. Runs in worker threads.
    graph : Graph or None
        The network; None where the features are the vectors.
    finish : callable
        What the network gives, to vectors (n, dim) float32.
    """

    card: ModelCard
    options: Mapping[str, object]
    window: WindowSpec
    dim: int
    front_end: str
    weights_hash: str
    features: Callable[[Floats, Floats], Floats]
    graph: Graph | None
    finish: Callable[[NDArray[Any]], Floats]
