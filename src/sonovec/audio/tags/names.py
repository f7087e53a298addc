"""Which tags are read, what each format calls them, and how much of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sonovec.audio.section import Section

#: Gives names and texts as they lie in a tag, only such names as are in `WANTED`. What was given before an error counts.
Reader = Callable[[Section], Iterator[tuple[str, str]]]

#: The names of each field, the best first: of Vorbis, APE, ID3v1 and FFmpeg, then ID3 (2.4, 2.3, 2.2), MP4, ASF, RIFF, AIFF;
#: the tempo also of the chunk that programs for loops write.
NAMES: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "TIT2", "TT2", "©nam", "Title", "INAM", "NAME"),
    "artist": ("artist", "TPE1", "TP1", "©ART", "Author", "IART", "AUTH"),
    "album": ("album", "TALB", "TAL", "©alb", "WM/AlbumTitle", "IPRD"),
    "genre": ("genre", "TCON", "TCO", "©gen", "gnre", "WM/Genre", "IGNR"),
    "date": (
        *("date", "TDRC", "TYER", "TYE", "©day", "year", "WM/Year", "ICRD"),
        *("originaldate", "TDOR", "TORY", "TOR"),
    ),
    "bpm": ("bpm", "TBPM", "TBP", "tmpo", "----:bpm", "WM/BeatsPerMinute", "tempo of ACID"),
    "key": ("initialkey", "key", "TKEY", "TKE", "----:initialkey", "----:key", "WM/InitialKey"),
}  # fmt: skip
WANTED = frozenset(name for names in NAMES.values() for name in names)

#: Bytes of one text; what claims more is no title, and would fill the memory.
MOST_BYTES = 1 << 20
#: Frames, comments, atoms or items of one tag.
MOST_ITEMS = 10_000


def check_size(name: str, size: int) -> None:
    """Refuse a text that is too long to be one.

    Raises
    ------
    ValueError
    """
    if size > MOST_BYTES:
        raise ValueError(f"{name} takes {size} bytes, more than any text of a tag")


def decode(raw: bytes) -> str:
    r"""Decode text whose encoding the format does not tell, or tells wrongly: UTF-8, else that of old Windows programs.

    Examples
    --------
    >>> decode(b"Bl\xe5b\xe6r"), decode("Blåbær".encode())
    ('Blåbær', 'Blåbær')
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
