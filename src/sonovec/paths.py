"""Where sonovec keeps files on the user's machine, how it writes them, and how paths become text."""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from sonovec.errors import UsageError

#: How the text of a path begins that is not UTF-8.
URI = "file://"


def cache_dir() -> Path:
    """Folder where what can be fetched or computed again is written: weights and converted graphs.

    ``SONOVEC_CACHE``, else ``cache`` in ``SONOVEC_HOME``, else the user's cache folder; a temporary folder where that
    cannot be written. What may be there already is looked up with `cached`.
    """
    return _writable(_cache_place(), "cache", "SONOVEC_CACHE")


def cached(*parts: str) -> Path:
    """Where something of the cache lies, or is to be written: a cache that cannot be written is still read."""
    place = _cache_place().joinpath(*parts)
    return place if os.access(place, os.F_OK) else cache_dir().joinpath(*parts)


def data_dir() -> Path:
    """Folder of what belongs to no other folder: ledgers of libraries that live on a server.

    ``SONOVEC_HOME``, else the user's data folder; a temporary folder where that cannot be written.
    """
    return _writable(_data_place(), "home", "SONOVEC_HOME")


def _cache_place() -> Path:
    if override := os.environ.get("SONOVEC_CACHE"):
        return Path(override)
    if home := os.environ.get("SONOVEC_HOME"):
        return Path(home, "cache")
    import platformdirs

    return Path(platformdirs.user_cache_dir("sonovec", appauthor=False))


def _data_place() -> Path:
    if override := os.environ.get("SONOVEC_HOME"):
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_data_dir("sonovec", appauthor=False))


def _writable(place: Path, name: str, variable: str) -> Path:
    if why_not_writable(place) is None:
        return place
    instead = _temporary() / name
    _say_once(place, instead, name, variable)
    return instead


@cache
def _say_once(place: Path, instead: Path, name: str, variable: str) -> None:
    reason = why_not_writable(place)
    logging.getLogger("sonovec").warning(
        f"the {name} folder {display(place)} cannot be written ({reason}); {display(instead)} is used instead; set "
        f"{variable} to a folder that you may write"
    )


@cache
def _temporary() -> Path:
    """A folder of this user's alone among the temporary files; the same in every run unless that name is taken."""
    user = getattr(os, "getuid", lambda: "files")()
    folder = Path(tempfile.gettempdir(), f"sonovec-{user}")
    with suppress(OSError):
        folder.mkdir(mode=0o700)
    with suppress(OSError):
        found = folder.lstat()
        is_private = os.name == "nt" or (found.st_uid == user and not found.st_mode & 0o077)
        if stat.S_ISDIR(found.st_mode) and is_private and why_not_writable(folder) is None:
            return folder
    return Path(tempfile.mkdtemp(prefix="sonovec-"))


def why_not_writable(folder: Path) -> str | None:
    """The reason why no file can be made in a folder that exists or is still to be made; None where one can.

    Nothing is made to find out.

    Examples
    --------
    >>> why_not_writable(Path.cwd()) is None, why_not_writable(Path(__file__, "folder"))
    (True, 'Not a directory')
    """
    for place in (folder, *folder.parents):
        if not os.access(place, os.F_OK):
            continue
        if not place.is_dir():
            return os.strerror(errno.ENOTDIR)
        if os.access(place, os.W_OK | os.X_OK):
            return None
        return os.strerror(errno.EROFS if _is_read_only(place) else errno.EACCES)
    return os.strerror(errno.EACCES)


def _is_read_only(folder: Path) -> bool:
    return hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


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


def check_output(target: Path) -> None:
    """Refuse a file that could not be written, before the work that makes its content; nothing is made.

    Raises
    ------
    UsageError
        `target` is a folder, or lies where this user may not write.
    """
    if target.is_dir():
        reason = os.strerror(errno.EISDIR)
    elif _is_special(target):
        reason = "" if os.access(target, os.W_OK) else os.strerror(errno.EACCES)
    else:
        reason = why_not_writable(_followed(target).parent) or ""
    if reason:
        raise _no_output(target, reason)


@contextmanager
def output(target: Path, *beside: Path) -> Iterator[tuple[Path, ...]]:
    """`atomic_together` for files that the user named.

    Raises
    ------
    UsageError
        The system refused to write; what was there before is still there.
    """
    try:
        with atomic_together(target, *beside) as temporaries:
            yield temporaries
    except OSError as error:
        raise _no_output(target, error.strerror or str(error)) from error


def _no_output(target: Path, reason: str) -> UsageError:
    remedy = "free some space, or give another place" if "space" in reason else "give another place"
    return UsageError(f"{display(target)}: cannot be written ({reason}); {remedy}")


@contextmanager
def atomic(target: Path, ending: str = "") -> Iterator[Path]:
    """Give a temporary path beside `target` that replaces it when the block ends without an error.

    After a crash or a power cut the target is the old file or the new one, and whole. A new file has the rights that
    the user's umask gives, and one that is replaced keeps its own. What a link points to is replaced, and not the
    link. A target that is no file, such as ``/dev/stdout`` or a pipe, is written into.
    """
    with atomic_together(target, ending=ending) as (temporary,):
        yield temporary


@contextmanager
def atomic_together(target: Path, *beside: Path, ending: str = "") -> Iterator[tuple[Path, ...]]:
    """The same for a file and others that describe it.

    All are complete before the first is replaced. The old ones of `beside` are removed before `target` is replaced and
    the new ones are put in place after it: a crash in between leaves one missing, never one that describes another file.
    """
    targets = (target, *beside)
    # Named before they are made: an interrupt at any moment leaves none behind.
    temporaries = tuple(_temporary_for(each, ending) for each in targets)
    try:
        for temporary, each in zip(temporaries, targets, strict=True):
            _begin(temporary, each)
        yield temporaries
        for temporary in temporaries:
            _sync(temporary)
        for each in beside:
            _followed(each).unlink(missing_ok=True)
        for temporary, each in zip(temporaries, targets, strict=True):
            _put(temporary, each)
    finally:
        for temporary in temporaries:
            with suppress(OSError):
                temporary.unlink()


def _temporary_for(target: Path, ending: str) -> Path:
    """Where to write what will be the target: beside it, or among the temporary files where it cannot be replaced."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    token = secrets.token_hex(4)
    if _is_special(target):
        return Path(tempfile.gettempdir(), f"sonovec-{token}{target.suffix}{ending}")
    place = _followed(target)
    return place.with_name(f".{place.stem[:32]}-{token}{place.suffix}{ending}")


def _begin(temporary: Path, target: Path) -> None:
    """Make an empty file that nobody may read who may not read the target."""
    temporary.parent.mkdir(parents=True, exist_ok=True)
    # The system takes the umask off; to ask for the umask itself would change it for other threads.
    rights = 0o600 if target.exists() else 0o666
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, rights))


def _put(temporary: Path, target: Path) -> None:
    if _is_special(target):
        with temporary.open("rb") as source, target.open("ab") as sink:
            shutil.copyfileobj(source, sink)
        return
    place = _followed(target)
    with suppress(FileNotFoundError):
        temporary.chmod(stat.S_IMODE(place.stat().st_mode))
    temporary.replace(place)
    with suppress(OSError):  # not every system can do this
        _sync(place.parent)


def _is_special(target: Path) -> bool:
    """Whether a target is no file that can be replaced: a device, a pipe, what is open under a number."""
    if target.is_relative_to("/proc") or (target.is_relative_to("/dev") and not target.is_relative_to("/dev/shm")):
        return True
    return target.exists() and not target.is_file()


def _followed(target: Path) -> Path:
    return Path(os.path.realpath(target))  # `Path.resolve` raises for links that go in circles


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
