"""Charts as PNG files: their colours, an empty figure, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonovec.errors import UsageError
from sonovec.extras import require
from sonovec.paths import check_output, display, output

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
INK, PALE, ACCENT, SECOND = "#1f2933", "#9aa5b1", "#2367a8", "#c05a2b"
#: Longest name that is written out.
NAME_LENGTH = 26


def check_target(target: Path) -> None:
    """Refuse a picture that could not be drawn, before any work is done.

    Raises
    ------
    UsageError
        If the name does not end in ``.png``, or the file cannot be written there.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> check_target(Path("models.jpg"))
    Traceback (most recent call last):
    sonovec.errors.UsageError: models.jpg: a picture is written as PNG; give a name such as models.png
    """
    if target.suffix.lower() != ".png":
        raise UsageError(
            f"{display(target)}: a picture is written as PNG; give a name such as {display(target.stem)}.png"
        )
    check_output(target)
    require("matplotlib", "drawing", "evaluate")


def empty(width: float, height: float, layout: Any = "constrained") -> Figure:
    """An empty figure of so many inches, on a canvas of its own: no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, target: Path) -> None:
    """Write a figure to a PNG file.

    Raises
    ------
    UsageError
        If `target` cannot be written.
    """
    with output(target) as (temporary,):
        figure.savefig(temporary, format="png", dpi=DPI)
