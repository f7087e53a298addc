"""A library as a space to look at: maps, clusters, outliers, smaller vectors, comparisons of spaces."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonovec.explore.compress_report import CompressionReport, report
    from sonovec.explore.compressing import Compressed, compress
    from sonovec.explore.live_recall import LiveRecall, recall
    from sonovec.explore.space_comparison import SpaceComparison, compare_spaces

__all__ = [
    "Compressed",
    "CompressionReport",
    "LiveRecall",
    "SpaceComparison",
    "compare_spaces",
    "compress",
    "recall",
    "report",
]

# Found on first use, by their module. No module here is called as one of them: once it was imported, it would stand in its
# place.
_HOMES = {
    "Compressed": "compressing",
    "CompressionReport": "compress_report",
    "LiveRecall": "live_recall",
    "SpaceComparison": "space_comparison",
    "compare_spaces": "space_comparison",
    "compress": "compressing",
    "recall": "live_recall",
    "report": "compress_report",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"sonovec.explore.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'sonovec.explore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
