"""The curves of a recogniser's training as a picture: the loss, and errors on what is held out, by epoch."""

from __future__ import annotations

from pathlib import Path

from sonovec.evaluation.chart import ACCENT, INK, PALE
from sonovec.extras import require
from sonovec.learn.tuning.curves import check_target, finish, line
from sonovec.speech.training.result import Trained

__all__ = ["check_target", "draw"]


def draw(result: Trained, target: Path) -> None:
    """Draw a run to a PNG file.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    UsageError
        If the file cannot be written.
    """
    require("matplotlib", "a picture of the curves", "evaluate")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = [epoch["number"] for epoch in result.epochs]
    trained = [(epoch["number"], epoch["loss"]) for epoch in result.epochs if epoch["loss"] is not None]
    line(left, [number for number, _ in trained], [value for _, value in trained], "training", PALE)
    line(left, numbers[1:], [epoch["held_out"]["loss"] for epoch in result.epochs[1:]], "held out", ACCENT)
    left.set_ylabel("loss by character")
    for name, colour in (("wer", ACCENT), ("cer", INK)):
        line(right, numbers, [100 * epoch["held_out"][name] for epoch in result.epochs], name.upper(), colour)
    right.set_ylabel("errors on what is held out, %")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel("epoch")
    finish(figure, result.best, f"{result.recogniser.name}, from {result.base}: epoch {result.best} was taken", target)
