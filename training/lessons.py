"""Batches for the student: parts of mixes, with targets at the student's own steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sonovec.models.builtin import FRAMES, FRONT_END
from sonovec.models.networks.sonovec_1 import STEP, weights_of_steps
from training.mixes import SHARD, Lessons, shard_file, wait
from training.teachers import STEP as TEACHER_STEP

#: Windows of a mix, and frames that it is longer than those.
WINDOWS = 3
LENGTH = WINDOWS * FRAMES
SECONDS_PER_FRAME = FRONT_END.hop_length / FRONT_END.rate


@dataclass(frozen=True)
class Batch:
    """Parts of n mixes, three windows long.

    Attributes
    ----------
    mel : Tensor, shape (n, 384, 64)
    weights : Tensor, shape (n, 24)
        1 for a step that sounds and next to nothing for digital silence.
    steps : Tensor, shape (n, 24, 384)
        mn04's features at the student's steps.
    yamnet : Tensor, shape (n, 1024)
    """

    mel: Tensor
    weights: Tensor
    steps: Tensor
    yamnet: Tensor


def batch(lessons: Lessons, rows: np.ndarray, offsets: np.ndarray, device: torch.device) -> Batch:
    """The parts of `rows` that begin `offsets` frames into them."""
    mel = torch.from_numpy(np.stack([lessons.mel[r, o : o + LENGTH] for r, o in zip(rows, offsets, strict=True)]))
    mel = mel.to(device).float()
    taught = torch.from_numpy(lessons.steps[rows]).to(device).float()
    between = torch.from_numpy(_between(offsets, taught.shape[1])).to(device)
    yamnet = torch.from_numpy(lessons.yamnet[rows]).to(device).float()
    return Batch(mel, weights_of_steps(mel), between @ taught, yamnet)


def _between(offsets: np.ndarray, n_taught: int) -> np.ndarray:
    """Matrices (n, 24, n_taught) that read the teacher's steps, along straight lines, at the times of the student's."""
    times = (offsets[:, None] + STEP * np.arange(LENGTH // STEP)) * SECONDS_PER_FRAME / TEACHER_STEP
    distance = np.abs(times[:, :, None] - np.arange(n_taught))
    share = np.maximum(0, 1 - distance)
    return (share / share.sum(2, keepdims=True)).astype(np.float32)


class Lecture:
    """An endless row of batches; the same for the same seed, and it goes on from any step.

    The training begins when the first shards are there and goes on as they are made: at a step it draws from the shards
    that `pace` allows, the least heard first, and waits for one that is not there yet.
    """

    def __init__(self, work: Path, seed: int, shards: int, size: int, replay: float, first: int, together: int) -> None:
        self._work, self._seed = work, seed
        self._shards, self._size, self._replay, self._first, self._together = shards, size, replay, first, together
        self.per_round = together * SHARD // size
        self._heard = np.zeros(shards, np.int64)
        self._round = 0

    def pace(self, step: int) -> int:
        """How many shards there have to be at a step."""
        grown = self._first + int(step * self._size / self._replay / SHARD)
        return min(self._shards, grown)

    def batches(self, from_step: int, device: torch.device) -> Iterator[Batch]:
        """Batches from a step on."""
        for round_ in range(from_step // self.per_round):
            self._draw(round_)
        round_ = from_step // self.per_round
        skip = from_step % self.per_round
        while True:
            rng = np.random.default_rng([self._seed, 1, round_])
            lessons = Lessons.join(
                [wait(shard_file(self._work, self._seed, int(number))) for number in self._draw(round_)]
            )
            order = rng.permutation(len(lessons.mel))
            spare = lessons.mel.shape[1] - LENGTH
            for first in range(0, self.per_round * self._size, self._size):
                offsets = rng.integers(0, spare + 1, self._size)
                if skip:
                    skip -= 1
                    continue
                yield batch(lessons, order[first : first + self._size], offsets, device)
            round_ += 1

    def _draw(self, round_: int) -> np.ndarray:
        rng = np.random.default_rng([self._seed, 2, round_])
        there = self.pace(round_ * self.per_round)
        chosen = np.lexsort((rng.random(there), self._heard[:there]))[: self._together]
        self._heard[chosen] += 1
        return chosen
