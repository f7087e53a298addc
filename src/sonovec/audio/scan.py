"""Find audio files in folders, in the same order every time, and say of everything else why it was left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from sonovec.audio import magic, names
from sonovec.audio.section import without_tags
from sonovec.paths import display


@dataclass(frozen=True)
class Found:
    """A file that may hold audio; the decoder has the last word.

    Attributes
    ----------
    path
        As it was reached, not resolved.
    size
        Bytes.
    mtime_ns
        Time of the last change of the content, in nanoseconds.
    ctime_ns
        Time of the last change of the content, the name or the rights, in nanoseconds; nobody can set it back.
    """

    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was left out.

    Attributes
    ----------
    path
        As it was reached.
    reason
        Why, in a few words.
    failed
        Whether something that was asked for may be missing, so that a command should not claim success.
    by_custom
        Whether it was left out for what it is called or belongs to, and may hold sound all the same.
    first
        For a file that was reached before, by a link or twice: the path that counts.
    """

    path: Path
    reason: str
    failed: bool = False
    by_custom: bool = False
    first: Path | None = None


def scan(
    paths: Iterable[str | os.PathLike[str]], is_own: Callable[[Path], bool] = lambda path: False
) -> Iterator[Found | Skipped]:
    """Walk through files and folders, lazily, each folder sorted by name; the names of one folder at a time are kept.

    A file that is given is always found, whatever it is called; in folders, files with an audio or video ending are
    found, and of the others those that begin like audio. What systems and tools hide in folders is left out
    (`sonovec.audio.names`), and so are downloads that are not finished and libraries of sonovec. A name that begins with
    a dot is not hidden for that alone: ``...And Justice for All`` is walked through, and ``.intro.mp3`` is found if it
    begins like audio. Links are followed; a file or folder that is reached twice counts once.

    Parameters
    ----------
    paths
        Files and folders.
    is_own
        Says of a path in a folder that the caller writes it, so that it is passed over without a word.

    Yields
    ------
    Found or Skipped
        One for everything that was reached, except folders that were entered.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("b.mp3", "a.txt", "c.mp3.part"):
    ...     _ = (folder / name).write_bytes(b"...")
    >>> [(item.path.name, getattr(item, "reason", "found")) for item in scan([folder])]
    [('a.txt', 'not audio'), ('b.mp3', 'found'), ('c.mp3.part', 'an unfinished download')]
    """
    walk = _Walk(is_own)
    for path in paths:
        yield from walk.explicit(Path(path))


@dataclass
class _Folder:
    """A folder: as it was reached, where it really lies, and how far the walk has come in it."""

    path: Path
    real: str
    passed: bytes | None = field(default=b"", init=False)  #: up to this name; None for all of it

    def has_passed(self, name: bytes) -> bool:
        return self.passed is None or name < self.passed


#: A name in a folder, and what the folder says it is: ``d`` for a folder, ``f`` for a file, ``l`` for a link (or unknown).
_Name = tuple[bytes, str]


class _Walk:
    """What was seen so far, by its path without links, so that links cannot loop and no file counts twice.

    Not by device and inode: some file systems give all files the same number, or one number to two files. Files are not
    remembered one by one, since there may be millions of them: that one was found in its folder follows from how far the
    walk has come there. Only those that were reached in another way, given or by a link, are kept.
    """

    def __init__(self, is_own: Callable[[Path], bool]) -> None:
        self._is_own = is_own
        self._folders: dict[str, _Folder] = {}
        self._elsewhere: dict[str, Path] = {}

    def explicit(self, path: Path) -> Iterator[Found | Skipped]:
        try:
            status = path.stat()
            real = os.path.realpath(path)
        except (OSError, ValueError) as error:
            yield Skipped(path, _reason(error), failed=True)
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._folder(_Folder(path, real))
        elif not stat.S_ISREG(status.st_mode):
            yield Skipped(path, "neither a file nor a folder", failed=True)
        else:
            yield self._by_another_way(path, real) or _found(path, status)

    def _folder(self, folder: _Folder) -> Iterator[Found | Skipped]:
        """Walk a folder with a stack of its own: folders may be nested deeper than calls."""
        stack: list[Iterator[Found | Skipped | _Folder]] = [iter((folder,))]
        while stack:
            item = next(stack[-1], None)
            if item is None:
                stack.pop()
            elif isinstance(item, _Folder):
                inside = self._enter(item, given=item is folder)
                if isinstance(inside, Skipped):
                    yield inside
                else:
                    stack.append(inside)
            else:
                yield item

    def _enter(self, folder: _Folder, given: bool) -> Skipped | Iterator[Found | Skipped | _Folder]:
        first = self._folders.setdefault(folder.real, folder)
        if first is not folder:
            return _same(folder.path, first.path)
        try:
            with os.scandir(folder.path) as listing:
                inside = sorted((os.fsencode(entry.name), _kind(entry)) for entry in listing)
        except OSError as error:
            return Skipped(folder.path, _reason(error), failed=True)
        marks = {name.decode() for name, _ in inside if name in names.MARKS}
        if (reason := names.library(folder.path.name, marks)) is not None:
            return Skipped(folder.path, reason, failed=given, by_custom=True)
        return self._inside(folder, inside)

    def _inside(self, folder: _Folder, inside: list[_Name]) -> Iterator[Found | Skipped | _Folder]:
        for name, kind in inside:
            folder.passed = name
            item = self._entry(folder, os.fsdecode(name), kind)
            if item is not None:
                yield item
        folder.passed = None

    def _entry(self, folder: _Folder, name: str, kind: str) -> Found | Skipped | _Folder | None:
        """Judge what lies in a folder."""
        path = folder.path / name
        if self._is_own(path):
            return None
        try:
            is_folder = kind == "d" or (kind == "l" and path.is_dir())
            if (reason := names.left_out(name, is_folder)) is not None:
                return Skipped(path, reason, by_custom=True)
            if is_folder:
                return _Folder(path, os.path.realpath(path) if kind == "l" else _real(folder, name))
            status = os.stat(path)  # noqa: PTH116 - it is called for each file, and twice as fast
        except OSError as error:
            return Skipped(path, _reason(error), failed=_sounds(name))
        if not stat.S_ISREG(status.st_mode):
            return Skipped(path, "neither a file nor a folder")
        try:
            audio = _sounds(name) or _begins_like_audio(path)
        except OSError as error:
            return Skipped(path, _reason(error), failed=True)
        if not audio:
            return _no_audio(path)
        if kind == "l":
            return self._by_another_way(path, os.path.realpath(path)) or _found(path, status)
        first = self._elsewhere.get(_real(folder, name)) if self._elsewhere else None
        return _found(path, status) if first is None else _same(path, first)

    def _by_another_way(self, path: Path, real: str) -> Skipped | None:
        """Note a file that was given or reached by a link, unless it was found before."""
        first = self._found_in_folder(real) or self._elsewhere.setdefault(real, path)
        return None if first is path else _same(path, first)

    def _found_in_folder(self, real: str) -> Path | None:
        """The path of a file in its folder, if the walk has found it there."""
        place, name = os.path.split(real)
        folder = self._folders.get(place)
        if folder is None or not folder.has_passed(os.fsencode(name)):
            return None
        path = folder.path / name
        if real in self._elsewhere or self._is_own(path) or names.left_out(name, is_folder=False) is not None:
            return None
        try:
            return path if _is_audio(path) else None
        except OSError:
            return None


def _real(folder: _Folder, name: str) -> str:
    return os.path.join(folder.real, name)  # noqa: PTH118 - a text, as `realpath` gives


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        return "l" if entry.is_symlink() else "d" if entry.is_dir(follow_symlinks=False) else "f"
    except OSError:
        return "l"


def _same(path: Path, first: Path) -> Skipped:
    return Skipped(path, f"the same as {display(first)}", first=first)


def _found(path: Path, status: os.stat_result) -> Found:
    return Found(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _sounds(name: str) -> bool:
    """Whether a name alone promises sound; one that begins with a dot does not, since many that do are hidden."""
    return names.sounds(name) and not name.startswith(".")


def _no_audio(path: Path) -> Skipped:
    if not (path.name.startswith(".") and names.sounds(path.name)):
        return Skipped(path, "not audio")
    custom = "a resource fork of macOS" if path.name.startswith("._") else "it does not begin like audio"
    return Skipped(path, f"hidden: {custom}", by_custom=True)


def _is_audio(path: Path) -> bool:
    return _sounds(path.name) or _begins_like_audio(path)


def _begins_like_audio(path: Path) -> bool:
    with FileIO(path) as file:
        return magic.kind(without_tags(file).head()) is not None


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, PermissionError):
        return "may not be read"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"
