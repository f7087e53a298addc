"""A sound as one picture: waveform, spectrogram, tags over time, and which parts of it are alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sonovec.brief import shortened
from sonovec.embedding.encoder import Encoder, load
from sonovec.embedding.source import Sound
from sonovec.errors import UsageError
from sonovec.extras import require
from sonovec.models.defaults import ALIAS
from sonovec.paths import check_output, display, output
from sonovec.pictures.hearing import Heard, edges, hear, similarities

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

PANELS = ("waveform", "spectrogram", "tags", "similarity")
ENDINGS = (".png", ".svg")
#: Panels that the encoder's network is needed for.
EMBEDDED = {"tags", "similarity"}

WIDTH, DPI = 9.0, 110
#: Inches of each panel; a row of tags.
HEIGHTS = {"waveform": 1.0, "spectrogram": 2.0, "similarity": 3.6}
ROW, MOST_TAGS = 0.22, 8
#: Longest title that is written out.
LONGEST = 80
INK, ACCENT, FONT = "#1f2933", "#2367a8", "DejaVu Sans"
#: Frequencies that may be named, in Hz.
NAMED = (31, 62, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)


def plot(
    sound: Sound,
    target: str | os.PathLike[str] | None = None,
    *,
    encoder: Encoder | str = ALIAS,
    start: float = 0.0,
    end: float | None = None,
    panels: Iterable[str] | None = None,
) -> Figure:
    """Draw a sound as an encoder hears it.

    The panels share their axis of time. ``waveform``: the samples at the encoder's rate. ``spectrogram``: in the encoder's
    own bands, frames, logarithm and normalisation; for an encoder whose network hears the waveform itself a general log-mel
    spectrogram, which its title says. ``tags``: the scores over time of the classes that score highest. ``similarity``: the
    cosine of each window with each other.

    A sound may be of any length: each column of a long one shows the extremes of its stretch.

    Parameters
    ----------
    sound : path, Waveform, or (samples, rate)
    target : path, optional
        Where the picture is written: a name that ends in ``.png`` or ``.svg``.
    encoder : Encoder or str
        Or the name of one, as for `sonovec.load`.
    start, end : float
        Seconds of the sound.
    panels : iterable of str, optional
        Which of ``waveform``, ``spectrogram``, ``tags`` and ``similarity``, from top to bottom; without it all that the
        encoder has (one that scores no classes has no tags).

    Returns
    -------
    matplotlib.figure.Figure
        On a canvas of its own; ``pyplot`` does not know it.

    Raises
    ------
    UsageError
        If a panel is unknown or the encoder does not have it, or `target` has another ending or cannot be written.
    AudioError
        If the sound cannot be decoded.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> samples = np.sin(np.arange(32000) / 10).astype(np.float32)
    >>> figure = plot((samples, 16000), encoder="logmel")
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Waveform', 'Spectrogram of logmel: 64 mel bands', 'Similarity: cosine of the windows']
    """
    path = None if target is None else Path(target)
    if path is not None:
        check_target(path)
    require("matplotlib", "a picture", "evaluate")
    known = load(encoder) if isinstance(encoder, str) else encoder
    chosen = chosen_panels(known, panels)
    heard = hear(known, sound, start, end, embed=bool(EMBEDDED & set(chosen)))
    figure = draw(heard, known.card.name, chosen, _title(sound))
    if path is not None:
        save(figure, path)
    return figure


def check_target(target: Path) -> None:
    """Refuse a picture that could not be written, before any work is done.

    Raises
    ------
    UsageError
        If the name has another ending than ``.png`` or ``.svg``, or the file cannot be written there.
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> check_target(Path("sound.jpg"))
    Traceback (most recent call last):
    sonovec.errors.UsageError: sound.jpg: a picture is written as PNG or SVG; give a name such as sound.png
    """
    if target.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"{display(target)}: a picture is written as PNG or SVG; give a name such as {display(target.stem)}.png"
        )
    check_output(target)
    require("matplotlib", "a picture", "evaluate")


def chosen_panels(encoder: Encoder, panels: Iterable[str] | None) -> tuple[str, ...]:
    """The panels to draw: those that were asked for, or all that the encoder has.

    Raises
    ------
    UsageError
        If one is unknown, or the encoder does not have it.
    """
    if panels is None:
        return tuple(name for name in PANELS if name != "tags" or encoder.classes)
    chosen = tuple(panels)
    for name in chosen:
        if name not in PANELS:
            raise UsageError(f"panel {name!r} is unknown; give some of: {', '.join(PANELS)}")
    if not chosen:
        raise UsageError(f"no panel was given; give some of: {', '.join(PANELS)}")
    if "tags" in chosen and not encoder.classes:
        raise UsageError(
            f"model {encoder.card.name!r} scores no classes; leave the panel tags out, or give another model"
        )
    return chosen


def save(figure: Figure, target: Path) -> None:
    """Write a figure as the ending of `target` says; the same figure gives the same PNG.

    Raises
    ------
    UsageError
        If `target` cannot be written.
    """
    kind = target.suffix.lower()[1:]
    with output(target) as (temporary,):
        figure.savefig(temporary, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})


def draw(heard: Heard, model: str, panels: Sequence[str], title: str = "") -> Figure:
    """Draw what was heard of a sound; see `plot`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = _tag_rows(heard) if "tags" in panels else []
    heights = [ROW * max(2, len(rows)) if name == "tags" else HEIGHTS[name] for name in panels]
    figure = Figure(
        figsize=(WIDTH, sum(heights) + 0.45 * len(panels) + 0.6),
        dpi=DPI,
        facecolor="white",
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05),
    )
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(plain(shortened(title, LONGEST, "…")), fontsize=11, color=INK, family=FONT)
    stack = figure.subplots(len(panels), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for axes, name in zip(stack, panels, strict=True):
        axes.set_title(_TITLES[name](heard, model), fontsize=9, loc="left", color=INK)
        axes.tick_params(labelsize=8)
        _DRAWN[name](axes, heard)
    _time_axis(stack[-1], heard)
    return figure


_TITLES: dict[str, Callable[[Heard, str], str]] = {
    "waveform": lambda heard, model: "Waveform",
    "spectrogram": lambda heard, model: (
        f"Spectrogram of {plain(model)}: {heard.front.n_mels} mel bands"
        if heard.own
        else f"Spectrogram, not {plain(model)}'s own: it hears the waveform"
    ),
    "tags": lambda heard, model: f"Tags: scores of {plain(model)}",
    "similarity": lambda heard, model: "Similarity: cosine of the windows",
}


def _waveform(axes: Axes, heard: Heard) -> None:
    strip = heard.waveform
    # Each column is as wide as it is long in time, so that a single one is seen too.
    times = strip.first + strip.step * np.arange(len(strip.columns) + 1)
    low, high = (np.append(edge, edge[-1]) for edge in strip.columns.T)
    axes.fill_between(times, low, high, step="post", color=ACCENT, linewidth=0.4)
    loudest = max(1e-4, float(np.abs(strip.columns).max()))
    axes.set_ylim(-1.05 * loudest, 1.05 * loudest)
    axes.spines[["top", "right"]].set_visible(False)


def _spectrogram(axes: Axes, heard: Heard) -> None:
    strip, front = heard.spectrogram, heard.front
    axes.set_ylim(-0.5, front.n_mels - 0.5)
    hertz = front.hertz
    named = [value for value in NAMED if hertz[0] <= value <= hertz[-1]]
    axes.set_yticks(np.interp(named, hertz, np.arange(front.n_mels)), [f"{value}" for value in named])
    axes.set_ylabel("Hz", fontsize=8)
    if len(strip.columns):
        low, high = np.percentile(strip.columns, (2, 100))
        extent = (strip.first, strip.last, -0.5, front.n_mels - 0.5)
        shown = {"vmin": low, "vmax": high, "cmap": "magma", "interpolation": "nearest"}
        axes.imshow(strip.columns.T, origin="lower", aspect="auto", extent=extent, **shown)


def _tag_rows(heard: Heard) -> list[int]:
    """The classes that are drawn, those first that score highest anywhere."""
    assert heard.embedding is not None
    scores = heard.embedding.scores.max(axis=0)
    return [int(i) for i in np.argsort(-scores, kind="stable")[:MOST_TAGS]]


def _tags(axes: Axes, heard: Heard) -> None:
    assert heard.embedding is not None
    embedding, rows = heard.embedding, _tag_rows(heard)
    _cells(axes, edges(embedding), np.arange(len(rows) + 1) - 0.5, embedding.scores[:, rows].T, (0, 1), _shades())
    axes.set_yticks(range(len(rows)), [plain(embedding.classes[i]) for i in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _similarity(axes: Axes, heard: Heard) -> None:
    assert heard.embedding is not None
    found, meet = similarities(heard.embedding)
    known = found[np.isfinite(found)]
    low = float(np.percentile(known, 2)) if len(known) else 0.0
    _cells(axes, meet, meet, np.ma.masked_invalid(found), (min(low, 0.99), 1), "viridis")
    _write_times(axes.yaxis, heard)
    axes.set_ylabel(_unit(heard), fontsize=8)


def _cells(axes: Axes, x: Any, y: Any, values: Any, limits: tuple[float, float], shades: Any) -> None:
    low, high = limits
    axes.pcolormesh(x, y, values, vmin=low, vmax=high, cmap=shades, edgecolors="face", linewidth=0.1, rasterized=True)


_DRAWN: dict[str, Callable[[Axes, Heard], None]] = {
    "waveform": _waveform,
    "spectrogram": _spectrogram,
    "tags": _tags,
    "similarity": _similarity,
}


def _shades() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shades", ["#f5f7fa", ACCENT, "#0b2545"])


def _time_axis(axes: Axes, heard: Heard) -> None:
    axes.set_xlim(heard.start, heard.end)
    _write_times(axes.xaxis, heard)
    axes.set_xlabel(_unit(heard), fontsize=8)


#: From so many seconds on, times are written as minutes and seconds.
_MINUTES = 180
#: How far apart they are named then, in seconds, and about how often.
_STEPS, _NAMED_TIMES = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000), 9


def _unit(heard: Heard) -> str:
    return "s" if heard.end < _MINUTES else "min:s"


def _write_times(axis: Axis, heard: Heard) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    if heard.end < _MINUTES:
        return
    seconds = heard.end - heard.start
    if seconds > _STEPS[0]:
        axis.set_major_locator(MultipleLocator(next((s for s in _STEPS if seconds / s <= _NAMED_TIMES), _STEPS[-1])))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{int(value // 60)}:{value % 60:02.0f}"))


def _title(sound: Sound) -> str:
    return display(Path(sound).name) if isinstance(sound, str | os.PathLike) else ""


def plain(text: str) -> str:
    """A text as Matplotlib draws it: a dollar sign would begin a formula, and its font does not have all characters."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties(family=FONT))).get_charmap()
    return "".join(letter if ord(letter) in known else "?" for letter in text).replace("$", r"\$")
