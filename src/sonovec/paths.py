"""Where sonovec keeps files on the user's machine, and how paths become text."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

#: How the text of a path begins that is not UTF-8.
URI = "file://"


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


def printable(text: str) -> str:
    r"""A text on one line that does nothing to a terminal: control characters, line breaks included, are escaped.

    Examples
    --------
    >>> print(printable("two\nlines"))
    two\nlines
    """
    return text.translate(_ESCAPES)


def display(path: str | bytes | os.PathLike[str]) -> str:
    r"""A path for people to read: `printable`, and bytes that are not UTF-8 become ``\xNN``.

    It is for terminals and messages; what is stored or handed on is `to_text`.

    Examples
    --------
    >>> display("a b.wav")
    'a b.wav'
    >>> print(display("two\nlines.wav"))
    two\nlines.wav
    """
    return printable(name_of(path))


def name_of(path: str | bytes | os.PathLike[str]) -> str:
    r"""A file's name as Unicode text, whatever it holds; bytes that are not UTF-8 become ``\xNN``."""
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a surrogate pair: no file can be called that, yet errors must name it
        return os.fsdecode(path).encode("utf-8", "backslashreplace").decode()


def to_text(path: str | os.PathLike[str]) -> str:
    r"""A path as Unicode text that can be stored anywhere and from which `from_text` makes the path again.

    It is the path itself, as it is. Only a path with bytes that are not UTF-8 becomes a ``file://`` URI (RFC 8089) of the
    absolute path, with such bytes as ``%NN``. No `Path` begins with ``file://``, so the two forms cannot be confused.

    Examples
    --------
    >>> to_text(Path("Musik/Löwe.wav"))
    'Musik/Löwe.wav'
    >>> to_text(Path(os.fsdecode(b"/Musik/L\xf6we.wav")))
    'file:///Musik/L%F6we.wav'
    """
    name = os.fspath(path)
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        place = absolute(path).as_posix()
        return URI + quote_from_bytes(os.fsencode(place if place.startswith("/") else f"/{place}"))


def from_text(text: str) -> Path:
    """The path of a text that `to_text` gave.

    Examples
    --------
    >>> from_text("Musik/Löwe.wav") == Path("Musik/Löwe.wav")
    True
    >>> from_text("file:///Musik/L%C3%B6we.wav") == Path("/Musik/Löwe.wav")
    True
    """
    if not text.startswith(f"{URI}/"):
        return Path(text)
    place = os.fsdecode(unquote_to_bytes(text.removeprefix(URI)))
    return Path(place.removeprefix("/") if re.match("/[A-Za-z]:", place) and os.name == "nt" else place)


def known_texts(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Texts by which a library may hold a path: `to_text`, and `display`, which older versions stored."""
    return to_text(path), display(path)


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
