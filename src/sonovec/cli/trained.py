"""What a training tells at its end: its picture, its notes, and JSON or tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sonovec.cli.output import print_json, warn


class Result(Protocol):
    """The result of a training."""

    @property
    def notes(self) -> Sequence[str]:
        """What is worth knowing."""

    def to_json(self) -> dict[str, Any]:
        """All of it, as values of JSON."""


Given = TypeVar("Given", bound=Result)


def tell(
    result: Given,
    draw: Callable[[Given, Path], None],
    plot: Path | None,
    show: Callable[[Given], None],
    as_json: bool,
) -> None:
    """Draw a result to `plot` if that is given, and print it; what was trained is told even if the picture fails."""
    try:
        if plot is not None:
            draw(result, plot)
    finally:
        for note in result.notes:
            warn(note)
        if as_json:
            print_json(result.to_json())
        else:
            show(result)
