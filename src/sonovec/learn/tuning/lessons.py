"""What is heard in each step of a run: a function of the seed and the step alone, so that a run resumes anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.augment.waveform import mixed, varied
from sonovec.brief import Brief
from sonovec.learn.examples import Examples
from sonovec.learn.targets import HEARD, UNKNOWN
from sonovec.learn.tuning.plan import Plan
from sonovec.learn.tuning.sounds import Sounds
from sonovec.learn.tuning.split import Stretches
from sonovec.models.model import Model, Rows

#: Decibels by which a sound is louder than another one that it is mixed with.
LOUDER = (0.0, 15.0)
#: What tells generators of one seed from each other.
ORDER, WINDOWS = 1, 2


@dataclass(frozen=True, eq=False, repr=False)
class Batch(Brief):
    """Windows that are heard in one step.

    Attributes
    ----------
    rows : array or list
        Features, as the network takes them.
    coverage : array, shape (n,), float32
    targets : array, shape (n, n_classes), int8
    """

    rows: Rows
    coverage: NDArray[np.float32]
    targets: NDArray[np.int8]


class Lessons:
    """Batches of windows: in each epoch one of every stretch, at a place and with changes that are drawn anew.

    Parameters
    ----------
    model : Model
    sounds : Sounds
    examples : Examples
    stretches : Stretches
    train : array of int
        Which of the stretches are heard.
    plan : Plan
    """

    def __init__(
        self,
        model: Model,
        sounds: Sounds,
        examples: Examples,
        stretches: Stretches,
        train: NDArray[np.int64],
        plan: Plan,
    ) -> None:
        self._model, self._sounds, self._targets, self._plan = model, sounds, examples.targets, plan
        self._seconds = examples.times[:, 1] - examples.times[:, 0]
        self._rows = [stretches.rows[number] for number in train]
        self.per_epoch = -(-len(self._rows) // plan.batch)

    def batch(self, step: int) -> Batch:
        """The batch of one step."""
        epoch, place = divmod(step, self.per_epoch)
        order = np.random.default_rng([self._plan.seed, ORDER, epoch]).permutation(len(self._rows))
        chosen = order[place * self._plan.batch : (place + 1) * self._plan.batch]
        rng = np.random.default_rng([self._plan.seed, WINDOWS, step])
        heard = [self._window(int(number), rng) for number in chosen]
        samples, coverage, targets = (np.stack(each) for each in zip(*heard, strict=True))
        coverage = coverage.astype(np.float32)
        return Batch(self._model.features(samples, coverage), coverage, targets)

    def _window(self, number: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], float, NDArray[np.int8]]:
        row = self._draw(number, rng)
        samples, coverage = self._sounds.row(row, rng.random())
        targets, share = self._targets[row], self._plan.augment
        if rng.random() < share:
            other = self._draw(int(rng.integers(len(self._rows))), rng)
            samples = mixed(samples, self._sounds.row(other, rng.random())[0], rng.uniform(*LOUDER))
            # Whether the quieter sound's classes are heard, nobody can say.
            targets = np.where((self._targets[other] == HEARD) & (targets != HEARD), np.int8(UNKNOWN), targets)
        heard = round(coverage * len(samples))
        samples[:heard] = varied(samples[:heard], self._sounds.rate, share, rng)
        samples[heard:] = 0.0
        return samples, coverage, targets

    def _draw(self, number: int, rng: np.random.Generator) -> int:
        """A row of a stretch, by how much of it is sound."""
        rows = self._rows[number]
        seconds = self._seconds[rows]
        return int(rng.choice(rows, p=seconds / seconds.sum()))
