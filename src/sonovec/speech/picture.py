"""The words of a transcript over the spectrogram of its sound."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonovec.embedding.source import Sound
from sonovec.pictures import plot
from sonovec.speech.transcript import Transcript

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORD = "#f5f7fa"


def plot_words(
    sound: Sound,
    transcript: Transcript,
    target: str | os.PathLike[str] | None = None,
    *,
    start: float = 0.0,
    end: float | None = None,
) -> Figure:
    """Draw a sound with its words where they are said: at the top of the spectrogram, between lines.

    Parameters
    ----------
    sound : path, Waveform or (samples, rate)
    transcript : Transcript
        Of this sound, such as `align` gives.
    target : path, optional
        Where the picture is written: a name that ends in ``.png`` or ``.svg``.
    start, end : float
        Seconds of the sound that are drawn.

    Raises
    ------
    UsageError, AudioError, MissingExtraError
        As for `sonovec.plot`.
    """
    if target is not None:
        plot.check_target(Path(target))
    figure = plot.plot(sound, start=start, end=end, panels=("waveform", "spectrogram"))
    axes = figure.axes[1]
    top = axes.get_ylim()[1]
    for word in transcript.words:
        if word.end > start and (end is None or word.start < end):
            for edge in (word.start, word.end):
                axes.axvline(edge, color=WORD, linewidth=0.6, linestyle=":")
            middle = (word.start + word.end) / 2
            style: dict[str, Any] = {
                "color": WORD,
                "fontsize": 9,
                "ha": "center",
                "va": "top",
                "family": plot.FONT,
                "clip_on": True,
            }
            axes.text(middle, 0.97 * top, plot.plain(word.text), **style)
    if target is not None:
        plot.save(figure, Path(target))
    return figure
