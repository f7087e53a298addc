"""The report of a training as one picture: precision and recall, calibration, learning curve, confusion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sonovec.brief import shortened
from sonovec.charts import ACCENT, INK, NAME_LENGTH, PALE, check_target, empty, save
from sonovec.learn.calibration import Calibration
from sonovec.learn.outcomes import NONE
from sonovec.learn.report import Report, percent
from sonovec.paths import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours of the classes that are named; the others are pale.
COLOURS = ("#2367a8", "#c05a2b", "#4a9a5b", "#8a5fb0", "#b8932f", "#3c9d9b", "#b04a76", "#6b7785")
#: With more classes than this, numbers do not fit into the confusion.
MOST_WRITTEN = 24


def draw(report: Report, title: str, target: Path) -> None:
    """Draw a report to a PNG file.

    Parameters
    ----------
    report : Report
    title : str
        Such as the detector's name and what it was trained on.
    target : Path
        Ends in ``.png``; replaced if it exists.

    Raises
    ------
    UsageError
        If `target` has another ending or cannot be written.
    MissingExtraError
        If Matplotlib is not installed.
    """
    check_target(target)
    save(make_figure(report, title), target)


def make_figure(report: Report, title: str) -> Figure:
    """Make the figure that `draw` writes, on a canvas of its own."""
    side = max(4.6, 0.42 * (len(report.classes) + 1) + 1.6)
    figure = empty(10 + 1.15 * side, 8)
    figure.suptitle(_plain(title), fontsize=11, color=INK)
    grid = figure.add_gridspec(2, 3, width_ratios=[5, 5, 1.15 * side])
    _precision_recall(figure.add_subplot(grid[0, :2]), report)
    _calibration(figure.add_subplot(grid[1, 0]), report)
    _learning(figure.add_subplot(grid[1, 1]), report)
    _confusion(figure.add_subplot(grid[:, 2]), report)
    return figure


def _plain(text: str) -> str:
    return printable(text).replace("$", r"\$")  # which would begin a formula


def _short(name: str) -> str:
    return _plain(shortened(name, NAME_LENGTH, "…"))


def _precision_recall(axes: Axes, report: Report) -> None:
    """The worst classes in colour, since they are what to work on; of a few classes all."""
    counted = [each for each in report.classes if each.average_precision]
    worst = sorted(counted, key=lambda each: each.average_precision.value if each.average_precision else 0)
    colours = {each.name: colour for each, colour in zip(worst, COLOURS, strict=False)}
    for each in reversed(worst):
        recall, precision = np.array(report.curves[each.name]).T
        named = each.name in colours
        axes.plot(
            np.concatenate([[0], 100 * recall]),
            np.concatenate([[100 * precision[0]], 100 * precision]),
            color=colours.get(each.name, PALE),
            linewidth=1.6 if named else 0.8,
            label=f"{_short(each.name)}: AP {percent(each.average_precision)} %" if named else None,
            zorder=3 if named else 2,
        )
        if each.recall and each.precision:
            axes.plot(
                100 * each.recall.value,
                100 * each.precision.value,
                "o",
                markersize=4,
                color=colours.get(each.name, PALE),
            )
    more = len(worst) - len(colours)
    axes.set_title(
        "Precision and recall; a dot: thresholds of other folds" + (f" (pale: {more} better classes)" if more else ""),
        fontsize=10,
    )
    _percents(axes, "recall, %", "precision, %")
    if counted:
        axes.legend(fontsize=8, loc="lower left")
    else:
        _say(axes, "no class could be held out")


def _calibration(axes: Axes, report: Report) -> None:
    axes.plot([0, 100], [0, 100], color=PALE, linewidth=1, linestyle=":")
    told: list[tuple[Calibration | None, str, str]] = [
        (report.calibration, "all classes", ACCENT),
        (report.confidence, "most probable class", COLOURS[1]),
    ]
    for curve, name, colour in told:
        if curve is None:
            continue
        places = [100 * each.probability for each in curve.bins]
        shares = [100 * each.share for each in curve.bins]
        sizes = [min(160.0, 6 * each.count**0.5) for each in curve.bins]
        axes.plot(places, shares, color=colour, linewidth=0.8, alpha=0.4)  # a bin of one stretch says little
        axes.scatter(places, shares, s=sizes, color=colour, zorder=3, label=f"{name}: error {curve.error:.3f}")
    axes.set_title("Is a probability one? (larger dots: more stretches)", fontsize=10)
    _percents(axes, "probability, %", "share in which it is heard, %")
    if report.calibration:
        axes.legend(fontsize=8, loc="lower right")


def _learning(axes: Axes, report: Report) -> None:
    curve = report.learning_curve
    axes.set_title("Would more examples help?", fontsize=10)
    if curve is None:
        _percents(axes, "", "")
        _say(axes, "too few groups to leave some out")
        return
    scores = [point.mean_average_precision for point in curve.points]
    values = [100 * score.value for score in scores]
    spans = [
        [100 * (score.value - score.low) for score in scores],
        [100 * (score.high - score.value) for score in scores],
    ]
    axes.errorbar([point.stretches for point in curve.points], values, yerr=spans, fmt="o-", color=ACCENT, capsize=3)
    axes.set_xlim(left=0)
    axes.set_xlabel("stretches that were trained on")
    axes.set_ylabel("mean average precision, %")
    _dress(axes)


def _confusion(axes: Axes, report: Report) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    counts = np.array(report.confusion, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=LinearSegmentedColormap.from_list("shades", ["#ffffff", ACCENT]), vmin=0, vmax=1)
    if len(counts) <= MOST_WRITTEN:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.6 else INK
            axes.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", color=colour, fontsize=8)
    names = [*(_short(each.name) for each in report.classes), NONE]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlabel("detected")
    axes.set_ylabel("heard")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("What is taken for what (stretches)", fontsize=10)


def _percents(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(0, 101)
    axes.set_ylim(0, 103)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    _dress(axes)


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=INK, fontsize=10)


def _dress(axes: Axes) -> None:
    axes.grid(color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
