"""UMAP (McInnes, Healy and Melville, 2018) by umap-learn."""

from __future__ import annotations

import warnings

import numpy as np

from sonovec.explore.affinities import weights
from sonovec.explore.neighbours import Floats32, nearest
from sonovec.explore.projection import Projection, Settings, start_of, watch
from sonovec.extras import require
from sonovec.jobs import Job, Progress

NEIGHBOURS = 15
#: Neighbours of the sample that count for a track that is placed later.
PLACED_PERPLEXITY = 5.0


class Umap:
    """Places from neighbours by UMAP."""

    def __init__(self) -> None:
        require("umap", "a map by UMAP", "umap")

    def settle(self, count: int, settings: Settings) -> tuple[Settings, list[str]]:
        """The number of neighbours: all other tracks at most."""
        wanted = int(settings.get("neighbours", NEIGHBOURS))
        if wanted < count:
            return {**settings, "neighbours": wanted}, []
        said = f"neighbours={wanted} are too many for {count} tracks; {count - 1} were used"
        return {**settings, "neighbours": count - 1}, [said]

    def fit(self, rows: Floats32, dims: int, settings: Settings, job: Job) -> Floats32:
        """Places of rows; in one thread, since those of several differ from run to run."""
        from umap import UMAP

        k = int(settings["neighbours"])
        tell = watch(job, "finding neighbours", len(rows))
        own = np.arange(len(rows))
        indices, distances = nearest(rows, rows, k - 1, own=own, watch=tell) if k > 1 else (own[:, :0], own[:, :0])
        # UMAP counts a row as its own first neighbour.
        indices = np.concatenate([own[:, None], indices], axis=1)
        distances = np.concatenate([np.zeros((len(rows), 1)), distances], axis=1)
        job.report(Progress("UMAP", 0, None, "tracks"))
        model = UMAP(
            n_neighbors=k,
            n_components=dims,
            init=start_of(rows, dims, 5.0).astype(np.float32),
            precomputed_knn=(indices, distances.astype(np.float32), None),
            random_state=int(settings["seed"]),
            n_jobs=1,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that neighbours without an index cannot be asked for more
            return np.asarray(model.fit_transform(rows), np.float32)

    def place(self, fitted: Projection, rows: Floats32, job: Job) -> Floats32:
        """Places of other rows: between their neighbours of the sample, the nearer ones first; no descent follows."""
        k = min(int(fitted.settings["neighbours"]), len(fitted.sample))
        tell = watch(job, "placing", len(rows))
        indices, distances = nearest(rows, fitted.sample, k, watch=tell)
        shares = weights(distances, min(PLACED_PERPLEXITY, max(k / 3, 1.0)))
        return np.asarray(np.einsum("nk,nkd->nd", shares, fitted.sample_places[indices]), np.float32)
