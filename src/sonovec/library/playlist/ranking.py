"""Which tracks come first for some seeds; the one place where another ranking is put in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from sonovec.library.filters import Filter
from sonovec.library.recommend.fusion import K
from sonovec.library.search import Query
from sonovec.library.store import Store

#: Gives ids of tracks, the best first, at most so many; fewer only where there are no more.
Ranking = Callable[[Store, Sequence[Query], "Filter | None", str, int], list[str]]


def fused(store: Store, seeds: Sequence[Query], where: Filter | None, space: str, limit: int) -> list[str]:
    """Tracks by their ranks in the searches for each seed: one that is near to any seed comes before an average one.

    Parameters
    ----------
    store : Store
    seeds : sequence of Query
    where : Filter or None
        Only these tracks.
    space : str
    limit : int
        At most so many.
    """
    worth: dict[str, float] = defaultdict(float)
    found = [store.search_tracks(seed.vector[None], limit, where, space=space)[0] for seed in seeds]
    for hits in found:
        for rank, (id, _) in enumerate(hits, start=1):
            worth[id] += 1 / (K + rank)
    return sorted(worth, key=lambda id: (-worth[id], id))[:limit]
