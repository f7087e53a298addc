"""What is heard in each step: utterances of like length, as a function of the seed and the step alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.augment.waveform import log_uniform, sped, varied
from sonovec.brief import Brief
from sonovec.speech.training.plan import Plan
from sonovec.speech.training.sounds import Sounds

Features = Callable[[NDArray[np.float32]], NDArray[np.float32]]

#: Steps whose utterances are drawn together, and then sorted by length.
POOL = 8
#: What tells generators of one seed from each other.
ORDER, CHANGES = 1, 2


@dataclass(frozen=True, eq=False, repr=False)
class Batch(Brief):
    """Utterances that are heard in one step.

    Attributes
    ----------
    rows : sequence of arrays
        Features, as the network takes them, each of its own length.
    wanted : sequence of sequences of int
        Numbers of their characters.
    """

    rows: Sequence[NDArray[np.float32]]
    wanted: Sequence[Sequence[int]]


class Lessons:
    """Batches of utterances: in each epoch all of them, in an order that is drawn anew.

    Parameters
    ----------
    features : callable
        Samples (n,) to what the network takes.
    sounds : Sounds
    numbers : sequence of int
        Which of the sounds are heard.
    wanted : mapping or sequence
        Numbers of the characters of each sound.
    plan : Plan
    """

    def __init__(
        self,
        features: Features,
        sounds: Sounds,
        numbers: Sequence[int],
        wanted: Sequence[Sequence[int]],
        plan: Plan,
    ) -> None:
        self._features, self._sounds, self._wanted, self._plan = features, sounds, wanted, plan
        self._numbers = np.asarray(numbers, np.int64)
        self.per_epoch = -(-len(self._numbers) // plan.batch)

    def batch(self, step: int) -> Batch:
        """The batch of one step."""
        epoch, place = divmod(step, self.per_epoch)
        chosen = self._order(epoch)[place]
        rng = np.random.default_rng([self._plan.seed, CHANGES, step])
        rows = [self._features(self._heard(int(number), rng)) for number in chosen]
        return Batch(rows, [self._wanted[number] for number in chosen])

    def _order(self, epoch: int) -> list[NDArray[np.int64]]:
        """The utterances of each step of an epoch."""
        rng = np.random.default_rng([self._plan.seed, ORDER, epoch])
        drawn = rng.permutation(self._numbers)
        size = self._plan.batch
        pools = [drawn[first : first + POOL * size] for first in range(0, len(drawn), POOL * size)]
        alike = [pool[np.argsort(self._sounds.lengths[pool], kind="stable")] for pool in pools]
        batches = [pool[first : first + size] for pool in alike for first in range(0, len(pool), size)]
        return [batches[number] for number in rng.permutation(len(batches))]

    def _heard(self, number: int, rng: np.random.Generator) -> NDArray[np.float32]:
        samples, fastest = self._sounds[number], 1 + self._plan.speed
        if self._plan.speed:
            samples = sped(samples, log_uniform(rng, 1 / fastest, fastest))
        return varied(samples, self._sounds.rate, self._plan.augment, rng) if self._plan.augment else samples
