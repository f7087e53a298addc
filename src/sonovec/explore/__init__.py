"""A library as a space to look at: maps, clusters, outliers, smaller vectors, comparisons of spaces."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonovec.explore.clustering import Clusters, clusters, place_new
    from sonovec.explore.frechet import Frechet, fad
    from sonovec.explore.strangers import Outliers, outliers

__all__ = ["Clusters", "Frechet", "Outliers", "clusters", "fad", "outliers", "place_new"]

# Found on first use, by their module and their name there. No module here is called as one of them.
_HOMES = {
    "Clusters": ("clustering", "Clusters"),
    "Frechet": ("frechet", "Frechet"),
    "Outliers": ("strangers", "Outliers"),
    "clusters": ("clustering", "clusters"),
    "fad": ("frechet", "fad"),
    "outliers": ("strangers", "outliers"),
    "place_new": ("clustering", "place_new"),
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        module, there = _HOMES[name]
        return getattr(import_module(f"sonovec.explore.{module}"), there)
    raise AttributeError(f"module 'sonovec.explore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
