"""Arrays that come beside the weights of an encoder, for those who learn from its vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec import models
from sonovec.brief import Brief
from sonovec.embedding.passport import Passport
from sonovec.models.weights import sha256_of

#: Where they lie: a file for each kind, by the name on the encoder's card.
FOLDER = Path(models.__file__).parent
#: Digits of the hash by which a file is known.
DIGITS = 8


@dataclass(frozen=True, eq=False, repr=False)
class Shipped(Brief):
    """Arrays by their names, and digits that are equal only where they are."""

    arrays: Mapping[str, NDArray[np.float32]]
    id: str


def read(passport: Passport, ending: str) -> Shipped | None:
    """What comes with the encoder of some vectors, whatever their hop; None for an encoder without it, or other weights."""
    file = FOLDER / f"{passport.model}{ending}"
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        theirs = Passport.from_json(json.loads(str(arrays["passport"])))
        found = {name: arrays[name].astype(np.float32) for name in arrays.files if name != "passport"}
    if not replace(theirs, hop=passport.hop, tail=passport.tail).is_comparable(passport):
        return None
    return Shipped(found, sha256_of(file)[:DIGITS])


def write(file: Path, passport: Passport, **arrays: NDArray[np.floating]) -> None:
    """Write arrays, in half precision, with the passport of the vectors that they are for."""
    halves: dict[str, Any] = {name: array.astype(np.float16) for name, array in arrays.items()}
    np.savez_compressed(file, passport=np.array(json.dumps(passport.to_json())), **halves)
