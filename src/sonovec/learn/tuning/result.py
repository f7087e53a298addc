"""What a fine-tuning gave: the encoder and the detector, and how they came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sonovec.brief import Brief
from sonovec.learn.tuning.plan import Plan
from sonovec.paths import to_text


@dataclass(frozen=True, repr=False)
class FineTuned(Brief):
    """An encoder that was fine-tuned; see `finetune`.

    Attributes
    ----------
    encoder : Path
        The folder that `sonovec.load` takes.
    detector : Path
        The folder of the detector that was trained with it.
    base : str
        The model that it was made of.
    classes : tuple of str
    plan : Plan
    layers : tuple of str
        Those that were trained, in order; none where the head was trained alone.
    trained_weights, all_weights : int
        Numbers of the network that were trained, and all.
    stretches, held_out : int
        Labelled stretches that were trained on, and that were held out.
    held_out_groups : tuple of str
    epochs : tuple of mapping
        For each: its number, the mean loss of its steps, and the figures of what is held out. The 0th is the head alone, on
        the encoder as it was.
    best : int
        The epoch whose weights were taken.
    precision, device : str
    resumed_at : int
        The step from which the last call went on; 0 for a run in one piece.
    seconds : float
        Of the last call.
    notes : tuple of str
    """

    encoder: Path
    detector: Path
    base: str
    classes: tuple[str, ...]
    plan: Plan
    layers: tuple[str, ...]
    trained_weights: int
    all_weights: int
    stretches: int
    held_out: int
    held_out_groups: tuple[str, ...]
    epochs: tuple[dict[str, Any], ...]
    best: int
    precision: str
    device: str
    resumed_at: int
    seconds: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {**asdict(self), "encoder": to_text(self.encoder), "detector": to_text(self.detector)}


def told(epochs: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    """Epochs of a run as plain values."""
    return tuple(asdict(epoch) for epoch in epochs)
