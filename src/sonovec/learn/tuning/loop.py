"""The loop of every training: steps, epochs, what is measured after each, and when it ends; resumable at any step.

On a CPU a run that was ended goes on to the same bits. What is trained, what is heard in a step and how it is measured are
the subclass's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from sonovec.errors import TrainingError
from sonovec.jobs import Job, Pace, Progress
from sonovec.learn.tuning import checkpoint, generators

#: Seconds from one checkpoint to the next.
PACE = 30.0
UNIT = "steps"


class Diverged(TrainingError):
    """Numbers are not finite any more; the weights are those of the step before."""


class Figures(Protocol):
    """What was measured on what is held out; a dataclass of plain values."""

    def is_better_than(self, other: Self | None) -> bool:
        """Whether these are better."""

    @property
    def told(self) -> str:
        """In words."""


class Settings(Protocol):
    """What a loop takes of a plan."""

    @property
    def epochs(self) -> int:
        """Most passes over what is heard."""

    @property
    def warmup(self) -> float:
        """Share of all steps in which the rates rise."""

    @property
    def clip(self) -> float:
        """Largest norm of a gradient."""

    @property
    def patience(self) -> int:
        """Epochs without a better result, after which it ends."""

    @property
    def seed(self) -> int:
        """Of all that is random."""


F = TypeVar("F", bound=Figures)
B = TypeVar("B")
BatchOf = TypeVar("BatchOf", covariant=True)


class Source(Protocol[BatchOf]):
    """Gives what is heard in each step, as a function of the step alone."""

    per_epoch: int

    def batch(self, step: int) -> BatchOf:
        """The batch of one step."""


@dataclass(frozen=True)
class Epoch(Generic[F]):
    """What is known behind an epoch; the 0th is before the first step.

    Attributes
    ----------
    number : int
    loss : float or None
        Mean of its steps, of sounds that were changed; None of the 0th.
    held_out : Figures
    """

    number: int
    loss: float | None
    held_out: F


class Loop(ABC, Generic[B, F]):
    """A run.

    Parameters
    ----------
    network : torch.nn.Module
        All that is trained; what does not learn has ``requires_grad`` off.
    optimiser : torch.optim.Optimizer
        The rate of each of its groups is the highest one.
    lessons : Source
    plan : Settings
    folder : Path
        Of checkpoints; a state of this run that is there is gone on from.
    identity : mapping
        All that shapes the result, so that no other run goes on from a checkpoint of this one.
    job : Job
    low : bool
        Whether products of matrices are computed in bf16.
    """

    #: What the progress is called.
    stage = "fine-tuning"

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        lessons: Source[B],
        plan: Settings,
        folder: Path,
        identity: Mapping[str, Any],
        job: Job,
        low: bool,
    ) -> None:
        self.network, self.folder, self.identity, self.job, self.low = network, folder, identity, job, low
        self.settings, self._lessons, self._optimiser = plan, lessons, optimiser
        self._peaks = [group["lr"] for group in optimiser.param_groups]
        self.total = plan.epochs * lessons.per_epoch
        self.step, self._sum = 0, 0.0
        self.history: list[Epoch[F]] = []
        self.resumed_at = 0
        self._pace = Pace(PACE)

    @abstractmethod
    def loss(self, batch: B) -> float:
        """Compute the loss of a batch and its gradients, and give its value."""

    @abstractmethod
    def measure(self) -> F:
        """Measure the network on what is held out."""

    @abstractmethod
    def figures(self, values: Mapping[str, Any]) -> F:
        """Figures of the values that a checkpoint holds."""

    def learned(self, norm: float) -> None:
        """Take note of a step that was made, whose gradient had this norm."""

    def kept(self) -> dict[str, Any]:
        """What else a checkpoint keeps, as plain values."""
        return {}

    def put_kept(self, kept: Mapping[str, Any]) -> None:
        """Take back what `kept` gave."""

    @property
    def best(self) -> Epoch[F]:
        """The epoch that is best on what is held out."""
        found = self.history[0]
        for epoch in self.history[1:]:
            found = epoch if epoch.held_out.is_better_than(found.held_out) else found
        return found

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or none of the last ones was better."""
        last = self.history[-1].number if self.history else 0
        return bool(self.history) and (self.step >= self.total or last - self.best.number >= self.settings.patience)

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
            self._end_epoch(None)
        for batch in ahead(self._lessons.batch, self.step, self.total):
            if self.is_over:
                break
            self._tell()
            self._learn(batch)
            if self.step % self._lessons.per_epoch == 0:
                self._end_epoch(self._sum / self._lessons.per_epoch)
            elif self._pace.due():
                self._save()
        self.take_best()

    def take_best(self) -> None:
        """Put the best state of the run into the network."""
        state = checkpoint.read(self.folder / checkpoint.BEST, self.identity)
        assert state is not None
        self._put(state["weights"])
        self.network.eval()

    def autocast(self) -> torch.autocast:
        """Computes products of matrices in bf16 within a block, if that is wanted."""
        device = next(self.network.parameters()).device
        return torch.autocast(device.type, torch.bfloat16, enabled=self.low)

    # -- a step

    def _learn(self, batch: B) -> None:
        share = share_of_rate(self.step, self.total, self.settings.warmup)
        for group, peak in zip(self._optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * share
        generators.begin(self.settings.seed, self.step)
        self._optimiser.zero_grad()
        mean = self.loss(batch)
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters(), self.settings.clip))
        if not (math.isfinite(mean) and math.isfinite(norm)):
            raise Diverged(f"step {self.step + 1} of {self.total}: the loss is {mean:g}, and its gradient {norm:g}")
        self._optimiser.step()
        self._sum += mean
        self.step += 1
        self.learned(norm)

    def _parameters(self) -> list[Tensor]:
        return [each for group in self._optimiser.param_groups for each in group["params"]]

    def _tell(self) -> None:
        place = self.step % self._lessons.per_epoch
        told = [f"loss {self._sum / place:.3f}"] if place else []
        told += [self.history[-1].held_out.told] if self.history else []
        try:
            self.job.report(Progress(self.stage, self.step, self.total, UNIT, note="; ".join(told)))
        except BaseException:
            self._save()
            raise

    # -- an epoch

    def _end_epoch(self, mean: float | None) -> None:
        self.history.append(Epoch(len(self.history), mean, self.measure()))
        self._sum = 0.0
        if self.best is self.history[-1]:
            weights = {name: tensor.clone() for name, tensor in self._state().items()}
            checkpoint.write(
                self.folder / checkpoint.BEST, {"identity": dict(self.identity), "weights": weights}, self.step
            )
        self._save()

    # -- on disk

    def _state(self) -> dict[str, Tensor]:
        """What changes in a run: weights that are trained, and what normalisations learn."""
        state = self.network.state_dict()
        frozen = {name for name, each in self.network.named_parameters() if not each.requires_grad}
        return {name: each for name, each in state.items() if name not in frozen}

    def _put(self, state: Mapping[str, Tensor]) -> None:
        self.network.load_state_dict(state, strict=False)

    def _save(self) -> None:
        checkpoint.write(
            self.folder / checkpoint.CHECKPOINT,
            {
                "identity": dict(self.identity),
                "step": self.step,
                "sum": self._sum,
                "kept": self.kept(),
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
        self.history = [Epoch(e["number"], e["loss"], self.figures(e["held_out"])) for e in state["history"]]
        self.put_kept(state["kept"])
        self.resumed_at = self.step


def ahead(batch: Callable[[int], B], first: int, end: int) -> Iterator[B]:
    """The batches of steps, each made while the one before it is learned."""
    with ThreadPoolExecutor(1, "sonovec-lessons") as thread:
        waiting = thread.submit(batch, first) if first < end else None
        for step in range(first, end):
            assert waiting is not None
            ready = waiting.result()
            waiting = thread.submit(batch, step + 1) if step + 1 < end else None
            yield ready


def optimiser_of(groups: list[tuple[list[nn.Parameter], float]], weight_decay: float) -> torch.optim.Optimizer:
    """AdamW over parameters, each group with its highest rate; only matrices decay, and all of them learn."""
    made: list[dict[str, Any]] = []
    for parameters, rate in groups:
        for is_matrix in (True, False):
            alike = [each for each in parameters if (each.ndim > 1) == is_matrix]
            if alike:
                made.append({"params": alike, "lr": rate, "weight_decay": weight_decay if is_matrix else 0.0})
    return torch.optim.AdamW(made, fused=True)


def share_of_rate(step: int, total: int, warmup: float) -> float:
    """Of the highest learning rates: a rise along a line, then a fall along a cosine.

    Examples
    --------
    >>> [round(share_of_rate(step, 10, 0.2), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04]
    """
    rising = max(1, round(warmup * total))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))
