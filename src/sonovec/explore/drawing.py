"""A map as a picture, with the names of its groups."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.explore import fields
from sonovec.explore.fields import NONE, RARE, Field
from sonovec.explore.labels import middle_of, shortened, spread
from sonovec.explore.neighbours import Floats
from sonovec.explore.page import METHODS
from sonovec.explore.record import Map
from sonovec.extras import require
from sonovec.paths import check_output, display, output, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sonovec.library.library import Library

ENDINGS = (".png", ".svg", ".pdf")
WIDTH, HEIGHT, DPI = 9.0, 7.0, 130
#: Points that are shapes of their own in SVG and PDF; more are one picture there.
MOST_SHAPES = 5_000
INK, MUTED, FONT = "#1f2933", "#69727c", "DejaVu Sans"
#: As in the page: of groups, of all others, and of numbers from low to high.
PALETTE = (
    *("#2f7ed8", "#e4572e", "#2a9d62", "#a05cc5", "#d99a00", "#17a2b8"),
    *("#d6458b", "#7a8b1f", "#8a5a3b", "#5566dd", "#e08fb0", "#5f7f8f"),
)
OTHER = "#8d949c"
RAMP = ("#3b4cc0", "#4f8bd6", "#46b5a5", "#8bbf4d", "#e0b030", "#e2703a")


def draw_map(
    library: Library, found: Map, target: str | os.PathLike[str] | None = None, *, colour: str | None = None
) -> Figure:
    """Draw a map: its points by the values of a column, and the names of the groups beside them.

    Parameters
    ----------
    library : Library
    found : Map
    target : path, optional
        Where the picture is written: a name that ends in ``.png``, ``.svg`` or ``.pdf``.
    colour : str, optional
        The column; without it, clusters, folders, genres or tags, whichever there are.

    Returns
    -------
    matplotlib.figure.Figure
        On a canvas of its own; ``pyplot`` does not know it.

    Raises
    ------
    UsageError
        If there is no such column, or `target` has another ending or cannot be written.
    MissingExtraError
        If Matplotlib is not installed.
    """
    path = None if target is None else Path(target)
    if path is not None:
        check_target(path)
    require("matplotlib", "a picture", "explore")
    tracks = fields.read(library, found)
    by = colour or tracks.usual
    figure = draw(found, None if by is None else tracks.one(by))
    if path is not None:
        save(figure, path)
    return figure


def check_target(target: Path) -> None:
    """Refuse a picture that could not be written, before any work is done.

    Raises
    ------
    UsageError
    """
    if target.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"{display(target)}: a picture of a map is PNG, SVG or PDF; give a name such as {display(target.stem)}.png"
        )
    check_output(target)


def draw(found: Map, column: Field | None) -> Figure:
    """The picture of a map by a column."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.family": FONT, "text.parse_math": False}):
        figure = Figure((WIDTH, HEIGHT), dpi=DPI, layout="constrained")
        flat = found.dims == 2
        axes: Any = figure.add_subplot(projection=None if flat else "3d")
        shown = found.has_place
        places = found.places[shown].astype(np.float64)
        size = float(np.clip(9_000 / max(len(places), 1), 2, 36))
        if column is not None and column.type == "number":
            _numbers(figure, axes, column, shown, places, found, size)
            groups: list[tuple[str, str, NDArray[np.bool_]]] = []
        else:
            groups = _groups(column, shown)
            for _, shade, rows in groups:
                dots = {"s": size, "c": shade, "alpha": _alpha(found, shown)[rows], "linewidths": 0}
                axes.scatter(*places[rows].T, **dots, rasterized=len(places) > MOST_SHAPES)
        trust, continuity = found.trust
        told = "" if trust is None else f", trustworthiness {trust:.2f}, continuity {continuity:.2f}"
        by = "" if column is None else f", by {column.name}"
        axes.set_title(f"{len(found)} tracks by {METHODS[found.method]}{by}{told}", loc="left", fontsize=10, color=INK)
        _bare(axes, flat)
        if flat and len(places):
            _name(figure, axes, groups, places)
        elif groups and column is not None:
            for name, shade, _ in groups:
                axes.scatter([], [], c=shade, label=printable(name))
            axes.legend(fontsize=7, loc="upper right")
    return figure


def save(figure: Figure, target: Path) -> None:
    """Write a picture; the same picture has the same bytes."""
    from matplotlib import rc_context

    kind = target.suffix.lower().removeprefix(".")
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    with (
        output(target) as (temporary,),
        rc_context({"svg.fonttype": "none", "svg.hashsalt": "sonovec", "font.family": FONT, "text.parse_math": False}),
    ):
        figure.savefig(temporary, format=kind, metadata=dated[kind], facecolor="white")


def _alpha(found: Map, shown: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.asarray(0.85 * found.strength[shown], np.float32)


def _groups(column: Field | None, shown: NDArray[np.bool_]) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """The most frequent values, the others together, and those without: a name, a colour and which points."""
    if column is None or column.codes is None:
        return [("", PALETTE[0], np.ones(int(shown.sum()), bool))]
    codes = _first(column)[shown]
    counts = np.bincount(codes, minlength=RARE + 1)
    ranked = [code for code in np.argsort(-counts, kind="stable") if code > RARE and counts[code]]
    top = ranked[: len(PALETTE)]
    made = [(column.values[code], shade, codes == code) for code, shade in zip(top, PALETTE, strict=False)]
    others = ~np.isin(codes, [NONE, *top])
    told = [(f"other ({column.distinct - len(top)} values)", OTHER, others)] if others.any() else []
    none = [("none", OTHER, codes == NONE)] if (codes == NONE).any() else []
    return [*told, *none, *made]


def _first(column: Field) -> NDArray[np.int64]:
    """The code of each track; of a list, that of its first item."""
    assert column.codes is not None
    if column.starts is None:
        return column.codes.astype(np.int64)
    codes = np.append(column.codes, NONE).astype(np.int64)
    return np.where(np.diff(column.starts) > 0, codes[column.starts[:-1]], NONE)


def _numbers(
    figure: Figure,
    axes: Any,
    column: Field,
    shown: NDArray[np.bool_],
    places: Floats,
    found: Map,
    size: float,
) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    assert column.numbers is not None
    numbers = column.numbers[shown]
    known = np.isfinite(numbers)
    alpha = _alpha(found, shown)
    axes.scatter(*places[~known].T, s=size, c=OTHER, alpha=alpha[~known], linewidths=0)
    # One odd value does not take all colours.
    low, high = np.percentile(numbers[known], [2, 98]) if known.any() else (0, 1)
    ramp = LinearSegmentedColormap.from_list("sonovec", RAMP)
    dots = axes.scatter(
        *places[known].T, s=size, c=numbers[known], cmap=ramp, vmin=low, vmax=high, alpha=alpha[known], linewidths=0
    )
    figure.colorbar(dots, ax=axes, shrink=0.6, label=column.name, extend="both")


def _bare(axes: Any, flat: bool) -> None:
    """No numbers at the axes: they mean nothing."""
    axes.set_xticks([])
    axes.set_yticks([])
    if flat:
        axes.set_aspect("equal", adjustable="datalim")
        axes.margins(0.06)
        for side in axes.spines.values():
            side.set_visible(False)
    else:
        axes.set_zticks([])


def _name(figure: Figure, axes: Any, groups: list[tuple[str, str, NDArray[np.bool_]]], places: Floats) -> None:
    """Write the name of each group near it; a line leads there where the name stands apart."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    named = [(name, shade, rows) for name, shade, rows in groups if name and shade != OTHER]
    rest = [(name, shade) for name, shade, _ in groups if name and shade == OTHER]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # which settles where things lie
    renderer, pixels = canvas.get_renderer(), axes.transData.transform(places)
    names = shortened([printable(name) for name, _, _ in named])
    style = {"fontsize": 9, "ha": "center", "va": "center", "color": INK}
    texts = [axes.text(0, 0, name, **style) for name in names]
    box = axes.get_window_extent(renderer)
    if texts:
        sizes = np.array([[each.width + 8, each.height + 6] for each in (t.get_window_extent(renderer) for t in texts)])
        anchors = np.array([middle_of(pixels[rows]) for _, _, rows in named])
        chosen = spread(anchors, sizes, pixels, (box.x0, box.x1, box.y0, box.y1))
        back = axes.transData.inverted().transform
        for text, (_, shade, _), anchor, size, place in zip(texts, named, anchors, sizes, chosen, strict=True):
            text.set_position(tuple(back(place)))
            text.set_bbox({"boxstyle": "round,pad=0.15", "fc": "white", "ec": shade, "lw": 0.8, "alpha": 0.85})
            if (np.abs(place - anchor) > size / 2).any():
                axes.plot(*back(np.array([anchor, place])).T, color=shade, lw=0.8, zorder=text.get_zorder() - 1)
    told = " · ".join(printable(name) for name, _ in rest)
    axes.text(0, -0.01, told, transform=axes.transAxes, fontsize=8, color=MUTED, va="top")
