"""Clusters as a picture: the numbers of them that were tried, and how large and how far apart they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sonovec.brief import shortened
from sonovec.charts import ACCENT, INK, PALE, SECOND, check_target, empty, save
from sonovec.explore.clustering import Clusters
from sonovec.paths import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME_LENGTH = 28


def draw_clusters(result: Clusters, target: Path) -> None:
    """Draw clusters to a PNG file.

    Left, silhouette, stability and their product by the number of clusters, with the number that was chosen; right, the
    size of each cluster, and how many of its tracks lie far out.

    Parameters
    ----------
    result : Clusters
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


def make_figure(result: Clusters) -> Figure:
    """Make the figure that `draw_clusters` writes, on a canvas of its own."""
    height = max(3.6, 0.28 * len(result.clusters) + 1.4)
    both = bool(result.trials)
    figure = empty(11 if both else 6, height)
    if both:
        _trials(figure.add_subplot(1, 2, 1), result)
    _sizes(figure.add_subplot(1, 2 if both else 1, 2 if both else 1), result)
    return figure


def _trials(axes: Axes, result: Clusters) -> None:
    counts = [trial.count for trial in result.trials]
    lines = (
        ("stability", [trial.stability for trial in result.trials], PALE),
        ("silhouette", [trial.silhouette for trial in result.trials], SECOND),
        ("product: the highest is taken", [trial.score for trial in result.trials], ACCENT),
    )
    for name, values, colour in lines:
        axes.plot(counts, values, "o-", color=colour, label=name, markersize=3.5)
    axes.axvline(len(result.clusters), color=INK, linewidth=0.8, linestyle=":")
    axes.annotate(
        f"{len(result.clusters)} clusters",
        (len(result.clusters), 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(3, -4),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=INK,
    )
    axes.set(xlabel="number of clusters", ylim=(min(0.0, *(v for _, values, _ in lines for v in values)), 1.05))
    axes.legend(fontsize=8, frameon=False, loc="center right")
    _plain(axes)


def _sizes(axes: Axes, result: Clusters) -> None:
    names = [shortened(printable(each.name), NAME_LENGTH) for each in result.clusters]
    sizes, far = [len(each.tracks) for each in result.clusters], [len(each.outliers) for each in result.clusters]
    colours = [ACCENT] * len(names)
    if result.outliers:
        names, sizes, far, colours = [*names, "(none)"], [*sizes, len(result.outliers)], [*far, 0], [*colours, PALE]
    places = range(len(names))
    axes.barh(places, sizes, color=colours, height=0.7)
    axes.barh(places, far, color=SECOND, height=0.7, label="far out in it")
    axes.set_yticks(places, [name.replace("$", r"\$") for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="tracks")
    if any(far):
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
