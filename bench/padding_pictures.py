"""The table and the pictures of docs/padding.md, from what bench/padding.py measured.

python bench/padding_pictures.py padding.json docs/pictures
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from sonovec import demo

mpl.use("Agg")
import matplotlib.pyplot as plt

INK, PALE, PAD, DROP, REPEAT = "#1f2933", "#cbd2d9", "#2367a8", "#b44d12", "#2f855a"
COLOURS = {"pad": PAD, "drop": DROP, "repeat": REPEAT}
NAMES = {"pad": "padded with zeros (default)", "drop": "tail dropped", "repeat": "repeated"}
#: What is drawn of the measures, and what it is called.
DRAWN = {
    "recall": "shared 10 nearest",
    "first": "whole clip found first",
    "short": "how many of the 10 nearest are cut too",
}
#: Seconds of a window of the built-in encoder, and of the sound that shows the policies.
WINDOW, SOUND = 2.0, 3.2
#: Pieces of a second whose peaks are drawn.
PIECES = 50


def rows(result: dict[str, Any], policy: str) -> list[dict[str, Any]]:
    """The rows of a policy: where it makes no difference, those of padding."""
    padded = {row["windows"]: row for row in result["rows"] if row["policy"] == "pad"}
    own = {row["windows"]: row for row in result["rows"] if row["policy"] == policy}
    return list({**padded, **own}.values())


def cost(results: list[dict[str, Any]], target: Path) -> None:
    """Draw each measure over the length of the cut, for each encoder."""
    shown = [result for result in results if result["sounds"] == "train"]
    figure, axes = plt.subplots(
        len(shown), len(DRAWN), figsize=(10, 2.9 * len(shown)), layout="constrained", squeeze=False
    )
    for line, result in zip(axes, shown, strict=True):
        for place, (measure, title) in zip(line, DRAWN.items(), strict=True):
            for policy in ("drop", "pad", "repeat"):
                points = rows(result, policy)
                lengths, values = [row["windows"] for row in points], [row[measure] for row in points]
                place.plot(lengths, values, "o-", ms=3, lw=1.6, color=COLOURS[policy], label=NAMES[policy])
            if measure == "short":
                place.axhline(0.5, color=INK, lw=0.8, ls=":")
            place.axvline(1, color=PALE, lw=0.8, zorder=0)
            place.set(xscale="log", ylim=(0, 1.03), title=f"{result['model']}: {title}")
            place.set_xticks([0.1, 0.25, 0.5, 1, 2, 3], labels=["0.1", "0.25", "0.5", "1", "2", "3"])
            place.minorticks_off()
            place.title.set_fontsize(8)
            place.tick_params(labelsize=8)
            place.spines[["top", "right"]].set_visible(False)
        line[0].set_xlabel(f"length of the cut, in windows of {result['window']:g} s", fontsize=8)
    axes[0, 0].legend(fontsize=7, frameon=False, loc="lower right")
    save(figure, target)


def policies(target: Path) -> None:
    """Draw what each policy makes of a sound of one window and a half, and of one of half a window."""
    samples = demo.clip("plucked", 2)[0]
    samples = samples / np.abs(samples[: int(SOUND * demo.RATE)]).max()
    figure, axes = plt.subplots(3, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
    for column, (seconds, windows) in enumerate(((SOUND, 2), (0.4 * WINDOW, 1))):
        for place, policy in zip(axes[:, column], ("pad", "drop", "repeat"), strict=True):
            kept = 1 if policy == "drop" else windows
            wave(place, samples[: int(seconds * demo.RATE)], 0.0, INK)
            if policy == "repeat":
                again = np.resize(samples[: int(seconds * demo.RATE)], int(windows * WINDOW * demo.RATE))
                wave(place, again[int(seconds * demo.RATE) :], seconds, REPEAT)
            for number in range(windows):
                heard = min(1.0, (seconds - number * WINDOW) / WINDOW)
                frame(place, number, kept > number, 1.0 if policy == "repeat" else heard)
            place.set(xlim=(-0.05, windows * WINDOW + 0.05), ylim=(-1.3, 1.75), yticks=[])
            place.set_title(f"{seconds:g} s of sound, {NAMES[policy]}", fontsize=8, loc="left")
            place.tick_params(labelsize=8)
            place.spines[["top", "right", "left"]].set_visible(False)
        axes[2, column].set_xlabel("seconds", fontsize=8)
    save(figure, target)


def wave(place: Any, samples: np.ndarray, start: float, colour: str) -> None:
    """Draw the outline of some samples."""
    if not len(samples):
        return
    pieces = np.array_split(samples, max(2, len(samples) * PIECES // demo.RATE))
    seconds = start + np.linspace(0, len(samples) / demo.RATE, len(pieces))
    place.fill_between(seconds, [p.min() for p in pieces], [p.max() for p in pieces], color=colour, lw=0)


def frame(place: Any, number: int, kept: bool, coverage: float) -> None:
    """Draw a window, and what it weighs."""
    left = number * WINDOW
    colour = PAD if kept else PALE
    place.add_patch(plt.Rectangle((left + 0.01, -1.1), WINDOW - 0.02, 2.2, fill=False, lw=1.3, ec=colour))
    told = f"weight {coverage:.2g}" if kept else "not embedded"
    place.text(left + 0.03, 1.2, told, fontsize=7, color=INK if kept else DROP)


def save(figure: Any, target: Path) -> None:
    """Write a picture whose text stays text."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sonovec"}):
        figure.savefig(target, metadata={"Date": None})
    plt.close(figure)


def table(result: dict[str, Any]) -> Iterator[str]:
    """The figures of one encoder on one set of sounds as a table in Markdown: padded, dropped, repeated."""
    measures = {"recall": "10 nearest", "first": "found first", "cosine": "cosine", "map": "mAP", "short": "short"}
    shown = {key: name for key, name in measures.items() if result["rows"][0][key] is not None}
    by_policy = {policy: {row["windows"]: row for row in rows(result, policy)} for policy in COLOURS}
    of_whole = f"; mAP of whole clips {result['map']:.2f}" if result["map"] else ""
    yield f"{result['model']}, {result['clips']} clips of {result['sounds']}, windows of {result['window']:g} s{of_whole}:\n"
    yield f"| windows | {' | '.join(shown.values())} |"
    yield f"| --- |{' --- |' * len(shown)}"
    for windows in by_policy["pad"]:
        cells = ([f"{by_policy[policy][windows][key]:.2f}" for policy in by_policy] for key in shown)
        told = [cell[0] if len(set(cell)) == 1 else " / ".join(cell) for cell in cells]
        yield f"| {windows:g} | {' | '.join(told)} |"


def main() -> None:
    results, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["svg.fonttype"] = "none"
    policies(folder / "padding-policies.svg")
    cost(results, folder / "padding-cost.svg")
    for result in results:
        print("\n".join(table(result)), end="\n\n")


if __name__ == "__main__":
    main()
