"""t-SNE (van der Maaten and Hinton, 2008) by openTSNE, with FIt-SNE (Linderman et al., 2019) in two dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sonovec.explore.affinities import weights
from sonovec.explore.neighbours import BLOCK, Floats, Floats32, nearest
from sonovec.explore.projection import Projection, Settings, start_of, watch
from sonovec.extras import require
from sonovec.jobs import Job

PERPLEXITY = 30.0
#: Rounds with the attraction exaggerated, and rounds without (Belkina et al., 2019).
EARLY, LATE, EXAGGERATION = 250, 500, 12.0
#: Rounds between two looks at whether the job was cancelled.
LOOK = 25
#: Below this many tracks the exact tree is quicker than the grid.
GRID_FROM = 2_000
#: A track that is placed later: its neighbours in the sample, how many of them count, and its rounds (Policar et al., 2021).
NEIGHBOURS, PLACED_PERPLEXITY, ROUNDS = 15, 5.0, 100
#: Tracks that are placed together; each as it would be alone.
TOGETHER = 16 * BLOCK


class Tsne:
    """Places from neighbours by t-SNE."""

    def __init__(self) -> None:
        require("openTSNE", "a map by t-SNE", "explore")

    def settle(self, count: int, settings: Settings) -> tuple[Settings, list[str]]:
        """The perplexity: a third of the tracks at most."""
        wanted = settings.get("perplexity", PERPLEXITY)
        most = (count - 1) / 3
        if wanted <= most:
            return {**settings, "perplexity": wanted}, []
        said = f"perplexity={wanted:g} is too much for {count} tracks; {most:g} was used"
        return {**settings, "perplexity": max(most, 1.0)}, [said]

    def fit(self, rows: Floats32, dims: int, settings: Settings, job: Job) -> Floats32:
        """Places of rows."""
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.nearest_neighbors import PrecomputedNeighbors

        perplexity = settings["perplexity"]
        k = min(len(rows) - 1, int(3 * perplexity))
        tell = watch(job, "finding neighbours", len(rows))
        indices, distances = nearest(rows, rows, k, own=np.arange(len(rows)), watch=tell)
        affinities = PerplexityBasedNN(
            perplexity=perplexity, knn_index=PrecomputedNeighbors(indices, distances), n_jobs=1
        )
        grid = dims == 2 and len(rows) >= GRID_FROM
        found = TSNEEmbedding(
            start_of(rows, dims, 1e-4),
            affinities,
            negative_gradient_method="fft" if grid else "bh",
            random_state=int(settings["seed"]),
            n_jobs=1,
        )
        rounds = _Rounds(job, EARLY + LATE)
        options: dict[str, Any] = {"inplace": True, "propagate_exception": True, **rounds.options()}
        found.optimize(EARLY, exaggeration=EXAGGERATION, momentum=0.5, **options)
        found.optimize(LATE, exaggeration=1.0, momentum=0.8, **options)
        places = np.asarray(found, np.float64)
        if grid:  # the grid of those that are placed later has its middle at 0
            places = places - (places.max(axis=0) + places.min(axis=0)) / 2
        return np.asarray(places, np.float32)

    def place(self, fitted: Projection, rows: Floats32, job: Job) -> Floats32:
        """Places of other rows: near their neighbours of the sample, and then by t-SNE's own forces between them and it."""
        k = min(NEIGHBOURS, len(fitted.sample))
        tell = watch(job, "placing", len(rows))
        reference = _reference(fitted.sample_places)
        found = np.empty((len(rows), fitted.dims), np.float32)
        for start in range(0, len(rows), TOGETHER):
            part = rows[start : start + TOGETHER]
            indices, distances = nearest(part, fitted.sample, k)
            shares = weights(distances, min(PLACED_PERPLEXITY, max(k / 3, 1.0)))
            neighbours = fitted.sample_places.astype(np.float64)[indices]
            begin = np.einsum("nk,nkd->nd", shares, neighbours)
            places = _descended(reference, begin, indices, shares, len(fitted.sample))
            found[start : start + len(part)] = places
            tell(start + len(part))
        return found


class _Rounds:
    """Reports the rounds of a descent to a job."""

    def __init__(self, job: Job, total: int) -> None:
        self._tell = watch(job, "t-SNE", total, "rounds")
        self._done = 0

    def options(self) -> Mapping[str, object]:
        return {"use_callbacks": True, "callbacks": [self], "callbacks_every_iters": LOOK}

    def __call__(self, iteration: int, error: float, embedding: object) -> bool:
        self._done += LOOK
        self._tell(self._done)
        return False


class _Nothing:
    """Affinities of a sample whose places are fixed: nothing asks for them."""

    def __init__(self, count: int) -> None:
        self.P = np.empty((count, 0))


def _reference(places: Floats32) -> Any:
    from openTSNE import TSNEEmbedding

    grid = places.shape[1] == 2 and len(places) >= GRID_FROM
    reference = TSNEEmbedding(
        places.astype(np.float64), _Nothing(len(places)), negative_gradient_method="fft" if grid else "bh"
    )
    if grid:
        reference.prepare_interpolation_grid()
    return reference


def _descended(reference: Any, begin: Floats, indices: np.ndarray, shares: Floats, count: int) -> Floats:
    from openTSNE import PartialTSNEEmbedding
    from scipy.sparse import csr_matrix

    # Always as many rows, since bits depend on that.
    full = -len(begin) % BLOCK
    padding = ((0, full), (0, 0))
    begin, indices, shares = (np.pad(each, padding) for each in (begin, indices, shares))
    shares[len(shares) - full :] = 1 / shares.shape[1]
    starts = np.arange(len(begin) + 1) * indices.shape[1]
    near = csr_matrix((shares.ravel(), indices.ravel(), starts), shape=(len(begin), count))
    near.sort_indices()
    placed = PartialTSNEEmbedding(
        begin,
        reference,
        near,
        negative_gradient_method=reference.gradient_descent_params["negative_gradient_method"],
        n_jobs=1,
    )
    placed.optimize(
        ROUNDS, learning_rate=0.1, exaggeration=1.5, momentum=0.8, max_grad_norm=0.25, max_step_norm=None, inplace=True
    )
    return np.asarray(placed, np.float64)[: len(begin) - full]
