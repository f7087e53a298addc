"""The tags that audio files carry: title, artist, album, genre and year, whatever the format calls them."""

from __future__ import annotations

import os
import re
import struct
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from sonovec.library.records import Value

#: For each field the names that formats give it: easy and Vorbis names first, then ID3 frames, ASF, RIFF INFO.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "TIT2", "Title", "INAM"),
    "artist": ("artist", "TPE1", "Author", "IART"),
    "album": ("album", "TALB", "WM/AlbumTitle", "IPRD"),
    "genre": ("genre", "TCON", "WM/Genre", "IGNR"),
    "year": ("date", "TDRC", "year", "WM/Year", "originaldate", "ICRD"),
}
_YEAR = re.compile(r"(?<!\d)([12]\d{3})(?:(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))?(?!\d)")
_MOST_CHUNKS = 10_000


def read_tags(path: str | os.PathLike[str]) -> dict[str, Value]:
    """Read `title`, `artist`, `album`, `genre` (text) and `year` (an integer) of an audio file.

    What is missing is None. Several values of one tag are joined by "; ". Nothing is raised: tags that cannot be read
    are None, and then a sixth entry, `notes`, says why.

    Examples
    --------
    >>> read_tags("none.wav")["notes"]
    'tags not read: No such file or directory'
    """
    sources: list[Mapping[str, list[str]]] = []
    notes: list[str] = []
    try:
        with Path(path).open("rb") as file:
            for reader in _READERS:
                _attempt(reader, file, sources, notes)
    except OSError as error:
        notes.append(error.strerror or str(error))
    texts = {field: _first(sources, names) for field, names in _NAMES.items()}
    tags: dict[str, Value] = {**texts, "year": parse_year(texts["year"])}
    if notes:
        tags["notes"] = f"tags not read: {_clean('; '.join(dict.fromkeys(notes)))}"
    return tags


def parse_year(text: str | None) -> int | None:
    """Find the year in a date as people write it.

    Examples
    --------
    >>> [parse_year(text) for text in ("2003-05-01", "20030501", "05/2003", "(c) 1999", "0000", "soon")]
    [2003, 2003, 2003, 1999, None, None]
    """
    match = _YEAR.search(text or "")
    return int(match[1]) if match else None


def _attempt(
    reader: Callable[[BinaryIO], Mapping[str, list[str]]],
    file: BinaryIO,
    sources: list[Mapping[str, list[str]]],
    notes: list[str],
) -> None:
    """Run one reader: parsers of other people's bytes fail in every way there is, and the audio is good without."""
    file.seek(0)
    try:
        sources.append(reader(file))
    except Exception as error:  # noqa: BLE001
        notes.append(str(error) or type(error).__name__)


def _first(sources: Iterable[Mapping[str, list[str]]], names: Iterable[str]) -> str | None:
    for source in sources:
        for name in names:
            pieces = [_clean(piece) for text in source.get(name, []) for piece in text.split("\0")]
            if any(pieces):
                return "; ".join(dict.fromkeys(filter(None, pieces)))
    return None


def _clean(text: str) -> str:
    """Make one printable, storable line of a text: no control characters, no halves of surrogate pairs."""
    return " ".join("".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text).split())


def _mutagen(file: BinaryIO) -> dict[str, list[str]]:
    """Read what mutagen understands: ID3, Vorbis comments, MP4 atoms, ASF, APE."""
    import mutagen

    opened = mutagen.File(file, easy=True)
    if opened is None:
        file.seek(0)
        return _container(file)
    return _from_mapping(opened.tags)


def _id3(file: BinaryIO) -> dict[str, list[str]]:
    """Read a bare ID3 header: it may be whole where the MPEG frames after it are not."""
    if file.read(3) != b"ID3":
        return {}
    from mutagen.id3 import ID3

    file.seek(0)
    return _from_mapping(ID3(file))


def _ape(file: BinaryIO) -> dict[str, list[str]]:
    """Read an APE tag at the end of an MP3 file, where the usual reader looks for ID3 only."""
    from mutagen.apev2 import APENoHeaderError, APEv2

    try:
        return _from_mapping(APEv2(file))
    except APENoHeaderError:
        return {}


def _container(file: BinaryIO) -> dict[str, list[str]]:
    """Read the metadata of containers that mutagen does not know, such as WebM."""
    import av

    with av.open(file, metadata_errors="replace") as container:
        return {name.lower(): [text] for name, text in container.metadata.items()}


def _riff_info(file: BinaryIO) -> dict[str, list[str]]:
    """Read the INFO list of a WAV file, which mutagen leaves alone."""
    magic, _, form = struct.unpack("4sI4s", file.read(12).ljust(12, b"\0"))
    if magic not in (b"RIFF", b"RF64") or form != b"WAVE":
        return {}
    tags: dict[str, list[str]] = {}
    end = file.seek(0, os.SEEK_END)
    position = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        name, size = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
        if name == b"LIST" and file.read(4) == b"INFO":
            tags |= _info_items(file.read(min(size, end) - 4 if size > 4 else 0))
        position += 8 + size + size % 2
        if position >= end:
            break
    return tags


def _info_items(block: bytes) -> dict[str, list[str]]:
    items: dict[str, list[str]] = {}
    position = 0
    while position + 8 <= len(block):
        name, size = struct.unpack_from("<4sI", block, position)
        raw = block[position + 8 : position + 8 + size]
        items[name.decode("latin-1")] = [_decode(raw.rstrip(b"\0"))]
        position += 8 + size + size % 2
    return items


def _decode(raw: bytes) -> str:
    """Decode text whose encoding the format does not tell."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _from_mapping(tags: Mapping[str, object] | None) -> dict[str, list[str]]:
    """Give the tags we know by their names in the file, as lists of texts."""
    if tags is None:
        return {}
    values = {name: tags.get(name) for names in _NAMES.values() for name in names}
    return {name: _texts(value) for name, value in values.items() if value is not None}


def _texts(value: object) -> list[str]:
    """Give the texts of a list, of an ID3 frame (genres may be numbers there), or of a single value."""
    for attribute in ("genres", "text"):
        if isinstance(inner := getattr(value, attribute, None), list):
            return [str(item) for item in inner]
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


_READERS: tuple[Callable[[BinaryIO], Mapping[str, list[str]]], ...] = (_mutagen, _id3, _ape, _riff_info)
