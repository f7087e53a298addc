"""A library as a space to look at: maps, clusters, outliers, smaller vectors, comparisons of spaces."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonovec.explore.clustering import Clusters, clusters, place_new
    from sonovec.explore.compress_report import CompressionReport, report
    from sonovec.explore.compressing import Compressed, compress
    from sonovec.explore.drawing import draw_map
    from sonovec.explore.export import export_map
    from sonovec.explore.frechet import Frechet, fad
    from sonovec.explore.live_recall import LiveRecall, recall
    from sonovec.explore.mapping import drop_map, map, maps
    from sonovec.explore.page import write_page
    from sonovec.explore.record import Map
    from sonovec.explore.space_comparison import SpaceComparison, compare_spaces
    from sonovec.explore.strangers import Outliers, outliers

__all__ = [
    "Clusters",
    "Compressed",
    "CompressionReport",
    "Frechet",
    "LiveRecall",
    "Map",
    "Outliers",
    "SpaceComparison",
    "clusters",
    "compare_spaces",
    "compress",
    "draw_map",
    "drop_map",
    "export_map",
    "fad",
    "map",
    "maps",
    "outliers",
    "place_new",
    "recall",
    "report",
    "write_page",
]

# Found on first use, by their module. No module here is called as one of them: once it was imported, it would stand in its
# place.
_HOMES = {
    "Clusters": "clustering",
    "Compressed": "compressing",
    "CompressionReport": "compress_report",
    "Frechet": "frechet",
    "LiveRecall": "live_recall",
    "Map": "record",
    "Outliers": "strangers",
    "SpaceComparison": "space_comparison",
    "clusters": "clustering",
    "compare_spaces": "space_comparison",
    "compress": "compressing",
    "draw_map": "drawing",
    "drop_map": "mapping",
    "export_map": "export",
    "fad": "frechet",
    "map": "mapping",
    "maps": "mapping",
    "outliers": "strangers",
    "place_new": "clustering",
    "recall": "live_recall",
    "report": "compress_report",
    "write_page": "page",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"sonovec.explore.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'sonovec.explore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
