"""The curves of a recogniser's training as a picture: the loss, and errors on what is held out, by epoch."""

from __future__ import annotations

from pathlib import Path

from sonovec.charts import ACCENT, INK, PALE
from sonovec.learn.tuning.curves import Line, Panel, draw_epochs
from sonovec.speech.training.result import Trained


def draw(result: Trained, target: Path) -> None:
    """Draw a run to a PNG file.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    UsageError
        If the file cannot be written.
    """
    loss = Panel(
        "loss by character",
        [
            Line("training", PALE, lambda epoch: epoch["loss"]),
            # Before the first epoch the loss is so high that nothing else could be seen.
            Line("held out", ACCENT, lambda epoch: epoch["held_out"]["loss"] if epoch["number"] else None),
        ],
    )
    errors = Panel(
        "errors on what is held out, %",
        [
            Line("WER", ACCENT, lambda epoch: 100 * epoch["held_out"]["wer"]),
            Line("CER", INK, lambda epoch: 100 * epoch["held_out"]["cer"]),
        ],
        low=0.0,
    )
    title = f"{result.recogniser.name}, from {result.base}: epoch {result.best} was taken"
    draw_epochs(result.epochs, [loss, errors], "epoch", result.best, title, target)
