"""The loop of fine-tuning: an encoder with a head, on windows of labelled sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sonovec.jobs import Job
from sonovec.learn.examples import Examples
from sonovec.learn.tuning.layers import Layer, rates
from sonovec.learn.tuning.lessons import Batch, Lessons
from sonovec.learn.tuning.loop import Diverged, Epoch, Loop, optimiser_of
from sonovec.learn.tuning.measure import Figures, accuracy, average_precision
from sonovec.learn.tuning.network import Tuned, loss
from sonovec.learn.tuning.plan import Plan
from sonovec.learn.tuning.sounds import Sounds
from sonovec.learn.tuning.split import Stretches
from sonovec.models.model import Model

__all__ = ["Diverged", "Epoch", "HeldOut", "Training"]

#: Windows that are measured at once.
MEASURED = 32


class HeldOut:
    """The stretches that are not trained on: their features, computed once."""

    def __init__(
        self, model: Model, sounds: Sounds, examples: Examples, stretches: Stretches, held_out: NDArray[np.int64]
    ) -> None:
        self._model, self._sounds, self._targets = model, sounds, stretches.targets[held_out]
        self._rows = [stretches.rows[number] for number in held_out]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def measure(self, tuned: Tuned, weights: Tensor, autocast: torch.autocast, job: Job) -> Figures:
        """Measure a network, each stretch by the mean of its windows as a clip's vector is."""
        tuned.eval()
        rows = np.concatenate(self._rows)
        vectors, covered = [], []
        for first in range(0, len(rows), MEASURED):
            job.check()
            heard = [self._sounds.row(int(row)) for row in rows[first : first + MEASURED]]
            coverage = np.array([share for _, share in heard], np.float32)
            features = self._model.features(np.stack([samples for samples, _ in heard]), coverage)
            with autocast:
                vectors.append(tuned.vectors(features, coverage).float())
            covered.append(coverage)
        shares = torch.from_numpy(np.concatenate(covered)).to(tuned.device)[:, None]
        sizes = [len(each) for each in self._rows]
        summed = [part.sum(0) for part in (torch.cat(vectors) * shares).split(sizes)]
        scores = tuned.scores(torch.stack(summed))
        wanted = torch.from_numpy(self._targets).to(tuned.device)
        found = scores.cpu().numpy()
        return Figures(
            average_precision(found, self._targets),
            float(loss(scores, wanted, weights)),
            accuracy(found, self._targets),
        )


class Training(Loop[Batch, Figures]):
    """A run.

    Parameters
    ----------
    tuned : Tuned
        With a head that fits; it is what is trained.
    trained : sequence of Layer
        The layers of its network that are trained, in order; the head always is.
    lessons : Lessons
    held_out : HeldOut
    weights : tensor, shape (n_classes, 2)
        See `class_weights`.
    plan : Plan
    folder, identity, job, low
        See `Loop`.
    """

    def __init__(
        self,
        tuned: Tuned,
        trained: Sequence[Layer],
        lessons: Lessons,
        held_out: HeldOut,
        weights: Tensor,
        plan: Plan,
        folder: Path,
        identity: Mapping[str, Any],
        job: Job,
        low: bool,
    ) -> None:
        super().__init__(tuned, _optimiser(tuned, trained, plan), lessons, plan, folder, identity, job, low)
        self.tuned, self.plan = tuned, plan
        self._held_out, self._weights = held_out, weights.to(tuned.device)
        self._trains_network = bool(trained)

    def loss(self, batch: Batch) -> float:
        """Cross entropy of a batch, with its gradients."""
        self.tuned.train(self._trains_network)
        wanted = torch.from_numpy(batch.targets).to(self.tuned.device)
        with self.autocast(), torch.set_grad_enabled(self._trains_network):
            vectors = self.tuned.vectors(batch.rows, batch.coverage)
        total = loss(self.tuned.scores(vectors), wanted, self._weights)
        total.backward()
        return float(total.detach())

    def measure(self) -> Figures:
        """Measure it on the stretches that are held out."""
        return self._held_out.measure(self.tuned, self._weights, self.autocast(), self.job)

    def figures(self, values: Mapping[str, Any]) -> Figures:
        """Figures of their values."""
        return Figures(**values)


def _optimiser(tuned: Tuned, trained: Sequence[Layer], plan: Plan) -> torch.optim.Optimizer:
    """A group for each layer; some weights are used by two."""
    tuned.requires_grad_(False)
    modules = dict(tuned.network.named_modules())
    parts = [
        ([each for name in layer.modules for each in modules[name].parameters(recurse=False)], rate)
        for layer, rate in zip(trained, rates(trained, plan.rate, plan.layer_decay), strict=True)
    ]
    groups: list[tuple[list[nn.Parameter], float]] = []
    for parameters, rate in [*parts, (list(tuned.head.parameters()), plan.head_rate)]:
        groups.append(([each.requires_grad_(True) for each in parameters if not each.requires_grad], rate))
    return optimiser_of(groups, plan.weight_decay)
