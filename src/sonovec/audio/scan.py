"""Find audio files in folders, in the same order every time, and say of everything else why it was left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from sonovec.audio import magic
from sonovec.audio.section import without_tags
from sonovec.paths import display

_ENDINGS = frozenset(
    ending
    for line in (
        "3g2 3gp aa3 aac ac3 adts aif aifc aiff alac amr ape asf au avi caf dff dsf dts eac3 f4a f4v flac flv gsm m2ts",
        "m4a m4b m4r m4v mka mkv mov mp1 mp2 mp3 mp4 mpa mpc mpeg mpg mpga oga ogg ogm ogv ogx oma opus ra rf64 rm",
        "rmvb snd spx tak tta voc vob w64 wav wave weba webm wma wmv wv",
    )
    for ending in line.split()
)


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
        Time of the last change, in nanoseconds.
    """

    path: Path
    size: int
    mtime_ns: int


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
    """

    path: Path
    reason: str
    failed: bool = False


def scan(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Found | Skipped]:
    """Walk through files and folders, lazily, each folder sorted by name.

    A file that is given is always found, whatever it is called; in folders, files with an audio or video ending are
    found, and of the others those that begin like audio. Names that begin with a dot are left out of folders. Links are
    followed; a file or folder that is reached twice counts once.

    Parameters
    ----------
    paths
        Files and folders.

    Yields
    ------
    Found or Skipped
        One for everything that was reached, except folders that were entered.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("b.mp3", "a.txt"):
    ...     _ = (folder / name).write_bytes(b"...")
    >>> [(item.path.name, type(item).__name__) for item in scan([folder])]
    [('a.txt', 'Skipped'), ('b.mp3', 'Found')]
    """
    walk = _Walk()
    for path in paths:
        yield from walk.explicit(Path(path))


class _Walk:
    """What was seen so far, by device and inode, so that links cannot loop and no file counts twice."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], Path] = {}

    def explicit(self, path: Path) -> Iterator[Found | Skipped]:
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            yield Skipped(path, _reason(error), failed=True)
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._folder(path, status)
        elif not stat.S_ISREG(status.st_mode):
            yield Skipped(path, "neither a file nor a folder", failed=True)
        else:
            yield self._repeated(path, status) or Found(path, status.st_size, status.st_mtime_ns)

    def _folder(self, path: Path, status: os.stat_result) -> Iterator[Found | Skipped]:
        """Walk a folder with a stack of its own: folders may be nested deeper than calls."""
        stack = [iter((path,))]
        opened: dict[Path, os.stat_result] = {path: status}
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif (status_of := opened.pop(entry, None)) is not None:
                if (repeated := self._repeated(entry, status_of)) is not None:
                    yield repeated
                    continue
                try:
                    inside = sorted(entry.iterdir(), key=os.fsencode)
                except OSError as error:
                    yield Skipped(entry, _reason(error), failed=True)
                    continue
                stack.append(iter(inside))
            else:
                item = self._entry(entry)
                if isinstance(item, os.stat_result):
                    opened[entry] = item
                    stack.append(iter((entry,)))
                else:
                    yield item

    def _entry(self, path: Path) -> Found | Skipped | os.stat_result:
        """Judge what lies in a folder; a folder is given back as its status."""
        if path.name.startswith("."):
            return Skipped(path, "hidden")
        try:
            status = path.stat()
        except OSError as error:
            return Skipped(path, _reason(error), failed=_has_ending(path))
        if stat.S_ISDIR(status.st_mode):
            return status
        if not stat.S_ISREG(status.st_mode):
            return Skipped(path, "neither a file nor a folder")
        try:
            audio = _has_ending(path) or _begins_like_audio(path)
        except OSError as error:
            return Skipped(path, _reason(error), failed=True)
        if not audio:
            return Skipped(path, "not audio")
        return self._repeated(path, status) or Found(path, status.st_size, status.st_mtime_ns)

    def _repeated(self, path: Path, status: os.stat_result) -> Skipped | None:
        first = self._seen.setdefault((status.st_dev, status.st_ino), path)
        return None if first is path else Skipped(path, f"the same as {display(first)}")


def _has_ending(path: Path) -> bool:
    return path.suffix[1:].lower() in _ENDINGS


def _begins_like_audio(path: Path) -> bool:
    with FileIO(path) as file:
        return magic.kind(without_tags(file).head()) is not None


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, PermissionError):
        return "may not be read"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"
