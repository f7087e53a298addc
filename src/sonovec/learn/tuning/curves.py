"""The curves of a run as a picture: the loss, and what is held out, by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonovec.charts import ACCENT, INK, PALE, empty, save
from sonovec.learn.tuning.result import FineTuned

#: What became of an epoch, as the report keeps it.
Epoch = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A curve: its name, its colour, and its value of an epoch, which may be None."""

    name: str
    colour: str
    value: Callable[[Epoch], float | None]


@dataclass(frozen=True)
class Panel:
    """Curves with one axis, which begins at `low` or below, and ends at `high`."""

    label: str
    lines: Sequence[Line]
    low: float | None = None
    high: float | None = None


def draw(result: FineTuned, target: Path) -> None:
    """Draw a run to a PNG file.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    UsageError
        If the file cannot be written.
    """
    loss = Panel(
        "loss",
        [
            Line("training, changed sounds", PALE, lambda epoch: epoch["loss"]),
            Line("held out", ACCENT, lambda epoch: epoch["held_out"]["loss"]),
        ],
    )
    # The axis is never so fine that one sound more or less is a cliff.
    scores = Panel(
        "held out",
        [
            Line("average precision", ACCENT, lambda epoch: epoch["held_out"]["average_precision"]),
            Line("accuracy", INK, lambda epoch: epoch["held_out"]["accuracy"]),
        ],
        low=0.5,
        high=1.02,
    )
    title = f"{result.encoder.name}, from {result.base}: epoch {result.best} was taken"
    draw_epochs(result.epochs, [loss, scores], "epoch (0: the head alone)", result.best, title, target)


def draw_epochs(
    epochs: Iterable[Epoch], panels: Sequence[Panel], label: str, best: int, title: str, target: Path
) -> None:
    """Draw curves side by side to a PNG file, with the epoch that was taken marked in each; see `draw`."""
    figure, epochs = empty(9, 3.6), list(epochs)
    for axes, panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for line in panel.lines:
            points = [(epoch["number"], value) for epoch in epochs if (value := line.value(epoch)) is not None]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    color=line.colour,
                    label=line.name,
                    linewidth=1.6,
                    marker="o",
                    markersize=3,
                )
        axes.set(xlabel=label, ylabel=panel.label)
        if panel.low is not None:
            axes.set_ylim(min(panel.low, axes.dataLim.ymin), panel.high)
        axes.axvline(best, color=PALE, linewidth=1, linestyle=":")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    save(figure, target)
