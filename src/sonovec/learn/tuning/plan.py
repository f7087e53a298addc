"""How an encoder is fine-tuned: what the user chooses, checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sonovec.errors import UsageError

#: What is trained beside the head; a layer's name or number is allowed too.
WHOLE, HEAD = "whole", "head"
CLASS_WEIGHTS = ("balanced", "none")
PRECISIONS = ("auto", "f32", "bf16")


@dataclass(frozen=True)
class Plan:
    """Settings of a run; all of them shape its result, so a run resumes only with the same.

    Attributes
    ----------
    layers : str or int
        ``"whole"``, ``"head"``, or the first layer that is trained: its name, or its number, from the end if it is negative.
    epochs : int
        Passes over the labelled stretches, of which each gives one window at random.
    batch : int
        Windows of a step.
    rate : float
        Highest learning rate of the last layer.
    head_rate : float
        The same of the head.
    layer_decay : float
        How much slower each layer learns than the one behind it: its share of that rate.
    weight_decay : float
    warmup : float
        Share of all steps in which the rates rise; then they fall to zero along a cosine.
    clip : float
        Largest norm of a gradient.
    patience : int
        Epochs without a better result on the held-out groups, after which the run ends.
    held_out : float
        Share of the stretches that are held out, whole groups at a time.
    class_weights : {"balanced", "none"}
        Whether what is heard and what is not weigh the same in each class, however rare it is.
    augment : float
        How often a window is changed in each way before it is heard; 0 for never.
    precision : {"auto", "f32", "bf16"}
    seed : int
    """

    layers: str | int = WHOLE
    epochs: int = 20
    batch: int = 16
    rate: float = 2e-5
    head_rate: float = 1e-4
    layer_decay: float = 0.8
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    patience: int = 6
    held_out: float = 0.2
    class_weights: str = "balanced"
    augment: float = 0.3
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience"):
            refuse_unless(is_whole(value := getattr(self, name)) and value > 0, name, value, "a whole number from 1 on")
        for name in ("rate", "head_rate", "clip"):
            refuse_unless((value := getattr(self, name)) > 0, name, value, "a number above 0")
        for name, low, high in (("layer_decay", 0, 1), ("held_out", 0, 0.9)):
            value = getattr(self, name)
            refuse_unless(low < value <= high, name, value, f"a number above {low} and at most {high}")
        for name in ("warmup", "augment"):
            refuse_unless(0 <= (value := getattr(self, name)) <= 1, name, value, "a number from 0 to 1")
        refuse_unless(self.weight_decay >= 0, "weight_decay", self.weight_decay, "a number from 0 on")
        refuse_unless(is_whole(self.seed) and self.seed >= 0, "seed", self.seed, "a whole number from 0 on")
        for name, known in (("class_weights", CLASS_WEIGHTS), ("precision", PRECISIONS)):
            value = getattr(self, name)
            refuse_unless(value in known, name, value, f"one of: {', '.join(known)}")

    def to_json(self) -> dict[str, Any]:
        """All settings by their names."""
        return asdict(self)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def refuse_unless(holds: bool, name: str, value: object, allowed: str) -> None:
    """Raise a `UsageError` that names a setting, its value and what is allowed, unless it holds."""
    if not holds:
        raise UsageError(f"{name}={value!r}; give {allowed}")


#: What suits random weights: nothing is known yet that could be lost.
FROM_SCRATCH = Plan(epochs=60, batch=32, rate=3e-4, head_rate=1e-3, layer_decay=1.0, patience=15)
