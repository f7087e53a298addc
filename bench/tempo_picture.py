"""Draws onset strength, beats and the tempo curve of a song of `bench/songs.py`, beside the truth.

    python bench/songs.py WHERE --kinds pop909 --songs 373 --start 0 --seconds 300
    python bench/tempo_picture.py WHERE/FluidR3_GM/pop909-0-300/pop909-373.flac docs/pictures/tempo-curve.png

It needs matplotlib.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from sonovec.audio.stream import open_mono
from sonovec.music.beats import beats
from sonovec.music.curve import local_tempo, tempo_curve
from sonovec.music.downbeats import downbeats
from sonovec.music.onsets import CURVE_RATE, Onsets
from sonovec.music.part import RATE
from sonovec.music.tempo import tempo


def main(source: Path, target: Path) -> None:
    """Hear a file and draw what was heard."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    onsets = Onsets()
    with open_mono(source, RATE) as stream:
        for block in stream:
            onsets.push(block)
    curve = onsets.finish()
    heard = tempo(curve)
    times = beats(curve, heard.path)
    bars, _ = downbeats(curve, times)
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(9, 4.6), sharex=True, layout="constrained")
    above.plot(np.arange(curve.curves.shape[1]) / CURVE_RATE, curve.whole, color="#888", linewidth=0.4)
    top = float(curve.whole.max())
    above.vlines(times, top * 1.02, top * 1.1, color="#1f77b4", linewidth=0.6)
    above.vlines(bars, top * 1.02, top * 1.18, color="#d62728", linewidth=0.9)
    above.set(ylabel="onset strength", title="Onsets, beats (blue) and downbeats (red)")
    truth = np.array(json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))["beats"])
    below.plot(truth[:-1], local_tempo(truth), color="#2ca02c", linewidth=3, alpha=0.4, label="truth")
    below.plot(times[:-1], local_tempo(times), color="#1f77b4", linewidth=1, label="from the beats that were heard")
    below.axhline(heard.bpm or np.nan, color="#d62728", linewidth=0.8, label="the tempo")
    below.set(xlabel="seconds", ylabel="beats a minute")
    below.legend(loc="best", fontsize=8)
    figure.savefig(target, dpi=110)
    print(heard.bpm, round(heard.confidence, 2), heard.alternatives, tempo_curve(times))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
