"""The music head: tags of music, heard in the vectors of the built-in encoder; ``training/music_head.py`` makes it.

It was taught by MusiCNN (Pons and Serra 2019), whose 100 tags are those of MagnaTagATune and of the Million Song Dataset, and
by EfficientAT mn04 (Schmid and others 2023), of which it learnt AudioSet's classes of moods, and what is music.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.embedding.passport import Passport
from sonovec.models.weights import sha256_of
from sonovec.vectors import unit32

FILE = Path(__file__).with_name("sonovec-1.music.npz")
#: Digits of the hash by which a head is known.
DIGITS = 8
#: Probabilities are kept this far from 0 and 1 before their logits are taken.
LEAST = 1e-5


@dataclass(frozen=True)
class Scale:
    """Mean and spread, each of shape (n,), of n kinds of numbers on the music that the head was taught with."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def over(cls, numbers: NDArray[np.floating]) -> Scale:
        """The scale of some music, (n_pieces, n)."""
        return cls(np.asarray(numbers.mean(axis=0), np.float64), np.asarray(numbers.std(axis=0), np.float64))

    def of(self, numbers: NDArray[np.floating]) -> NDArray[np.float64]:
        """Numbers (m, n) in spreads above or below the mean of music."""
        return np.asarray((numbers - self.mean) / self.spread, np.float64)


@dataclass(frozen=True, eq=False, repr=False)
class MusicHead(Brief):
    """Linear scores of tags on vectors of length 1.

    Attributes
    ----------
    tags : tuple of str
        ``mtt:...`` and ``msd:...`` are MusiCNN's, ``audioset:...`` those of AudioSet.
    weights : array, shape (dim, n_tags), float32
    offsets : array, shape (n_tags,), float32
    scales : mapping of str to Scale
        Of the logits, by who hears the tags: ``head``, or ``musicnn`` where MusiCNN itself is asked for the first 100;
        and ``head_moods`` and ``musicnn_moods``, of the evidence for moods that comes of them.
    passport : Passport
        Of the vectors.
    id : str
        Digits that differ where the file does.
    """

    tags: tuple[str, ...]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    scales: dict[str, Scale]
    passport: Passport
    id: str

    def takes(self, passport: Passport) -> bool:
        """Whether vectors of a passport are those that it was fitted on, whatever their hop."""
        return replace(self.passport, hop=passport.hop, tail=passport.tail).is_comparable(passport)

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits of the tags (n, n_tags) of vectors (n, dim) of any length.

        Examples
        --------
        >>> read().logits(np.ones((2, 512), np.float32)).shape
        (2, 108)
        """
        return np.asarray(unit32(vectors) @ self.weights + self.offsets, np.float64)


def logit(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logits of probabilities.

    Examples
    --------
    >>> logit(np.array([0.5, 0.0])).round(2).tolist()
    [0.0, -11.51]
    """
    clipped = np.clip(np.asarray(probabilities, np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


@lru_cache(maxsize=4)
def read(file: Path = FILE) -> MusicHead:
    """The head of a file; the one that comes with the package.

    Examples
    --------
    >>> read().tags[0], read().tags[-1]
    ('mtt:guitar', 'audioset:Funny music')
    """
    with np.load(file, allow_pickle=False) as arrays:
        names = [name.removeprefix("mean_") for name in arrays.files if name.startswith("mean_")]
        return MusicHead(
            tags=tuple(arrays["tags"].tolist()),
            weights=arrays["weights"].astype(np.float32),
            offsets=arrays["offsets"].astype(np.float32),
            scales={
                name: Scale(arrays[f"mean_{name}"].astype(np.float64), arrays[f"spread_{name}"].astype(np.float64))
                for name in names
            },
            passport=Passport.from_json(json.loads(str(arrays["passport"]))),
            id=sha256_of(file)[:DIGITS],
        )


def write(head: MusicHead, file: Path) -> None:
    """Write a head, in half precision."""
    scales = {
        f"{name}_{who}": getattr(scale, name).astype(np.float16)
        for who, scale in head.scales.items()
        for name in ("mean", "spread")
    }
    with file.open("wb") as out:
        np.savez_compressed(
            out,
            tags=np.array(head.tags),
            weights=head.weights.astype(np.float16),
            offsets=head.offsets.astype(np.float16),
            passport=json.dumps(head.passport.to_json()),
            **scales,
        )
