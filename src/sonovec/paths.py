"""Where sonovec keeps files on the user's machine, and how paths become text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def cache_dir() -> Path:
    """Folder of what can be fetched or computed again: weights and converted graphs (``SONOVEC_CACHE``)."""
    if override := os.environ.get("SONOVEC_CACHE"):
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_cache_dir("sonovec", appauthor=False))


def data_dir() -> Path:
    """Folder of what cannot be computed again: ledgers of libraries that live on a server (``SONOVEC_HOME``)."""
    if override := os.environ.get("SONOVEC_HOME"):
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_data_dir("sonovec", appauthor=False))


def display(path: str | os.PathLike[str]) -> str:
    r"""Text of a path that can always be printed and stored: bytes that are not UTF-8 become ``\\xNN``.

    Examples
    --------
    >>> display("a b.wav")
    'a b.wav'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target` that replaces it when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem[:32]}-", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
