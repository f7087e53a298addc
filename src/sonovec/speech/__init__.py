"""Speech: text from sound, found by its words; recognisers and encoders that are trained here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonovec.speech.recogniser import Recogniser
    from sonovec.speech.transcript import Segment, Transcript, Word

__all__ = ["Recogniser", "Segment", "Transcript", "Word"]

# Found on first use, by their module and their name there. No module here is called as one of them: once it was imported, it
# would stand in its place.
_HOMES = {
    "Recogniser": ("recogniser", "Recogniser"),
    "Segment": ("transcript", "Segment"),
    "Transcript": ("transcript", "Transcript"),
    "Word": ("transcript", "Word"),
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        module, there = _HOMES[name]
        return getattr(import_module(f"sonovec.speech.{module}"), there)
    raise AttributeError(f"module 'sonovec.speech' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
