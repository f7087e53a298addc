"""The curves of a run as a picture: the loss, and what is held out, by epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sonovec.evaluation.chart import ACCENT, INK, PALE, check_target, save
from sonovec.extras import require
from sonovec.learn.tuning.result import FineTuned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["check_target", "draw", "finish", "line"]


def draw(result: FineTuned, target: Path) -> None:
    """Draw a run to a PNG file.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    UsageError
        If the file cannot be written.
    """
    require("matplotlib", "drawing", "evaluate")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = [epoch["number"] for epoch in result.epochs]
    trained = [(epoch["number"], epoch["loss"]) for epoch in result.epochs if epoch["loss"] is not None]
    line(left, [number for number, _ in trained], [value for _, value in trained], "training, changed sounds", PALE)
    line(left, numbers, [epoch["held_out"]["loss"] for epoch in result.epochs], "held out", ACCENT)
    left.set_ylabel("loss")
    for name, colour in (("average_precision", ACCENT), ("accuracy", INK)):
        values = [epoch["held_out"][name] for epoch in result.epochs]
        if None not in values:
            line(right, numbers, values, name.replace("_", " "), colour)
    right.set_ylabel("held out")
    right.set_ylim(min(0.5, right.dataLim.ymin), 1.02)  # so that one sound more or less is no cliff
    for axes in (left, right):
        axes.set_xlabel("epoch (0: the head alone)")
    finish(figure, result.best, f"{result.encoder.name}, from {result.base}: epoch {result.best} was taken", target)


def finish(figure: Figure, best: int, title: str, target: Path) -> None:
    """Mark the best epoch in each part of a figure, and write it."""
    for axes in figure.axes:
        axes.axvline(best, color=PALE, linewidth=1, linestyle=":")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    save(figure, target)


def line(axes: Axes, numbers: list[int], values: list[float], name: str, colour: str) -> None:
    """Draw values by epoch."""
    axes.plot(numbers, values, color=colour, label=name, linewidth=1.6, marker="o", markersize=3)
