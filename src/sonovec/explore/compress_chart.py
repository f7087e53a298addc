"""What smaller vectors cost, as a picture: recall against bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sonovec.charts import ACCENT, INK, PALE, check_target, empty, save
from sonovec.explore.compress_report import CompressionReport, Cost

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Marks of what is compared: spaces, and the indices of the two stores.
MARKS = {"space": "o", "lancedb": "s", "milvus": "D"}
NAMES = {"space": "space, searched alone", "lancedb": "index of LanceDB", "milvus": "index of Milvus Lite"}
WARM = "#c2571a"


def draw(report: CompressionReport, target: Path) -> None:
    """Draw a report to a PNG file.

    Raises
    ------
    UsageError
        If `target` has another ending or cannot be written.
    MissingExtraError
        If Matplotlib is not installed.
    """
    check_target(target)
    save(make_figure(report), target)


def make_figure(report: CompressionReport) -> Figure:
    """The figure that `draw` writes: left recall, right, where there are labels, retrieval."""
    has_labels = any(row.mean_average_precision is not None for row in report.rows)
    figure = empty(12.5 if has_labels else 7.5, 5.2)
    figure.suptitle(
        f"{report.model}: {report.searched} sounds searched, fitted to {report.fitted} others", fontsize=11, color=INK
    )
    axes = figure.subplots(1, 2 if has_labels else 1, squeeze=False)[0]
    _recall(axes[0], report)
    if has_labels:
        _retrieval(axes[1], report)
    return figure


def _style(axes: Axes, label: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xlabel("bytes of a vector, or of what an index keeps of it", color=INK)
    axes.set_ylabel(label, color=INK)
    axes.xaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.grid(color=PALE, alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _recall(axes: Axes, report: CompressionReport) -> None:
    _style(axes, "recall@10 against exact full vectors")
    for where, mark in MARKS.items():
        rows = [row for row in report.rows if row.where == where and row.recall_10 is not None and row.bytes]
        if rows:
            x, y = [float(row.bytes or 0) for row in rows], [float(row.recall_10 or 0) for row in rows]
            axes.scatter(
                x, y, marker=mark, s=34, color=ACCENT if where == "space" else PALE, label=NAMES[where], zorder=3
            )
    again = [row for row in report.rows if row.where == "space" and row.reranked_10 is not None and row.bytes]
    axes.scatter(
        [float(row.bytes or 0) for row in again],
        [float(row.reranked_10 or 0) for row in again],
        marker="o",
        s=34,
        facecolors="none",
        edgecolors=WARM,
        label="space, re-ranked by the full vectors",
        zorder=3,
    )
    for row in _named(report.rows):
        axes.annotate(
            f"{row.to} (knee)" if row.knee else row.to,
            (float(row.bytes or 0), float(row.recall_10 or 0)),
            xytext=(6, -9),
            textcoords="offset points",
            fontsize=7.5,
            color=INK,
            fontweight="bold" if row.knee else "normal",
        )
    axes.legend(fontsize=8, loc="lower right", frameon=False)


def _named(rows: tuple[Cost, ...]) -> list[Cost]:
    """Those that nothing smaller beats: the names of all would lie over each other."""
    measured = [row for row in rows if row.where == "space" and row.bytes and row.recall_10 is not None]
    measured.sort(key=lambda row: (float(row.bytes or 0), -float(row.recall_10 or 0)))
    front: list[Cost] = []
    for row in measured:
        if not front or float(row.recall_10 or 0) > float(front[-1].recall_10 or 0):
            front.append(row)
    return front


def _retrieval(axes: Axes, report: CompressionReport) -> None:
    _style(axes, f"mean over sounds ({report.labels})")
    rows = sorted(
        (row for row in report.rows if row.bytes and row.mean_average_precision is not None),
        key=lambda row: float(row.bytes or 0),
    )
    x = [float(row.bytes or 0) for row in rows]
    axes.scatter(x, [float(row.mean_average_precision or 0) for row in rows], s=30, color=ACCENT, label="retrieval mAP")
    if any(row.probe is not None for row in rows):
        probed = [row for row in rows if row.probe is not None]
        y = [float(row.probe or 0) for row in probed]
        axes.scatter([float(row.bytes or 0) for row in probed], y, s=30, marker="^", color=WARM, label="linear probe")
    axes.legend(fontsize=8, loc="lower right", frameon=False)
