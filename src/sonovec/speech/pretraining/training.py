"""The run: what is learned in a step, what is measured between, and when it has collapsed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from sonovec.jobs import Job
from sonovec.learn.tuning import generators
from sonovec.learn.tuning.loop import Epoch, Loop, optimiser_of
from sonovec.speech.pretraining.collapse import Rule
from sonovec.speech.pretraining.network import Start
from sonovec.speech.pretraining.objective import Heard, Objective
from sonovec.speech.pretraining.plan import Plan
from sonovec.speech.pretraining.shelves import Shelves

_LOG = logging.getLogger(__name__)

#: The last state that was measured, as a folder that opens; beside the checkpoints.
LATEST = "latest"
#: Steps to draw from that no run reaches: masks of held-out sound are the same in all measurements.
_HELD_OUT = 1 << 40


@dataclass(frozen=True)
class Row:
    """What is known at a measurement: of the held-out sound, and of the steps since the one before.

    Attributes
    ----------
    step : int
    contrastive, accuracy : float or None
        Of held-out sound, with fixed masks and without chance in the quantiser; None where nothing is held out.
    perplexity : tuple of float
        The same for each group of codes.
    chance : float or None
        What accuracy is by guessing.
    learned_contrastive, learned_accuracy : float or None
        Means of the steps; None before the first.
    learned_perplexity : tuple of float
    gradient : float or None
        Mean norm, before it was clipped.
    rate, temperature : float
        Of the last step.
    """

    step: int
    contrastive: float | None
    accuracy: float | None
    perplexity: tuple[float, ...]
    chance: float | None
    learned_contrastive: float | None
    learned_accuracy: float | None
    learned_perplexity: tuple[float, ...]
    gradient: float | None
    rate: float
    temperature: float

    def is_better_than(self, other: Self | None) -> bool:
        """Always: the loss of a run rises where it uses more codes, so that the last state is taken and no other."""
        return True

    @property
    def told(self) -> str:
        """In words."""
        return "" if self.accuracy is None else f"held out {self.accuracy:.1%} right"


class Training(Loop[NDArray[np.float32], Row]):
    """A run of the objective; see `Loop`.

    Parameters
    ----------
    start : Start
    shelves : Shelves
    held_out : sequence of arrays, shape (crops, samples)
    plan : Plan
    folder : Path
    identity : mapping
    job : Job
    low : bool
    watch : callable
        Called with each `Row` as it comes.
    """

    stage = "pre-training"

    def __init__(
        self,
        start: Start,
        shelves: Shelves,
        held_out: Sequence[NDArray[np.float32]],
        plan: Plan,
        folder: Path,
        identity: Mapping[str, Any],
        job: Job,
        low: bool,
        watch: Callable[[Row], object],
    ) -> None:
        network = start.network
        features = list(network.wav2vec2.feature_extractor.parameters())
        others = [each for name, each in network.named_parameters() if "feature_extractor" not in name]
        groups = [(features, plan.feature_rate * plan.rate), (others, plan.rate)]
        optimiser = optimiser_of(groups, plan.weight_decay)
        super().__init__(network, optimiser, shelves, plan, folder, identity, job, low)
        self._start, self._held_out, self.plan, self._watch = start, held_out, plan, watch
        self._objective = Objective(network, plan, start.normalised)
        warmup = round(plan.warmup * plan.steps)
        self._rule = Rule(network.config.num_codevectors_per_group, warmup, plan.tolerance)
        self._since: list[dict[str, Any]] = []
        self._heard: Heard | None = None

    @property
    def rows(self) -> list[Row]:
        """What was measured so far."""
        return [epoch.held_out for epoch in self.history]

    def loss(self, batch: NDArray[np.float32]) -> float:
        """Mask, compare, and compute gradients."""
        self.network.train()
        self.network.quantizer.temperature = self.plan.temperature(self.step)
        with self.autocast():
            self._heard = self._objective(batch)
        self._heard.loss.backward()
        return float(self._heard.loss.detach())

    def learned(self, norm: float) -> None:
        """Note the figures of a step, and end the run if it has collapsed."""
        heard, self._heard = self._heard, None
        assert heard is not None
        self._since.append(
            {
                "contrastive": heard.contrastive,
                "accuracy": heard.accuracy,
                "perplexity": list(heard.perplexity),
                "gradient": norm,
            }
        )
        self._rule.heard(self.step - 1, heard)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def measure(self) -> Row:
        """Measure on the held-out sound, and save what was reached as a folder that opens."""
        self.network.eval()
        said = []
        for number, batch in enumerate(self._held_out):
            self.job.check()
            generators.begin(self.plan.seed, _HELD_OUT + number)
            with self.autocast():
                said.append(self._objective(batch))
        sizes = np.array([batch.size for batch in self._held_out], float)
        row = Row(
            self.step,
            _mean([each.contrastive for each in said], sizes),
            _mean([each.accuracy for each in said], sizes),
            _means([each.perplexity for each in said], sizes),
            _mean([each.chance for each in said], sizes),
            _mean([each["contrastive"] for each in self._since]),
            _mean([each["accuracy"] for each in self._since]),
            _means([each["perplexity"] for each in self._since]),
            _mean([each["gradient"] for each in self._since]),
            float(self._optimiser.param_groups[-1]["lr"]) if self.step else 0.0,
            self.plan.temperature(self.step),
        )
        self._since = []
        self._save_latest()
        _LOG.info("step %d: %s", self.step, row)
        self._watch(row)
        return row

    def _save_latest(self) -> None:
        """Write the folder beside the one before it, and put it in its place."""
        made, latest = self.folder / f"{LATEST}.new", self.folder / LATEST
        old = self.folder / f"{LATEST}.old"
        self._start.save(made)
        if latest.exists():
            latest.rename(old)
        made.rename(latest)
        if old.exists():
            shutil.rmtree(old)

    def figures(self, values: Mapping[str, Any]) -> Row:
        """A row of a checkpoint."""
        tuples = {name: tuple(values[name]) for name in ("perplexity", "learned_perplexity")}
        return Row(**{**values, **tuples})

    def kept(self) -> dict[str, Any]:
        """The figures since the last measurement, and what the rule has counted."""
        return {"since": self._since, "means": self._rule.means, "counts": self._rule.counts}

    def put_kept(self, kept: Mapping[str, Any]) -> None:
        """Take them back."""
        self._since, self._rule.means, self._rule.counts = (
            list(kept["since"]),
            dict(kept["means"]),
            dict(kept["counts"]),
        )
        for row in self.rows:
            self._watch(row)


def told(history: Sequence[Epoch[Row]]) -> tuple[dict[str, Any], ...]:
    """The rows of a run as plain values."""
    return tuple(asdict(epoch.held_out) for epoch in history)


def _mean(values: Sequence[float], weights: NDArray[np.float64] | None = None) -> float | None:
    return float(np.average(values, weights=weights)) if values else None


def _means(values: Sequence[Sequence[float]], weights: NDArray[np.float64] | None = None) -> tuple[float, ...]:
    return tuple(map(float, np.average(values, axis=0, weights=weights))) if values else ()
