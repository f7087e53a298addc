"""Sound in, vectors out, answers from the vectors.

Examples
--------
>>> import numpy as np
>>> import sonovec
>>> encoder = sonovec.load("default")
>>> encoder.embed((np.zeros(16000, np.float32), 16000)).silent.tolist()
[True]
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from sonovec.errors import SonovecError

if TYPE_CHECKING:
    from sonovec.embedding.embedding import Embedding, Failure
    from sonovec.embedding.encoder import Encoder, load
    from sonovec.embedding.engine import Engine
    from sonovec.embedding.passport import Passport
    from sonovec.library.library import Library

logging.getLogger(__name__).addHandler(logging.NullHandler())  # without one, Python itself prints warnings

__version__ = "0.1.0"

__all__ = ["Embedding", "Encoder", "Engine", "Failure", "Library", "Passport", "SonovecError", "__version__", "load"]

# Found on first use: NumPy and everything above it would make `import sonovec` slow.
_HOMES = {
    "Embedding": "sonovec.embedding.embedding",
    "Encoder": "sonovec.embedding.encoder",
    "Engine": "sonovec.embedding.engine",
    "Failure": "sonovec.embedding.embedding",
    "Library": "sonovec.library.library",
    "Passport": "sonovec.embedding.passport",
    "load": "sonovec.embedding.encoder",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sonovec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
