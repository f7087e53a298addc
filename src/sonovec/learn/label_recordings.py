"""Finds the recordings that labels are about."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from sonovec.audio import names
from sonovec.audio.scan import Found, scan
from sonovec.errors import UsageError
from sonovec.paths import display, from_text


class Recordings:
    """The recordings in a folder, by what files of labels call them.

    Parameters
    ----------
    folder : Path
        Where paths begin that are not absolute. Below it, recordings are also found by their names alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, paths: Sequence[str]) -> Path | None:
        """The first of some texts of paths that is a recording; None where none is.

        Raises
        ------
        UsageError
            Several recordings have the name.
        """
        meant = [path for text in paths for path in _meant(text)]
        there = next((path for path in (self._folder / each for each in meant) if _is_file(path)), None)
        if there is not None:
            return there
        return next((found for each in meant if (found := self._named(each.name)) is not None), None)

    def beside(self, labels: Path) -> Path | None:
        """The recording that a file of labels is about, by the name of the file.

        That is the recording with the longest name that the name of the file begins with, as ``a.wav`` of ``a.txt``,
        ``a.Table.1.selections.txt`` and ``a.BirdNET.results.csv``; or the one that it ends with, as of ``barks.a.txt``.
        """
        name = _key(labels.name)
        stem = name.rpartition(".")[0].removesuffix(".selections")
        fitting = [each for each in self._stems if f"{name}.".startswith(f"{each}.")]
        fitting = fitting or [each for each in self._stems if stem.endswith(f".{each}")]
        return self._only(max(fitting, key=len), self._stems) if fitting else None

    def _named(self, name: str) -> Path | None:
        key = _key(name)
        if key in self._names:
            return self._only(key, self._names)
        if names.sounds(name):
            return None
        return self._only(key, self._stems) if key in self._stems else None

    def _only(self, key: str, found: dict[str, list[Path]]) -> Path:
        here = [path for path in found[key] if path.parent == self._folder]
        if len(found[key]) > 1 and len(here) != 1:
            first, second, *_ = found[key]
            raise UsageError(
                f"{key!r} could be {display(first)} or {display(second)}; write the path in the labels, or give audio= the "
                "folder that holds the right one"
            )
        return (here or found[key])[0]

    @cached_property
    def _all(self) -> list[Path]:
        return [item.path for item in scan([self._folder]) if isinstance(item, Found)]

    @cached_property
    def _names(self) -> dict[str, list[Path]]:
        return _by(self._all, lambda path: path.name)

    @cached_property
    def _stems(self) -> dict[str, list[Path]]:
        return _by(self._all, lambda path: path.stem)


def _by(paths: Sequence[Path], name: Callable[[Path], str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(_key(name(path)), []).append(path)
    return found


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - `Path.is_file` raises where a name is too long


def _meant(text: str) -> Iterator[Path]:
    """What a text may mean: a path, one as `sonovec.paths.display` shows it, or one of Windows."""
    yield from_text(text)
    if "\\" in text:
        yield Path(os.fsdecode(_SHOWN.sub(_byte, text.encode())))
        yield Path(text.replace("\\", "/"))


_SHOWN = re.compile(rb"\\(?:x([0-9a-f]{2})|([ntr]))")


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if match[1] else {b"n": b"\n", b"t": b"\t", b"r": b"\r"}[match[2]]


def _key(name: str) -> str:
    """One text for a name, however its accents are composed."""
    return unicodedata.normalize("NFC", name)
