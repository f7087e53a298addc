"""The files of a library on this machine: what is its own, and whether it may be written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from sonovec.library.location import Location, ledger_path
from sonovec.paths import why_not_writable

#: How the names begin of what a library in a folder may hold before it is complete.
OWN_NAMES = ("ledger.", "tables", "tracks.lance", "segments.lance", ".library-", "damaged")


def read_only_for(location: Location) -> str | None:
    """Why this user cannot write a library, or None."""
    root, ledger = Path(location.address), ledger_path(location)
    tables = (folder for place in ("", "tables/") for folder in root.glob(f"{place}*.lance/*/"))
    folders = {"lance": [root, *tables], "milvus-lite": [root.parent, root], "milvus": []}
    reasons = map(why_not_writable, [ledger.parent, *folders[location.kind]])
    closed = os.strerror(errno.EACCES) if ledger.exists() and not os.access(ledger, os.W_OK) else None
    return next(filter(None, reasons), closed)


def is_own(location: Location) -> Callable[[Path], bool]:
    """What tells a library's own files, which may lie among the sounds."""
    place = Path(location.address)
    if location.kind == "lance":
        return lambda path: os.fspath(path) == location.address
    beside = tuple(f"{name}." for name in (place.name, ledger_path(location).with_suffix("").name))
    lite = location.kind == "milvus-lite"
    return lambda path: lite and f"{path.name}.".startswith(beside) and path.parent == place.parent


def is_foreign(location: Location) -> bool:
    """Whether a folder holds other things than a library: one that was begun and not finished does not."""
    folder = Path(location.address)
    if location.kind != "lance" or not folder.is_dir():
        return False
    return not all(path.name.startswith(OWN_NAMES) for path in folder.iterdir())
