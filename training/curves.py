"""The log of a run as a picture."""

from __future__ import annotations

import json
from pathlib import Path


def draw(log: Path, target: Path) -> None:
    """Losses on the left, figures on held-out recordings on the right, against steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    losses = [line for line in lines if "loss" in line]
    checks = [line for line in lines if "held_out" in line]
    figure = Figure(figsize=(11, 4.5), dpi=130, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for name in losses[-1]["loss"] if losses else ():
        left.plot([line["step"] for line in losses], [line["loss"][name] for line in losses], label=name, linewidth=1)
    left.set(yscale="log", xlabel="step", title="Parts of the loss, before their weights")
    for name in checks[-1]["held_out"] if checks else ():
        right.plot([line["step"] for line in checks], [line["held_out"][name] for line in checks], ".-", label=name)
    right.set(xlabel="step", title="On recordings that are held out", ylim=(0, 1))
    for axes in (left, right):
        axes.grid(color="#e4e7eb", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8)
    figure.savefig(target)
