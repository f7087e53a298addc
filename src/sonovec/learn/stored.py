"""The stored background of an encoder: windows of many sounds, which come with it, to train detectors against."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec import models
from sonovec.brief import Brief
from sonovec.embedding.passport import Passport
from sonovec.models.weights import sha256_of

#: Where backgrounds lie: beside the weights, by the name on the encoder's card.
FOLDER, ENDING = Path(models.__file__).parent, ".background.npz"
#: Digits of the hash by which a background is known.
DIGITS = 8


@dataclass(frozen=True, eq=False, repr=False)
class Stored(Brief):
    """A background: vectors of length 1, shape (n, dim), float32, and digits that are equal only where they are.

    An encoder without one has no vectors, and an empty id.
    """

    vectors: NDArray[np.float32]
    id: str


def stored(passport: Passport, dim: int) -> Stored:
    """The stored background for vectors of a passport, whatever their hop; ``training/background.py`` makes one.

    Examples
    --------
    >>> import sonovec
    >>> encoder = sonovec.load("default")
    >>> stored(encoder.passport, encoder.dim).vectors.shape
    (256, 512)
    """
    file = FOLDER / f"{passport.model}{ENDING}"
    none = Stored(np.empty((0, dim), np.float32), "")
    if not file.is_file():
        return none
    with np.load(file, allow_pickle=False) as arrays:
        theirs = Passport.from_json(json.loads(str(arrays["passport"])))
        vectors = arrays["vectors"].astype(np.float32)
    if not replace(theirs, hop=passport.hop, tail=passport.tail).is_comparable(passport):
        return none
    return Stored(vectors, sha256_of(file)[:DIGITS])


def write(file: Path, vectors: NDArray[np.float32], passport: Passport) -> None:
    """Write a background, in half precision, with the passport of its vectors."""
    np.savez_compressed(file, vectors=vectors.astype(np.float16), passport=json.dumps(passport.to_json()))
