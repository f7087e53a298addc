"""What a place holds that a user gave: a library, or files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sonovec.audio import names
from sonovec.library.library import Library


def library_at(place: str | os.PathLike[str] | Library) -> Library | None:
    """The library that a place is; None where it is a file or any other folder.

    Examples
    --------
    >>> library_at("sounds") is None, library_at("http://localhost:19530/sounds")
    (True, Library('http://localhost:19530/sounds'))
    """
    if isinstance(place, Library):
        return place
    text = os.fspath(place)
    if re.match("https?://", text):
        return Library(text)
    path = Path(text).expanduser()
    if not path.exists():
        return None
    inside = {each.name for each in path.iterdir()} if path.is_dir() else set()
    if names.library(path.name, inside) or (path.suffix == ".db" and path.is_file()):
        return Library(path)
    return None
