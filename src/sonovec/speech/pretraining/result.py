"""What a pre-training gave: the encoder, and how it came about."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sonovec.brief import Brief
from sonovec.paths import to_text
from sonovec.speech.pretraining.plan import Plan


@dataclass(frozen=True, repr=False)
class PreTrained(Brief):
    """An encoder that was pre-trained; see `pretrain`.

    Attributes
    ----------
    encoder : Path
        The folder that `sonovec.load` and ``transformers`` take.
    base : str
        Its size, or the checkpoint that it was continued from.
    plan : Plan
    weights : int
        Numbers of the network, the quantiser with them.
    codes : int
        In each group of the quantiser.
    files : int
    minutes : float
        Of sound that was learned from.
    held_out_minutes : float
        Of sound that was measured on.
    rows : tuple of mapping
        What was measured, from before the first step to the last; see `sonovec.speech.pretraining.training.Row`.
    precision, device : str
    resumed_at : int
        The step from which the last call went on; 0 for a run in one piece.
    seconds : float
        Of the last call.
    notes : tuple of str
    """

    encoder: Path
    base: str
    plan: Plan
    weights: int
    codes: int
    files: int
    minutes: float
    held_out_minutes: float
    rows: tuple[dict[str, Any], ...]
    precision: str
    device: str
    resumed_at: int
    seconds: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {**asdict(self), "encoder": to_text(self.encoder)}
