"""Make the pictures of docs/map.md: python docs/map.py LIBRARY, where LIBRARY holds ESC-10 by the built-in encoder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import sonovec
from sonovec import explore
from sonovec.explore import project
from sonovec.explore.drawing import PALETTE
from sonovec.jobs import job_of
from sonovec.vectors import unit32

PICTURES = Path(__file__).parent / "pictures"
PERPLEXITIES = (3, 30, 120)


def main(place: str) -> None:
    """Draw all of them."""
    library = sonovec.Library(place)
    for method in ("tsne", "pca"):
        explore.draw_map(library, explore.map(library, method), PICTURES / f"map-{method}.png", colour="folder")
    doubts(library).savefig(PICTURES / "map-doubts.png", dpi=110, metadata={"Software": None})


def doubts(library: sonovec.Library) -> Figure:
    """The same sounds at three perplexities, and vectors that were drawn by chance, in which there is nothing to see."""
    figure = Figure((11, 3.6), layout="constrained")
    panels = figure.subplots(1, len(PERPLEXITIES) + 1)
    for axes, perplexity in zip(panels, PERPLEXITIES, strict=False):
        found = explore.map(library, "tsne", name=f"perplexity-{perplexity}", perplexity=perplexity)
        paths = {track.id: track.path for track in library}
        kinds = [Path(paths[id]).parent.name for id in found.ids]
        shades = {kind: PALETTE[at] for at, kind in enumerate(sorted(set(kinds)))}
        trust, _ = found.trust
        axes.scatter(*found.places.T, s=5, c=[shades[kind] for kind in kinds], linewidths=0)
        axes.set_title(f"ESC-10, perplexity {perplexity}\ntrustworthiness {trust:.2f}", fontsize=9)
    noise = unit32(np.random.default_rng(0).standard_normal((400, 512)).astype(np.float32))
    fitted = project.fit(noise, "tsne", 2, {"seed": 0.0, "perplexity": 3.0}, job_of(None))
    panels[-1].scatter(*fitted.sample_places.T, s=5, c="#8d949c", linewidths=0)
    panels[-1].set_title("400 vectors by chance, perplexity 3", fontsize=9)
    for axes in panels:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal", adjustable="datalim")
    return figure


if __name__ == "__main__":
    main(sys.argv[1])
