"""How an encoder is pre-trained: what the user chooses, checked."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from sonovec.learn.tuning.plan import PRECISIONS, is_whole, refuse_unless


@dataclass(frozen=True)
class Plan:
    """Settings of a run; all of them shape its result, so a run resumes only with the same.

    The defaults are those of the paper (Baevski et al. 2020, "wav2vec 2.0") but for what its runs on 64 GPUs need.

    Attributes
    ----------
    steps : int
        All changes of the weights; a multiple of `every`.
    every : int
        Steps from one measurement on held-out sound to the next.
    batch : float
        Seconds of sound in a step.
    longest : float
        Seconds of the longest crop.
    rate : float
        Highest learning rate.
    warmup : float
        Share of all steps in which the rate rises; then it falls to zero along a cosine.
    weight_decay : float
    clip : float
        Largest norm of a gradient.
    mask : float
        Share of the frames that would be masked if spans did not overlap.
    span : int
        Frames of a masked span; in a crop of up to two spans, one, of at most half of its frames.
    diversity : float
        Weight of the loss that wants all codes to be used.
    penalty : float
        Weight of the mean square of the features. It keeps them from growing; where a layer norm holds them, as in the sizes
        here, it has nothing to do.
    feature_rate : float
        Share of the rate that the convolutions learn with. The paper's code scales their gradient instead, which an optimiser
        of Adam's kind undoes.
    hottest, coldest : float
        Temperature of the Gumbel softmax at the first and at the last step; it falls by the same factor in each.
    tolerance : int
        Steps behind the warm-up after which a run that has collapsed ends.
    held_out : float
        Share of the sound that is measured on, at most `MEASURED` seconds of it.
    precision : {"auto", "f32", "bf16"}
    seed : int
    """

    steps: int = 20000
    every: int = 100
    batch: float = 40.0
    longest: float = 10.0
    rate: float = 5e-4
    warmup: float = 0.08
    weight_decay: float = 0.01
    clip: float = 5.0
    mask: float = 0.65
    span: int = 10
    diversity: float = 0.1
    penalty: float = 0.0
    feature_rate: float = 0.1
    hottest: float = 2.0
    coldest: float = 0.5
    tolerance: int = 500
    held_out: float = 0.05
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("steps", 1), ("every", 1), ("span", 2), ("tolerance", 1), ("seed", 0)):
            value = getattr(self, name)
            refuse_unless(is_whole(value) and value >= low, name, value, f"a whole number from {low} on")
        for name in ("batch", "longest", "rate", "clip", "coldest"):
            refuse_unless(0 < (value := getattr(self, name)) < math.inf, name, value, "a number above 0")
        for name in ("weight_decay", "diversity", "penalty", "feature_rate"):
            refuse_unless(0 <= (value := getattr(self, name)) < math.inf, name, value, "a number from 0 on")
        for name, most in (("warmup", 1.0), ("held_out", 0.5)):
            refuse_unless(0 <= (value := getattr(self, name)) <= most, name, value, f"a number from 0 to {most:g}")
        refuse_unless(0 < self.mask < 1, "mask", self.mask, "a number between 0 and 1")
        refuse_unless(self.hottest >= self.coldest, "hottest", self.hottest, f"at least coldest={self.coldest:g}")
        refuse_unless(self.batch >= self.longest, "batch", self.batch, f"at least longest={self.longest:g}")
        refuse_unless(self.precision in PRECISIONS, "precision", self.precision, f"one of: {', '.join(PRECISIONS)}")
        rows = max(1, self.steps // self.every) * self.every
        refuse_unless(self.steps == rows, "steps", self.steps, f"a multiple of every={self.every}, such as {rows}")

    # What the loop asks for: an epoch is what lies between two measurements, and no run ends for want of a better one.

    @property
    def epochs(self) -> int:
        """Measurements behind the first step."""
        return self.steps // self.every

    @property
    def patience(self) -> int:
        """More than there are measurements."""
        return self.epochs + 1

    def temperature(self, step: int) -> float:
        """Of the Gumbel softmax at a step.

        Examples
        --------
        >>> [round(Plan(steps=200).temperature(step), 3) for step in (0, 100, 200)]
        [2.0, 1.0, 0.5]
        """
        return float(self.hottest * (self.coldest / self.hottest) ** (step / self.steps))

    def to_json(self) -> dict[str, Any]:
        """All settings by their names."""
        return asdict(self)


#: What suits a size better than the defaults.
SUITED: dict[str, dict[str, Any]] = {
    "tiny": {"rate": 1e-3, "longest": 8.0, "batch": 20.0, "mask": 0.5, "span": 5, "diversity": 0.05}
}
