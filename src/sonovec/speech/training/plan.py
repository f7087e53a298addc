"""How a recogniser is trained: what the user chooses, checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sonovec.learn.tuning.plan import PRECISIONS, is_whole, refuse_unless

#: What becomes of the convolutions that hear the waveform.
FROZEN, TRAINED = FRONT_ENDS = ("frozen", "trained")


@dataclass(frozen=True)
class Plan:
    """Settings of a run; all of them shape its result, so a run resumes only with the same.

    Attributes
    ----------
    epochs : int
        Passes over the utterances.
    batch : int
        Utterances of a step.
    rate : float
        Highest learning rate of the encoder.
    head_rate : float
        The same of the layer that gives characters.
    head_first : float
        Share of all steps in which only that layer is trained.
    front_end : {"frozen", "trained"}
        Whether the convolutions that hear the waveform are trained too.
    weight_decay : float
    warmup : float
        Share of all steps in which the rates rise; then they fall to zero along a cosine.
    clip : float
        Largest norm of a gradient.
    dropout : float
        Share of what goes through the layers that is left out at random.
    mask : float
        Share of the frames that are masked, as SpecAugment does (Park et al. 2019).
    mask_length : int
        Frames of one mask.
    augment : float
        How often a recording is changed in each way before it is heard; 0 for never.
    speed : float
        How much faster or slower each utterance is heard at most, drawn anew each time (Ko et al. 2015); 0 for never.
    patience : int
        Epochs without a better result on what is held out, after which the run ends.
    held_out : float
        Share of the utterances that are held out, whole speakers at a time.
    longest : float
        Seconds; longer utterances are not trained on.
    precision : {"auto", "f32", "bf16"}
    seed : int
    """

    epochs: int = 20
    batch: int = 16
    rate: float = 1e-4
    head_rate: float = 1e-3
    head_first: float = 0.1
    front_end: str = FROZEN
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    dropout: float = 0.05
    mask: float = 0.05
    mask_length: int = 10
    augment: float = 0.0
    speed: float = 0.0
    patience: int = 10
    held_out: float = 0.1
    longest: float = 30.0
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience", "mask_length"):
            refuse_unless(is_whole(value := getattr(self, name)) and value > 0, name, value, "a whole number from 1 on")
        for name in ("rate", "head_rate", "clip", "longest"):
            refuse_unless((value := getattr(self, name)) > 0, name, value, "a number above 0")
        for name in ("warmup", "augment", "head_first"):
            refuse_unless(0 <= (value := getattr(self, name)) <= 1, name, value, "a number from 0 to 1")
        for name in ("dropout", "mask"):
            refuse_unless(0 <= (value := getattr(self, name)) <= 0.9, name, value, "a number from 0 to 0.9")
        refuse_unless(0 <= self.speed <= 0.5, "speed", self.speed, "a number from 0 to 0.5")
        refuse_unless(0 < self.held_out <= 0.9, "held_out", self.held_out, "a number above 0 and at most 0.9")
        refuse_unless(self.weight_decay >= 0, "weight_decay", self.weight_decay, "a number from 0 on")
        refuse_unless(is_whole(self.seed) and self.seed >= 0, "seed", self.seed, "a whole number from 0 on")
        for name, known in (("front_end", FRONT_ENDS), ("precision", PRECISIONS)):
            value = getattr(self, name)
            refuse_unless(value in known, name, value, f"one of: {', '.join(known)}")

    def to_json(self) -> dict[str, Any]:
        """All settings by their names."""
        return asdict(self)


#: What suits random weights: the convolutions have to learn too, and nothing is known yet that could be lost.
FROM_SCRATCH = Plan(epochs=60, rate=1e-3, head_first=0.0, front_end=TRAINED, patience=20)
