"""An evaluation as tables in Markdown, which model cards are filled from, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from sonovec.charts import ACCENT, INK, PALE, SECOND, check_target, empty, save
from sonovec.errors import UsageError
from sonovec.evaluation.evaluate import Evaluation, Point
from sonovec.evaluation.metrics import Score
from sonovec.evaluation.perturb import PERTURBATIONS
from sonovec.paths import check_output, display, from_text, output, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Between these lines of a file its tables are replaced; the rest of it stays.
BEGIN, END = "<!-- evaluate: begin -->", "<!-- evaluate: end -->"
#: What is drawn of each point, and how.
SERIES = {
    "probe": ("probe", ACCENT),
    "knn": ("5-NN", SECOND),
    "p10": ("P@10", "#4a9a5b"),
    "cosine": ("cosine", PALE),
}


def headline(result: Evaluation) -> dict[str, Score]:
    """The four measures of clean sounds by their names."""
    return {
        "probe": result.probe,
        "5-NN": result.knn,
        "mAP": result.mean_average_precision,
        "P@10": result.p10,
    }


def percent(score: Score) -> str:
    """A share in percent, with its interval.

    Examples
    --------
    >>> percent(Score(0.95, 0.93, 0.97, 400))
    '95.0 (93.0-97.0)'
    """
    return f"{100 * score.value:.1f} ({100 * score.low:.1f}-{100 * score.high:.1f})"


def rows(result: Evaluation) -> list[tuple[str, ...]]:
    """Clean sounds, then a row for each level of each perturbation: what, probe, 5-NN, P@10, cosine."""
    clean = ("clean", percent(result.probe), percent(result.knn), percent(result.p10), "1")
    return [clean, *(_row(point) for point in result.robustness)]


COLUMNS = ("sounds", "probe %", "5-NN %", "P@10 %", "cosine with clean")


def _row(point: Point) -> tuple[str, ...]:
    what = f"{point.kind} {point.level:g} {point.unit}"
    return (what, percent(point.probe), percent(point.knn), percent(point.p10), f"{point.cosine.value:.3f}")


def markdown(result: Evaluation) -> str:
    """Everything as tables in Markdown."""
    about = f"`{result.model}` on {_about(result)}, folds {result.folds}; in brackets 95 % intervals."
    head = _table(list(headline(result)), [[percent(score) for score in headline(result).values()]])
    classes = _table(["class", "sounds", "probe %"], [_class(result, name) for name in result.by_class])
    mistakes = [[label, taken, str(count)] for label, taken, count in result.confusions]
    parts = [about, head, classes]
    if mistakes:
        parts.append(_table(["class", "taken for", "sounds"], mistakes))
    if result.robustness:
        parts.append(_table(COLUMNS, rows(result)))
    return "\n\n".join(parts) + "\n"


def _class(result: Evaluation, name: str) -> list[str]:
    return [name, str(result.classes[name]), f"{100 * result.by_class[name]:.1f}"]


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    cells = [columns, ["---"] * len(columns), *lines]
    return "\n".join("| " + " | ".join(printable(cell).replace("|", "\\|") for cell in line) + " |" for line in cells)


def write_markdown(result: Evaluation, target: Path) -> None:
    """Write the tables to a file, or between its marks `BEGIN` and `END`; of other files nothing is replaced.

    Raises
    ------
    UsageError
        If the file is there and has no such marks, or cannot be written.
    """
    before, after = check_markdown(target)
    with output(target) as (temporary,):
        temporary.write_text(before + markdown(result) + after, encoding="utf-8", errors="surrogateescape")


def check_markdown(target: Path) -> tuple[str, str]:
    """What stands before and after the tables in a file; refuses one that they have no place in, before any work is done."""
    check_output(target)
    if not target.is_file():
        return "", ""
    before, begin, rest = target.read_text(encoding="utf-8", errors="surrogateescape").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(f"{display(target)} exists and has no lines {BEGIN} and {END}; add them, or give another name")
    return f"{before}{BEGIN}\n\n", f"\n{END}{after}"


def draw(result: Evaluation, target: Path) -> None:
    """Draw an evaluation to a PNG file: clean sounds on the left, then a panel for each perturbation.

    Raises
    ------
    UsageError
        If `target` does not end in ``.png`` or cannot be written.
    MissingExtraError
        If Matplotlib is not installed.
    """
    check_target(target)
    save(make_figure(result), target)


def make_figure(result: Evaluation) -> Figure:
    """Make the figure that `draw` writes."""
    curves = [list(points) for _, points in groupby(result.robustness, key=lambda point: point.kind)]
    columns = max(1, (len(curves) + 1) // 2)
    figure = empty(5 + 3 * columns * bool(curves), 6)
    figure.suptitle(_title(result), fontsize=11, color=INK)
    grid = figure.add_gridspec(2, 1 + columns * bool(curves), width_ratios=[1.3, *[1.0] * columns * bool(curves)])
    _bars(figure.add_subplot(grid[:, 0]), result)
    for number, points in enumerate(curves):
        _curve(figure.add_subplot(grid[number % 2, 1 + number // 2]), result, points, legend=number == 0)
    return figure


def _title(result: Evaluation) -> str:
    return f"{result.model} on {_about(result)}".replace("$", r"\$")  # which would begin a formula


def _about(result: Evaluation) -> str:
    return f"{display(from_text(result.dataset).resolve().name)}: {result.sounds} sounds, {len(result.classes)} classes"


def _bars(axes: Axes, result: Evaluation) -> None:
    scores = headline(result)
    values = [100 * score.value for score in scores.values()]
    spans = [
        [100 * (score.value - score.low) for score in scores.values()],
        [100 * (score.high - score.value) for score in scores.values()],
    ]
    axes.bar(list(scores), values, color=ACCENT, width=0.6)
    axes.errorbar(list(scores), values, yerr=spans, fmt="none", ecolor=INK, capsize=4)
    for place, value in enumerate(values):
        axes.text(place, 2, f"{value:.1f}", ha="center", color="white", fontsize=10)
    axes.set_ylim(0, 103)
    axes.set_title("Clean sounds, % (95 % intervals)", fontsize=10)
    _dress(axes)


def _curve(axes: Axes, result: Evaluation, points: Sequence[Point], legend: bool) -> None:
    places = range(len(points))
    for name, (label, colour) in SERIES.items():
        scores = [getattr(point, name) for point in points]
        values = [100 * score.value for score in scores]
        spans = [
            [100 * (score.value - score.low) for score in scores],
            [100 * (score.high - score.value) for score in scores],
        ]
        axes.errorbar(
            places, values, yerr=spans, fmt="o-", color=colour, markersize=4, capsize=2, label=label, linewidth=1.2
        )
        if name != "cosine":
            axes.axhline(100 * getattr(result, name).value, color=colour, linestyle=":", linewidth=1)
    axes.set_xticks(places, [f"{point.level:g}" for point in points])
    axes.set_xlim(-0.5, len(points) - 0.5)
    axes.set_ylim(0, 103)
    axes.set_title(f"{points[0].kind}: {PERTURBATIONS[points[0].kind].meaning} ({points[0].unit})", fontsize=9)
    if legend:
        axes.legend(fontsize=8, loc="lower left")
    _dress(axes)


def _dress(axes: Axes) -> None:
    axes.grid(color="#e4e7eb", linewidth=0.8, axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
