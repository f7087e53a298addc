"""A comparison of encoders as one picture: quality against time, and who agrees with whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonovec.brief import shortened
from sonovec.charts import ACCENT, INK, NAME_LENGTH, PALE, check_target, empty, save
from sonovec.evaluation.compare import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

# Where a label may stand, seen from its point, in points: near first, then further away with a line to it.
_NEAR = [(7, 0), (-7, 0), (0, 8), (0, -8), (6, 7), (-6, 7), (6, -7), (-6, -7)]
_PLACES = [(x * far, y * far) for far in (1, 2, 3, 4.5, 6, 8, 10) for x, y in _NEAR]


def draw(result: Comparison, target: Path) -> None:
    """Draw a comparison to a PNG file.

    Left, each encoder's probe accuracy with its 95 % interval, or its agreement with the others where there are no labels,
    against the seconds that it takes for an hour of audio. Right, `Comparison.agreement`.

    Parameters
    ----------
    result : Comparison
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
    save(make_figure(result), target)


def make_figure(result: Comparison) -> Figure:
    """Make the figure that `draw` writes, on a canvas of its own; with one encoder it has the left part alone."""
    names = [shortened(row.model, NAME_LENGTH, "…") for row in result.rows]
    words = 0.55 + 0.075 * max(map(len, names))
    side = max(4.4, len(names) * 0.62)
    widths = (6.4, side + words)[: len(names)]
    figure = empty(sum(widths), max(4.8, side * 0.8 + words), _layout())
    figure.suptitle(_heading(result), fontsize=11, color=INK)
    left, *right = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    for axes in right:
        _heat_map(axes, result, names)
    _scatter(left, result, names)
    return figure


def _layout() -> Any:
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)


def _heading(result: Comparison) -> str:
    classes = f", {len(result.classes)} classes" if result.classes else ""
    # A dollar sign would begin a formula.
    return f"{Path(result.folder).name}: {result.sounds} sounds{classes}".replace("$", r"\$")


# -- left


def _scatter(axes: Axes, result: Comparison, names: Sequence[str]) -> None:
    x = [row.seconds_per_hour for row in result.rows]
    y, low, high = zip(*_quality(result), strict=True)
    errors = [[v - a for v, a in zip(y, low, strict=True)], [b - v for v, b in zip(y, high, strict=True)]]
    axes.errorbar(x, y, yerr=errors, fmt="none", ecolor=PALE, elinewidth=1, capsize=3, zorder=1)
    axes.scatter(x, y, s=36, color=ACCENT, zorder=3)
    _dress(axes, result, x, min(low), max(high))
    axes.figure.canvas.draw()  # places everything, so that labels can be measured
    _name_points(axes, list(zip(x, y, strict=True)), list(zip(low, high, strict=True)), names)


def _quality(result: Comparison) -> list[tuple[float, float, float]]:
    """What is drawn upwards: the figure in percent and the ends of its interval, if it has one."""
    values = []
    for row in result.rows:
        value, low, high = 3 * [row.agreement or 0.0]
        if row.probe:
            value, low, high = row.probe.value, row.probe.low, row.probe.high
        values.append((100 * value, 100 * low, 100 * high))
    return values


def _dress(axes: Axes, result: Comparison, x: Sequence[float], bottom: float, top: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(min(x) / 2.5, max(x) * 2.5)
    steps = (1.0, 2.0, 5.0) if max(x) / min(x) < 200 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    room = max(2.0, 0.12 * (top - bottom))
    axes.set_ylim(bottom - room, top + room)
    axes.grid(color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("seconds for an hour of audio")
    labelled = not result.unlabelled
    axes.set_ylabel("probe accuracy, % (95 % interval)" if labelled else "agreement with the others, %")
    axes.set_title(
        "Higher is better; further left is faster" if labelled else "No labels: agreement is not quality", fontsize=10
    )


def _name_points(
    axes: Axes, points: Sequence[tuple[float, float]], spans: Sequence[tuple[float, float]], names: Sequence[str]
) -> None:
    """Put each name where it covers neither a point, an interval, nor another name, as near as can be."""
    from matplotlib.transforms import Bbox

    scale = axes.figure.dpi / 72
    centres = axes.transData.transform(points)
    taken = [Bbox.from_extents(x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale) for x, y in centres]
    for (x, _), (low, high) in zip(points, spans, strict=True):
        (left, bottom), (_, top) = axes.transData.transform([(x, low), (x, high)])
        taken.append(Bbox.from_extents(left - 2 * scale, bottom, left + 2 * scale, top))
    frame = axes.get_window_extent()
    for point, name in zip(points, names, strict=True):
        taken.append(_place(axes, name, point, taken, frame))


def _place(axes: Axes, name: str, point: tuple[float, float], taken: Sequence[Bbox], frame: Bbox) -> Bbox:
    label = axes.annotate(
        name,
        point,
        xytext=_PLACES[0],
        textcoords="offset points",
        fontsize=9,
        color=INK,
        zorder=4,
        in_layout=False,
        arrowprops={"arrowstyle": "-", "color": PALE, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 3},
    )
    for x, y in _PLACES:
        label.set_position((x, y))
        label.set_horizontalalignment("left" if x > 0 else "right" if x < 0 else "center")
        label.set_verticalalignment("bottom" if y > 0 else "top" if y < 0 else "center")
        box = _text_box(label)
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if inside and not box.count_overlaps(taken):
            break
    assert label.arrow_patch is not None
    label.arrow_patch.set_visible((x, y) not in _NEAR)
    return box


def _text_box(label: Any) -> Bbox:
    """Extent of the words alone, without the line to the point."""
    from matplotlib.text import Text

    label.update_positions(label.figure.canvas.get_renderer())
    return Text.get_window_extent(label)


# -- right


def _heat_map(axes: Axes, result: Comparison, names: Sequence[str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("shades", ["#ffffff", ACCENT])
    axes.imshow(result.agreement, cmap=shades, vmin=0, vmax=1)
    for row, shares in enumerate(result.agreement):
        for column, share in enumerate(shares):
            axes.text(
                column, row, f"{share:.2f}", ha="center", va="center", color="white" if share > 0.8 else INK, fontsize=9
            )
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    chance = f"{result.agreement_by_chance:.2f} by chance"
    axes.set_title(f"Share of the {result.agreement_k} nearest in common ({chance})", fontsize=10)
