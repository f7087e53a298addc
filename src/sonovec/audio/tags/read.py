"""The tags that audio files carry: title, artist, album, genre, year, tempo and key, whatever the format calls them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from io import FileIO
from pathlib import Path

from sonovec.audio import magic
from sonovec.audio.section import Section, split_tags
from sonovec.audio.tags import ape, asf, chunks, container, file_name, id3, mp4, vorbis
from sonovec.audio.tags.names import NAMES, Reader, check_size

#: Slowest and fastest tempo that a tag may tell, in beats a minute; programs write 0 where they know none.
SLOWEST, FASTEST = 20.0, 400.0
#: Letters of a key; what is longer names none.
MOST_OF_KEY = 100
_BPM = re.compile(r"\d+(?:[.,]\d+)?")
_YEAR = re.compile(r"(?<!\d)([12]\d{3})(?:(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))?(?!\d)")

#: What reads the tags inside a format, the best first; a format that is not here is left to FFmpeg.
_INSIDE: Mapping[str, tuple[Reader, ...]] = {
    "flac": (vorbis.of_flac,),
    "ogg": (vorbis.of_ogg,),
    "mp4": (mp4.read,),
    "asf": (asf.read,),
    "wav": (chunks.of_id3, chunks.of_texts),
    "aiff": (chunks.of_id3, chunks.of_texts),
    "dsf": (id3.of_dsf,),
    **dict.fromkeys(("mpeg", "ac3", "wavpack", "ape", "tta", "musepack"), ()),  # these have tags around them alone
}
#: What reads the tags around any format. ID3v1 comes last: it cuts off every text.
_AROUND: tuple[Reader, ...] = (id3.read, ape.read, id3.read_old)

#: Fields of a track, and notes.
Tags = dict[str, str | int | float | None]


def read_tags(path: str | os.PathLike[str]) -> Tags:
    """Read `title`, `artist`, `album`, `genre` (text) and `year` (an integer) of an audio file.

    What is missing is None. Several values of one tag are joined by "; ". Two further entries are there only where the file
    tells them: `file_tempo` (a number, in beats a minute) and `file_key` (text, as the file writes it); where no tag tells
    them, the name of the file may (`sonovec.audio.tags.file_name`). Nothing is raised: tags that cannot be read are None, and
    then an entry `notes` says why.

    Examples
    --------
    >>> read_tags("none.wav")["notes"]
    'tags not read: No such file or directory'
    """
    sources, notes = read_sources(path)
    sources.append(file_name.claims_of(path))
    texts = {field: _first(sources, names) for field, names in NAMES.items()}
    tags: Tags = {**texts, "year": parse_year(texts["date"])}
    del tags["date"], tags["bpm"], tags["key"]
    said = {
        "file_tempo": parse_tempo(texts["bpm"]),
        "file_key": texts["key"] if len(texts["key"] or "") <= MOST_OF_KEY else None,
    }
    tags |= {name: value for name, value in said.items() if value is not None}
    if notes:
        tags["notes"] = f"tags not read: {_clean('; '.join(dict.fromkeys(notes)))}"
    return tags


def read_sources(path: str | os.PathLike[str]) -> tuple[list[Mapping[str, list[str]]], list[str]]:
    """Read the texts of each tag of a file by the format's own names, the best tag first, and what could not be read."""
    sources: list[Mapping[str, list[str]]] = []
    notes: list[str] = []
    try:
        with Path(path).open("rb", buffering=0) as file:
            for reader, section in _readers(file):
                sources.append(_attempt(reader, section, notes))
    except OSError as error:
        notes.append(error.strerror or str(error))
    return sources, notes


def no_tags(reason: str) -> Tags:
    """What `read_tags` gives where nothing could be read.

    Examples
    --------
    >>> no_tags("gone")
    {'title': None, 'artist': None, 'album': None, 'genre': None, 'year': None, 'notes': 'tags not read: gone'}
    """
    return {**dict.fromkeys(("title", "artist", "album", "genre", "year")), "notes": f"tags not read: {reason}"}


def parse_year(text: str | None) -> int | None:
    """Find the year in a date as people write it.

    Examples
    --------
    >>> [parse_year(text) for text in ("2003-05-01", "20030501", "05/2003", "(c) 1999", "0000", "soon")]
    [2003, 2003, 2003, 1999, None, None]
    """
    match = _YEAR.search(text or "")
    return int(match[1]) if match else None


def parse_tempo(text: str | None) -> float | None:
    """Find the beats a minute in what a tag tells; None where no music has such a tempo.

    Examples
    --------
    >>> [parse_tempo(text) for text in ("128", "87,5 BPM", "0", "fast", None)]
    [128.0, 87.5, None, None, None]
    """
    found = _BPM.search(text or "")
    tempo = float(found[0].replace(",", ".")) if found else 0.0
    return tempo if SLOWEST <= tempo <= FASTEST else None


def _readers(file: FileIO) -> Iterable[tuple[Reader, Section]]:
    """Give what may read a tag of the file, and where, the best first."""
    sound, tags = split_tags(file)
    head = sound.head()
    known = None if magic.id3_length(head) else magic.kind(head)  # behind a tag that stayed there is nothing known
    for reader in _INSIDE.get(known or "", (container.read,)):
        yield reader, sound
    for reader in _AROUND:
        for tag in tags:
            yield reader, tag


def _attempt(reader: Reader, section: Section, notes: list[str]) -> dict[str, list[str]]:
    """Run one reader: parsers of other people's bytes fail in every way there is, and the audio is good without."""
    found: dict[str, list[str]] = {}
    try:
        size = 0
        for name, text in reader(section):
            size += len(text) + 1
            check_size("all of it together", size)
            found.setdefault(name, []).append(text)
    except Exception as error:  # noqa: BLE001
        notes.append(str(error) or type(error).__name__)
    return found


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
