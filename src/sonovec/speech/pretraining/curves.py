"""The curves of a pre-training as a picture: loss, accuracy, codes, and what the optimiser does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonovec.charts import ACCENT, INK, PALE, empty, save
from sonovec.speech.pretraining.result import PreTrained

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(result: PreTrained, target: Path) -> None:
    """Draw a run to a PNG file.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    UsageError
        If the file cannot be written.
    """
    figure = empty(9, 6)
    (loss, right), (codes, steps) = figure.subplots(2, 2, sharex=True)
    rows = result.rows
    for axes, name in ((loss, "contrastive"), (right, "accuracy")):
        _line(axes, rows, f"learned_{name}", "learned from", PALE)
        _line(axes, rows, name, "held out", ACCENT)
    _line(right, rows, "chance", "by guessing", INK)
    for group in range(len(rows[-1]["learned_perplexity"])):
        colour = (ACCENT, INK, PALE)[group % 3]
        _line(codes, rows, "learned_perplexity", f"group {group + 1}", colour, group)
    codes.axhline(result.codes, color=PALE, linewidth=1, linestyle=":")
    _line(steps, rows, "gradient", "gradient norm", PALE)
    rates = steps.twinx()
    _line(rates, rows, "rate", "learning rate", ACCENT)
    for axes, name in ((loss, "contrastive loss"), (right, "right"), (codes, "codes used (perplexity)")):
        axes.set_ylabel(name)
        axes.legend(frameon=False, fontsize=9)
    steps.set_ylabel("gradient norm")
    rates.set_ylabel("learning rate", color=ACCENT)
    for axes in (codes, steps):
        axes.set_xlabel("step")
        axes.set_ylim(bottom=0)
    for axes in (loss, right, codes, steps):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{result.encoder.name}, from {result.base}: {result.minutes / 60:.1f} hours of sound", fontsize=11)
    save(figure, target)


def _line(
    axes: Axes, rows: tuple[dict[str, Any], ...], field: str, name: str, colour: str, group: int | None = None
) -> None:
    known = [(row["step"], row[field]) for row in rows if row[field] not in (None, ())]
    values = [value if group is None else value[group] for _, value in known]
    axes.plot([step for step, _ in known], values, color=colour, label=name, linewidth=1.6)
