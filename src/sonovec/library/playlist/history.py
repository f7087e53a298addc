"""What was played: a text file with a line for each track, its id and its path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from sonovec.errors import UsageError
from sonovec.paths import display, output, printable

HEADING = "# sonovec history: tracks that playlists have had, by id and path"
_LINE = re.compile(r"([0-9a-f]{16,64})(\t.*)?")


def read(path: Path) -> frozenset[str]:
    """The ids of what was played; none where there is no such file yet.

    Raises
    ------
    UsageError
        If the file cannot be read, or is no history.
    """
    return frozenset(line.partition("\t")[0] for line in _lines(path) if not line.startswith("#"))


def add(path: Path, played: Iterable[tuple[str, str]]) -> None:
    """Add tracks, by id and path, behind what is there; the file is replaced as a whole.

    Raises
    ------
    UsageError
        If the file cannot be read or written, or is no history.
    """
    lines = _lines(path) or [HEADING]
    known = {line.partition("\t")[0] for line in lines}
    lines += [f"{id}\t{printable(text)}" for id, text in played if id not in known]
    with output(path) as (temporary,):
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{display(path)}: the history cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _not_one(path, "it is not text") from error
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#") and not _LINE.fullmatch(line):
            raise _not_one(path, f"line {number} does not begin with the id of a track")
    return [line for line in lines if line.strip()]


def _not_one(path: Path, reason: str) -> UsageError:
    return UsageError(f"{display(path)}: is not a history of playlists ({reason}); give another file, or a new one")
