"""What the teachers of the music head say of each piece, kept in files of some pieces each: a run that ends goes on there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sonovec
from sonovec.embedding.embedding import Embedding
from sonovec.embedding.pooling import pool
from sonovec.models.audioset import names
from sonovec.models.musicnn import FRONT_END, WINDOW
from sonovec.paths import atomic
from training.corpus import RATE
from training.pieces import Piece
from training.teachers import MN04

#: MusiCNN's networks, whose tags are learnt, and the classes of AudioSet that are learnt from EfficientAT mn04.
NETWORKS = ("musicnn-mtt", "musicnn-msd")
MUSIC = "Music"
MOODS = (
    "Happy music", "Sad music", "Tender music", "Exciting music", "Angry music", "Scary music", "Funny music",
)  # fmt: skip
AUDIOSET = (MUSIC, *MOODS)
#: Pieces in a file; seconds that MusiCNN hears of a piece, which are three of its windows.
TOGETHER, HEARD = 16, 3 * WINDOW.length / FRONT_END.rate
#: Of a sound that mn04 takes for less of music than this, MusiCNN is not asked.
LEAST_MUSIC = 0.15


@dataclass(frozen=True)
class Lessons:
    """What is known of n pieces.

    Attributes
    ----------
    names, groups : array, shape (n,), str
    held_out : array, shape (n,), bool
    vectors : array, shape (n, 512), float32
        The built-in encoder's.
    tags : array, shape (n, 100), float32
        MusiCNN's probabilities; NaN where it was not asked.
    audioset : array, shape (n, 8), float32
        mn04's probabilities of `AUDIOSET`.
    builtin : array, shape (n, 8), float32
        The built-in encoder's own, to compare with.
    """

    names: NDArray[np.str_]
    groups: NDArray[np.str_]
    held_out: NDArray[np.bool_]
    vectors: NDArray[np.float32]
    tags: NDArray[np.float32]
    audioset: NDArray[np.float32]
    builtin: NDArray[np.float32]


FIELDS = tuple(Lessons.__dataclass_fields__)


class Teachers:
    """The encoder that is to learn, and its teachers, on one thread each; `musicnn` is the wheel with MusiCNN's weights."""

    def __init__(self, data: Path, musicnn: Path | None) -> None:
        self._encoder = sonovec.load("default", jobs=1)
        self._mn04 = sonovec.load("efficientat-mn04", weights=data / MN04, jobs=1)
        self._musicnn = [sonovec.load(name, weights=musicnn, jobs=1) for name in NETWORKS]
        self._columns = [names().index(name) for name in AUDIOSET]

    def teach(self, piece: Piece) -> dict[str, object] | None:
        """The record of a piece; None where it is silent."""
        samples = piece.samples()
        heard = self._encoder.embed((samples, RATE))
        if heard.silence:
            return None
        audioset = _mean(self._mn04.embed((samples, RATE)))[self._columns]
        tags = np.full(sum(len(each.classes) for each in self._musicnn), np.nan, np.float32)
        if audioset[0] >= LEAST_MUSIC or not piece.name.startswith("train/"):
            short = (samples[: round(HEARD * RATE)], RATE)
            tags = np.concatenate([_mean(each.embed(short)) for each in self._musicnn])
        return {
            "names": piece.name,
            "groups": piece.group,
            "held_out": piece.held_out,
            "vectors": heard.vector,
            "tags": tags,
            "audioset": audioset,
            "builtin": _mean(heard)[self._columns],
        }


def _mean(heard: Embedding) -> NDArray[np.float32]:
    """Scores of a whole sound: what fills a window more counts more."""
    return pool(heard.scores, heard.coverage)


def heard(kinds: Mapping[str, Sequence[Piece]], teachers: Callable[[], Teachers], work: Path) -> Lessons:
    """Let the teachers hear all pieces that no file in `work` has yet, some of each kind in turn."""
    work.mkdir(parents=True, exist_ok=True)
    parts = [
        (first, work / f"{kind}-{first:05d}.npz", pieces[first : first + TOGETHER])
        for kind, pieces in kinds.items()
        for first in range(0, len(pieces), TOGETHER)
    ]
    parts.sort(key=lambda part: part[0])
    asked: Teachers | None = None
    for _, file, pieces in parts:
        if not file.exists():
            asked = asked or teachers()
            found = [asked.teach(piece) for piece in pieces]
            records = [each for each in found if each is not None]
            with atomic(file) as temporary, temporary.open("wb") as out:
                np.savez(out, **{name: np.array([each[name] for each in records]) for name in FIELDS})
            print(f"{file.stem}: {len(records)} pieces", flush=True)
    return gathered([file for _, file, _ in parts])


def gathered(files: list[Path]) -> Lessons:
    """All records of some files."""
    parts = []
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            parts.append({name: arrays[name] for name in FIELDS})
    return Lessons(**{name: np.concatenate([part[name] for part in parts]) for name in FIELDS})
