"""A model that is ready to be run: what an encoder is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.brief import Brief
from sonovec.graph import Graph
from sonovec.models.card import ModelCard

Floats = NDArray[np.float32]
#: One row for each window: an array, or arrays of different lengths.
Rows = NDArray[Any] | Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Text:
    """How words become vectors in the space of the sounds.

    Attributes
    ----------
    tokens : callable
        A text to token ids, shape (n_tokens,), int64.
    graph : Graph
        The text tower: a row of tokens to a vector.
    """

    tokens: Callable[[str], NDArray[np.int64]]
    graph: Graph


@dataclass(frozen=True, repr=False)
class Model(Brief):
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
        What the network gives for each row, and the rows' coverage (n,), to vectors (n, dim) float32; for a model with
        `classes` to (n, dim + len(classes)), the scores behind the vectors.
    classes : tuple of str
        Names of the classes that the model scores; empty if it scores none.
    text : Text or None
        How words become vectors in the same space.
    files : tuple of Path
        What it was made of, to be saved: files of weights, or all of a folder.
    """

    card: ModelCard
    options: Mapping[str, object]
    window: WindowSpec
    dim: int
    front_end: str
    weights_hash: str
    features: Callable[[Floats, Floats], Rows]
    graph: Graph | None
    finish: Callable[[Rows, Floats], Floats]
    classes: tuple[str, ...] = ()
    text: Text | None = None
    files: tuple[Path, ...] = ()
