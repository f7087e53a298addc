"""What an encoder is when nobody says which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The name of the model, and the name that stands for it.
DEFAULT, ALIAS = "sonovec-1", "default"
#: What it was before. Libraries that were made with it keep it.
FORMER_DEFAULTS = ("logmel",)


@dataclass(frozen=True)
class Usual:
    """The encoder of a space, and the seconds of its segments, where nobody gives others."""

    model: str
    segment_seconds: float


#: Spaces that can be made by their name alone. People take turns more often than every ten seconds.
SPACES: Mapping[str, Usual] = {"voice": Usual("resemblyzer", 3.0)}
