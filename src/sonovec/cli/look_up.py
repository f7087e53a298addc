"""What lies under the paths that a command was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonovec.audio.scan import Skipped


@dataclass(frozen=True)
class Seen:
    """The files that hold sound, those that cannot be read with the reason, and what else was skipped."""

    found: list[Path]
    failures: list[tuple[str, str]]
    skipped: list[Skipped]


def look_up(paths: Sequence[Path]) -> Seen:
    """Look for audio under paths.

    Raises
    ------
    UsageError
        There is none.
    """
    from sonovec.audio.scan import Found, scan
    from sonovec.errors import UsageError
    from sonovec.paths import display, to_text

    seen = list(scan(paths))
    found = [item.path for item in seen if isinstance(item, Found)]
    others = [item for item in seen if not isinstance(item, Found)]
    failures = [(to_text(item.path), item.reason) for item in others if item.failed]
    if not found and not failures:
        raise UsageError(f"no audio files in {', '.join(map(display, paths))}; give files or folders that hold sound")
    return Seen(found, failures, [item for item in others if not item.failed])
