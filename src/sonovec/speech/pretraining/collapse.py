"""The rule that ends a run which learns nothing: few codes, a loss of zero, or guesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sonovec.errors import TrainingError
from sonovec.speech.pretraining.objective import Heard

#: How much of the mean that is judged by is the step before.
INERTIA = 0.9
#: Share of the codes below which a group has collapsed; a loss that says nothing more; what is no better than chance.
FEW_CODES, ZERO, GUESSING = 0.1, 0.01, 1.5

#: What is told of each, and what helps.
MEANINGS: Mapping[str, tuple[str, str]] = {
    "perplexity": (
        "a group of the quantiser uses {value:.1f} of its {codes} codes",
        "give a larger --diversity or a smaller --rate",
    ),
    "loss": (
        "the contrastive loss is {value:.4f}: all masked frames have one code, so there is nothing to tell apart",
        "give a larger --diversity or a smaller --rate",
    ),
    "accuracy": (
        "the contrastive task is solved in {value:.1%} of all cases, as by guessing",
        "give a longer --warmup, another --rate, or more sound",
    ),
}


class Collapsed(TrainingError):
    """The run learns nothing any more."""


@dataclass
class Rule:
    """Watches the steps of a run; its state goes into checkpoints.

    Parameters
    ----------
    codes : int
        In each group.
    begins : int
        Steps of the warm-up, which do not count.
    tolerance : int
        Steps in a row after which it ends the run.
    """

    codes: int
    begins: int
    tolerance: int
    means: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def heard(self, step: int, heard: Heard) -> None:
        """Take a step.

        Raises
        ------
        Collapsed
            If one of the figures was bad for so many steps. The message says which, and what helps.
        """
        values = {
            "perplexity": min(heard.perplexity),
            "loss": heard.contrastive,
            "accuracy": heard.accuracy,
            "chance": heard.chance,
        }
        for name, value in values.items():
            self.means[name] = INERTIA * self.means.get(name, value) + (1 - INERTIA) * value
        if step < self.begins:
            return
        bad = {
            "perplexity": self.means["perplexity"] < FEW_CODES * self.codes,
            "loss": self.means["loss"] < ZERO,
            "accuracy": self.means["accuracy"] < GUESSING * self.means["chance"],
        }
        for name, is_bad in bad.items():
            self.counts[name] = self.counts.get(name, 0) + 1 if is_bad else 0
            if self.counts[name] >= self.tolerance:
                told, remedy = MEANINGS[name]
                reason = told.format(value=self.means[name], codes=self.codes)
                raise Collapsed(f"step {step + 1}: collapsed: for {self.counts[name]} steps {reason}; {remedy}")
