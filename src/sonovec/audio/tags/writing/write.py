"""A tempo and a key into the tags of a file that has none: whole, proven, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from io import FileIO
from pathlib import Path

from sonovec.audio import magic
from sonovec.audio.section import Section, split_tags
from sonovec.audio.tags.names import NAMES
from sonovec.audio.tags.read import read_sources, read_tags
from sonovec.audio.tags.writing import id3, vorbis
from sonovec.audio.tags.writing.chunks import of_chunks
from sonovec.audio.tags.writing.mp4 import of_mp4
from sonovec.audio.tags.writing.pieces import NotWrittenError, Said, Writer, copied
from sonovec.audio.tags.writing.proof import held
from sonovec.paths import atomic

#: What writes tags inside a format; MPEG audio has them around it.
_INSIDE: Mapping[str, Writer] = {
    "flac": vorbis.of_flac,
    "ogg": vorbis.of_ogg,
    "wav": of_chunks,
    "aiff": of_chunks,
    "mp4": of_mp4,
}
_MPEG = "mpeg"
#: How the name of a new file ends until it is proven: one that a crash leaves there is not taken for a sound.
UNFINISHED = ".part"
FORMATS = "FLAC, WAV, AIFF, MP3, AAC, Ogg Vorbis, Opus and MP4"


def write_tags(
    path: str | os.PathLike[str],
    *,
    tempo: float | None = None,
    key: str | None = None,
    check: Callable[[], None] = lambda: None,
    ready: Callable[[Path], None] = lambda temporary: None,
) -> Said:
    """Write a tempo and a key into the tags of a file; what its tags say already is never replaced.

    The sound and all other tags are copied byte by byte, into a file beside it that takes its place once it was decoded and
    compared. After a crash there is the old file or the new one. Its rights and extended attributes are kept, and its time
    of modification is that of the writing.

    Parameters
    ----------
    path : path
    tempo : float, optional
        Beats a minute. ID3 and MP4 take the nearest whole number, Vorbis comments a tenth.
    key : str, optional
        As programs for disc jockeys read it, such as ``F#m``.
    check : callable
        Called again and again; what it raises ends the work, and the file is as it was.
    ready : callable
        Called with the new file when it is proven, before it takes the place of the old one.

    Returns
    -------
    Said
        What was written; None for what was there already.

    Raises
    ------
    NotWrittenError
        The file is left as it is; the text says why.

    Examples
    --------
    >>> write_tags("none.wav", tempo=120.0)
    Traceback (most recent call last):
    sonovec.audio.tags.writing.pieces.NotWrittenError: No such file or directory
    """
    place = Path(path)
    try:
        _refuse_place(place)
        said = _missing(place, Said(tempo, key))
        if said != Said():
            _write(place, said, check, ready)
    except OSError as error:
        raise NotWrittenError(error.strerror or str(error)) from error
    return said


def _refuse_place(path: Path) -> None:
    """Refuse what would be another file, or somebody else's, once it was replaced."""
    status = path.lstat()
    if path.is_symlink():
        raise NotWrittenError("it is a link; give the file itself")
    if not path.is_file():
        raise NotWrittenError("it is no file")
    if status.st_nlink > 1:
        raise NotWrittenError("it has other names (hard links), which would keep the old content")
    if not status.st_mode & 0o222 or not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise NotWrittenError("it may not be written")
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        raise NotWrittenError("it belongs to another user")
    if _is_locked(path):
        raise NotWrittenError("another program has locked it")


def _is_locked(path: Path) -> bool:
    try:
        import fcntl
    except ImportError:  # where an open file cannot be replaced anyway
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            return False
    return False


def _missing(path: Path, said: Said) -> Said:
    sources, notes = read_sources(path)
    if notes:
        raise NotWrittenError(f"its tags cannot be read: {'; '.join(notes)}")
    there = {field: any(name in source for source in sources for name in NAMES[field]) for field in ("bpm", "key")}
    return Said(None if there["bpm"] else said.tempo, None if there["key"] else said.key)


def _write(path: Path, said: Said, check: Callable[[], None], ready: Callable[[Path], None]) -> None:
    before = _state(path)
    try:
        with atomic(path, UNFINISHED) as temporary:
            with path.open("rb", buffering=0) as source, temporary.open("wb") as target:
                for block in _with(source, said):
                    check()
                    target.write(block)
            prove(path, temporary, said, check)
            shutil.copystat(path, temporary)  # extended attributes, too
            if (group := path.stat().st_gid) != temporary.stat().st_gid:
                os.chown(temporary, -1, group)
            os.utime(temporary)
            _refuse_changed(path, before)
            ready(temporary)
            _refuse_changed(path, before)
    except (ValueError, IndexError) as error:
        raise NotWrittenError(f"its tags cannot be read: {error}") from error


def _refuse_changed(path: Path, before: tuple[int, int, int, int]) -> None:
    if _state(path) != before:
        raise NotWrittenError("another program changed it meanwhile")


def _with(file: FileIO, said: Said) -> Iterator[bytes]:
    sound, _ = split_tags(file)
    whole = Section(file)
    before, behind = whole.part(0, sound.start), whole.part(sound.end)
    kind = magic.kind(sound.head()) or ""
    if kind == _MPEG:
        yield from id3.of_mpeg(before, said)
        yield from copied(sound)
    elif kind in _INSIDE:
        yield from copied(before)
        yield from _INSIDE[kind](sound, said)
    else:
        raise NotWrittenError(f"tags are written into {FORMATS} alone, and this is {kind or 'none of them'}")
    yield from copied(behind)


def prove(old: Path, new: Path, said: Said, check: Callable[[], None]) -> None:
    """Refuse a new file in which anything differs but what was to be said."""
    former, latter = held(old, check), held(new, check)
    if former.samples != latter.samples or former.packets != latter.packets:
        raise NotWrittenError("its sound or its pictures would not be the same")
    lost = former.texts - latter.texts
    if lost:
        raise NotWrittenError(f"its tag {next(iter(lost))[0]} would not be the same")
    expected = dict(read_tags(old))
    if said.tempo is not None:
        expected["file_tempo"] = None
    if said.key is not None:
        expected["file_key"] = said.key
    found = dict(read_tags(new))
    tempo = found.get("file_tempo")
    if said.tempo is not None and isinstance(tempo, float) and abs(tempo - said.tempo) <= 0.5:
        expected["file_tempo"] = tempo
    if found != expected:
        raise NotWrittenError("its tags would not be the same")


def _state(path: Path) -> tuple[int, int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
