"""The loop: steps, epochs, what is measured after each, and when it ends; resumable at any step, to the bit on a CPU."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sonovec.errors import TrainingError
from sonovec.jobs import Job, Pace, Progress
from sonovec.learn.examples import Examples
from sonovec.learn.tuning import checkpoint, generators
from sonovec.learn.tuning.layers import Layer, rates
from sonovec.learn.tuning.lessons import Batch, Lessons
from sonovec.learn.tuning.measure import Figures, accuracy, average_precision
from sonovec.learn.tuning.network import Tuned, loss
from sonovec.learn.tuning.plan import Plan
from sonovec.learn.tuning.sounds import Sounds
from sonovec.learn.tuning.split import Stretches
from sonovec.models.model import Model

#: Seconds from one checkpoint to the next.
PACE = 30.0
#: Windows that are measured at once.
MEASURED = 32

STAGE, UNIT = "fine-tuning", "steps"


class Diverged(TrainingError):
    """Numbers are not finite any more; the weights are those of the step before."""


@dataclass(frozen=True)
class Epoch:
    """What is known behind an epoch; the 0th is the head alone, on the encoder as it was.

    Attributes
    ----------
    number : int
    loss : float or None
        Mean of its steps, of windows that were changed; None of the 0th.
    held_out : Figures
    """

    number: int
    loss: float | None
    held_out: Figures


class HeldOut:
    """The stretches that are not trained on: their features, computed once."""

    def __init__(
        self, model: Model, sounds: Sounds, examples: Examples, stretches: Stretches, held_out: NDArray[np.int64]
    ) -> None:
        self._model, self._sounds, self._targets = model, sounds, stretches.targets[held_out]
        self._rows = [stretches.rows[number] for number in held_out]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def measure(self, tuned: Tuned, weights: Tensor, low: bool, job: Job) -> Figures:
        """Measure a network, each stretch by the mean of its windows as a clip's vector is."""
        tuned.eval()
        rows = np.concatenate(self._rows)
        vectors, covered = [], []
        for first in range(0, len(rows), MEASURED):
            job.check()
            heard = [self._sounds.row(int(row)) for row in rows[first : first + MEASURED]]
            coverage = np.array([share for _, share in heard], np.float32)
            features = self._model.features(np.stack([samples for samples, _ in heard]), coverage)
            with autocast(tuned, low):
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


class Training:
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
    folder : Path
        Of checkpoints; a state of this run that is there is gone on from.
    identity : mapping
        All that shapes the result, so that no other run goes on from a checkpoint of this one.
    job : Job
    low : bool
        Whether products of matrices are computed in bf16.
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
        self.tuned, self.plan, self.folder, self.identity, self.job = tuned, plan, folder, identity, job
        self._lessons, self._held_out, self._weights, self._low = lessons, held_out, weights.to(tuned.device), low
        self._total = plan.epochs * lessons.per_epoch
        self._optimiser, self._peaks = _optimiser(tuned, trained, plan)
        self._trains_network = bool(trained)
        self.step, self._sum = 0, 0.0
        self.history: list[Epoch] = []
        self.resumed_at = 0
        self._pace = Pace(PACE)

    @property
    def best(self) -> Epoch:
        """The epoch that is best on what is held out."""
        found = self.history[0]
        for epoch in self.history[1:]:
            found = epoch if epoch.held_out.is_better_than(found.held_out) else found
        return found

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or none of the last ones was better."""
        last = self.history[-1].number if self.history else 0
        return bool(self.history) and (self.step >= self._total or last - self.best.number >= self.plan.patience)

    def run(self) -> None:
        """Train to the end, and take the best state; go on from where a former call was ended.

        Raises
        ------
        Diverged
            If numbers are not finite any more.
        TrainingError
            If a state cannot be written.
        Cancelled
            If the job was cancelled; what was reached is written.
        """
        self._resume()
        if not self.history:
            self._measure(None)
        for batch in self._lessons.ahead(self.step, self._total):
            if self.is_over:
                break
            self._tell()
            self._learn(batch)
            if self.step % self._lessons.per_epoch == 0:
                self._measure(self._sum / self._lessons.per_epoch)
            elif self._pace.due():
                self._save()
        self.take_best()

    def take_best(self) -> None:
        """Put the best state of the run into the network."""
        state = checkpoint.read(self.folder / checkpoint.BEST, self.identity)
        assert state is not None
        self._put(state["weights"])
        self.tuned.eval()

    # -- a step

    def _learn(self, batch: Batch) -> None:
        share = _share(self.step, self._total, self.plan.warmup)
        for group, peak in zip(self._optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * share
        generators.begin(self.plan.seed, self.step)
        self.tuned.train(self._trains_network)
        wanted = torch.from_numpy(batch.targets).to(self.tuned.device)
        self._optimiser.zero_grad()
        with autocast(self.tuned, self._low), torch.set_grad_enabled(self._trains_network):
            vectors = self.tuned.vectors(batch.rows, batch.coverage)
        total = loss(self.tuned.scores(vectors), wanted, self._weights)
        total.backward()
        mean, norm = float(total.detach()), float(torch.nn.utils.clip_grad_norm_(self._parameters(), self.plan.clip))
        if not (math.isfinite(mean) and math.isfinite(norm)):
            raise Diverged(f"step {self.step + 1} of {self._total}: the loss is {mean:g}, and its gradient {norm:g}")
        self._optimiser.step()
        self._sum += mean
        self.step += 1

    def _parameters(self) -> list[Tensor]:
        return [each for group in self._optimiser.param_groups for each in group["params"]]

    def _tell(self) -> None:
        place = self.step % self._lessons.per_epoch
        told = [f"loss {self._sum / place:.3f}"] if place else []
        told += [self.history[-1].held_out.told] if self.history else []
        try:
            self.job.report(Progress(STAGE, self.step, self._total, UNIT, note="; ".join(told)))
        except BaseException:
            self._save()
            raise

    # -- an epoch

    def _measure(self, mean: float | None) -> None:
        figures = self._held_out.measure(self.tuned, self._weights, self._low, self.job)
        self.history.append(Epoch(len(self.history), mean, figures))
        self._sum = 0.0
        if self.best is self.history[-1]:
            weights = {name: tensor.clone() for name, tensor in self._state().items()}
            checkpoint.write(
                self.folder / checkpoint.BEST, {"identity": dict(self.identity), "weights": weights}, self.step
            )
        self._save()

    # -- on disk

    def _state(self) -> dict[str, Tensor]:
        """What changes in a run: weights that are trained, what normalisations learn, and how the head sees vectors."""
        state = self.tuned.state_dict()
        frozen = {name for name, each in self.tuned.named_parameters() if not each.requires_grad}
        return {name: each for name, each in state.items() if name not in frozen}

    def _put(self, state: Mapping[str, Tensor]) -> None:
        self.tuned.load_state_dict(state, strict=False)

    def _save(self) -> None:
        checkpoint.write(
            self.folder / checkpoint.CHECKPOINT,
            {
                "identity": dict(self.identity),
                "step": self.step,
                "sum": self._sum,
                "history": [asdict(epoch) for epoch in self.history],
                "weights": self._state(),
                "optimiser": self._optimiser.state_dict(),
            },
            self.step,
        )

    def _resume(self) -> None:
        state = checkpoint.read(self.folder / checkpoint.CHECKPOINT, self.identity)
        if state is None:
            return
        self._put(state["weights"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.step, self._sum = state["step"], state["sum"]
        self.history = [Epoch(e["number"], e["loss"], Figures(**e["held_out"])) for e in state["history"]]
        self.resumed_at = self.step


def autocast(tuned: Tuned, low: bool) -> torch.autocast:
    """Computes products of matrices in bf16 within a block, if that is wanted."""
    return torch.autocast(tuned.device.type, torch.bfloat16, enabled=low)


def _optimiser(tuned: Tuned, trained: Sequence[Layer], plan: Plan) -> tuple[torch.optim.Optimizer, list[float]]:
    """AdamW with a group for each layer, in which only matrices decay, and the highest rate of each group."""
    tuned.requires_grad_(False)
    groups: list[dict[str, Any]] = []
    modules = dict(tuned.network.named_modules())
    parts = [
        ([each for name in layer.modules for each in modules[name].parameters(recurse=False)], rate)
        for layer, rate in zip(trained, rates(trained, plan.rate, plan.layer_decay), strict=True)
    ]
    for parameters, rate in [*parts, (list(tuned.head.parameters()), plan.head_rate)]:
        fresh = [
            each.requires_grad_(True) for each in parameters if not each.requires_grad
        ]  # some are used by two layers
        for is_matrix in (True, False):
            alike = [each for each in fresh if (each.ndim > 1) == is_matrix]
            if alike:
                groups.append({"params": alike, "lr": rate, "weight_decay": plan.weight_decay if is_matrix else 0.0})
    return torch.optim.AdamW(groups, fused=True), [group["lr"] for group in groups]


def _share(step: int, total: int, warmup: float) -> float:
    """Of the highest learning rates: a rise along a line, then a fall along a cosine.

    Examples
    --------
    >>> [round(_share(step, 10, 0.2), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04]
    """
    rising = max(1, round(warmup * total))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))
