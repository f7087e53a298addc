"""Recordings that are there several times under different names: the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from sonovec.errors import AudioError
from sonovec.library.identity import content_hash


def originals(paths: Iterable[Path], check: Callable[[], None] = lambda: None) -> dict[Path, Path]:
    """For each file that is a copy of one before it, that one; only files of one size are read.

    `check` is called between blocks, and may raise what ends it. Files that cannot be read are copies of none.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name, text in {"a": "one", "b": "two", "c": "one", "d": "three"}.items():
    ...     _ = (folder / name).write_text(text)
    >>> {copy.name: first.name for copy, first in originals(sorted(folder.iterdir())).items()}
    {'c': 'a'}
    """
    by_size: dict[int, list[Path]] = {}
    for path in dict.fromkeys(paths):
        if path.is_file():
            by_size.setdefault(path.stat().st_size, []).append(path)
    found: dict[Path, Path] = {}
    for alike in by_size.values():
        first: dict[str, Path] = {}
        for path in alike if len(alike) > 1 else ():
            with suppress(AudioError):
                original = first.setdefault(content_hash(path, check), path)
                if original is not path:
                    found[path] = original
    return found
