"""A library as a space to look at: maps, clusters, outliers, smaller vectors, comparisons of spaces."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonovec.explore.drawing import draw_map
    from sonovec.explore.export import export_map
    from sonovec.explore.mapping import drop_map, map, maps
    from sonovec.explore.page import write_page
    from sonovec.explore.record import Map

__all__ = ["Map", "draw_map", "drop_map", "export_map", "map", "maps", "write_page"]

# Found on first use, by their module and their name there.
_HOMES = {
    "Map": ("record", "Map"),
    "draw_map": ("drawing", "draw_map"),
    "drop_map": ("mapping", "drop_map"),
    "export_map": ("export", "export_map"),
    "map": ("mapping", "map"),
    "maps": ("mapping", "maps"),
    "write_page": ("page", "write_page"),
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        module, there = _HOMES[name]
        return getattr(import_module(f"sonovec.explore.{module}"), there)
    raise AttributeError(f"module 'sonovec.explore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
