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


# What would break a line, move the cursor or reorder text: C0, DEL, C1, line and paragraph separators, bidi controls.
_UNPRINTABLE = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {code: chr(code).encode("unicode_escape").decode() for code in _UNPRINTABLE}


def display(path: str | bytes | os.PathLike[str]) -> str:
    r"""Text of a path on one line that can always be printed and stored.

    Bytes that are not UTF-8 become ``\xNN``; control characters, line breaks included, are escaped.

    Examples
    --------
    >>> display("a b.wav")
    'a b.wav'
    >>> print(display("two\nlines.wav"))
    two\nlines.wav
    """
    try:
        text = os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a surrogate pair: no file can be called that, yet errors must name it
        text = os.fsdecode(path).encode("utf-8", "backslashreplace").decode()
    return text.translate(_ESCAPES)


def absolute(path: str | os.PathLike[str]) -> Path:
    """The path from the root, without ``..``; links are left as they are, which `Path.resolve` would follow."""
    return Path(os.path.abspath(path))  # noqa: PTH100


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
