"""What the training of a recogniser gave, and how it came about."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sonovec.brief import Brief
from sonovec.paths import to_text
from sonovec.speech.training.measure import Scores
from sonovec.speech.training.plan import Plan


@dataclass(frozen=True, repr=False)
class Trained(Brief):
    """A recogniser that was trained; see `train`.

    Attributes
    ----------
    recogniser : Path
        The folder.
    base : str
        What it was made of.
    vocabulary : tuple of str
        The tokens by their numbers.
    plan : Plan
    trained_weights, all_weights : int
    utterances, held_out : int
        Those that were trained on, and that were held out.
    held_out_groups : tuple of str
    seconds_heard : float
        Sound of the utterances that were trained on.
    epochs : tuple of mapping
        For each: its number, the mean loss of its steps, and the figures of what is held out. The 0th is before the first
        step.
    best : int
        The epoch whose weights were taken.
    held_out_scores : Scores
        Of the weights that were taken; a little too good, for they were chosen by them.
    test_scores : Scores or None
        Of sounds that had no part in it.
    precision, device : str
    resumed_at : int
        The step from which the last call went on; 0 for a run in one piece.
    seconds : float
        Of the last call.
    notes : tuple of str
    """

    recogniser: Path
    base: str
    vocabulary: tuple[str, ...]
    plan: Plan
    trained_weights: int
    all_weights: int
    utterances: int
    held_out: int
    held_out_groups: tuple[str, ...]
    seconds_heard: float
    epochs: tuple[dict[str, Any], ...]
    best: int
    held_out_scores: Scores
    test_scores: Scores | None
    precision: str
    device: str
    resumed_at: int
    seconds: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            **asdict(self),
            "recogniser": to_text(self.recogniser),
            "held_out_scores": self.held_out_scores.to_json(),
            "test_scores": self.test_scores and self.test_scores.to_json(),
        }
