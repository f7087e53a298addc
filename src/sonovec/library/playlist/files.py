"""Files of playlists: M3U8, XSPF, JSPF and JSON, by the ending of their names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from sonovec.errors import UsageError
from sonovec.library.playlist.cues import Cues
from sonovec.library.roots import alias_in
from sonovec.paths import URI, absolute, display, from_text, name_of, output

#: Names what XSPF and JSPF hold of sonovec's own: cue points, tempo and key.
CUES, TEMPO, KEY = "urn:sonovec:cues", "urn:sonovec:tempo", "urn:sonovec:key"
XSPF_NAMES = "http://xspf.org/ns/0/"
#: What VLC reads in a track of an XSPF file.
VLC, VLC_NAMES = "http://www.videolan.org/vlc/playlist/0", "http://www.videolan.org/vlc/playlist/ns/0/"
#: Characters that XML 1.0 cannot hold.
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Item:
    """A sound, by its path as `sonovec.paths.to_text` writes it, or the stretch of it from `start` to `end`, in seconds.

    `cues` has more of where it starts and ends; `about` holds texts by the name of what they say, such as `TEMPO`.
    """

    path: str
    fields: Mapping[str, object] = field(default_factory=dict)
    start: float | None = None
    end: float | None = None
    cues: Cues | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How long it is heard, if that is known."""
        if self.start is not None and self.end is not None:
            return self.end - self.start
        duration = self.fields.get("duration")
        return None if duration is None else float(str(duration))

    def text(self, name: str) -> str:
        """A field as text on one line; empty where there is none."""
        return " ".join(str(self.fields.get(name) or "").split())

    @property
    def title(self) -> str:
        """What people call it: its title, or else the file's name without its ending, as Unicode text."""
        return self.text("title") or " ".join(name_of(from_text(self.path).stem).split())


@dataclass(frozen=True)
class LeftOut:
    """What a playlist does not hold: a path, and why."""

    path: str
    reason: str


Items = Sequence[Item]


def write(target: Path, items: Items, title: str = "", relative_to: Path | None = None) -> list[LeftOut]:
    """Write a playlist, in the format that the ending of its name says; the file is written whole or not at all.

    Parameters
    ----------
    target : Path
        Its name ends in one of `ENDINGS`.
    items : sequence of Item
    title : str
        Of the playlist, where the format has one.
    relative_to : Path, optional
        Write paths as they are seen from this folder; without it, paths from the root.

    Returns
    -------
    list of LeftOut
        What the format cannot hold, or is not on this machine.

    Raises
    ------
    UsageError
        If the ending is unknown, or the file cannot be written.
    """
    of_format = format_of(target)
    here, left_out = _here(items)
    content, more = of_format(here, title, None if relative_to is None else absolute(relative_to))
    with output(target) as (temporary,):
        temporary.write_bytes(content)
    return left_out + more


def m3u(items: Items, title: str = "", relative_to: Path | None = None) -> tuple[bytes, list[LeftOut]]:
    """A playlist as M3U8, and what it cannot hold.

    A stretch begins and ends in players that know the options of VLC; others play the whole sound.
    """
    here, left_out = _here(items)
    lines = [b"#EXTM3U"]
    for item in here:
        name = _path(item, relative_to)
        if b"\n" in name or b"\r" in name:
            left_out.append(LeftOut(item.path, "a playlist has no way to write a name with a line break"))
            continue
        options = [
            f"#EXTVLCOPT:{option}-time={seconds:.3f}".encode()
            for option, seconds in (("start", item.start), ("stop", item.end))
            if seconds is not None
        ]
        length = -1 if item.seconds is None else round(item.seconds)
        called = " - ".join(filter(None, (item.text("artist"), _title_m3u(item))))
        # What begins with # would be read as a remark.
        told = b"./" + name if name.startswith(b"#") else name
        lines += [f"#EXTINF:{length},{called}".encode(errors="surrogateescape"), *options, told]
    return b"\n".join(lines) + b"\n", left_out


def xspf(items: Items, title: str = "", relative_to: Path | None = None) -> tuple[bytes, list[LeftOut]]:
    """A playlist as XSPF 1 (xspf.org), and what it cannot hold."""
    from xml.etree import ElementTree as xml

    def add(parent: xml.Element, name: str, text: str | None = None, **attributes: str) -> xml.Element:
        element = xml.SubElement(parent, name, attributes)
        element.text = None if text is None else _NOT_XML.sub("\ufffd", text)
        return element

    root = xml.Element("playlist", {"version": "1", "xmlns": XSPF_NAMES, "xmlns:vlc": VLC_NAMES})
    if title:
        add(root, "title", title)
    tracks = add(root, "trackList")
    for item in items:
        track = add(tracks, "track")
        for name, text in _elements(item, relative_to).items():
            add(track, name, text)
        for name, text in item.about.items():
            add(track, "meta", text, rel=name)
        if item.cues is not None:
            known = {name: f"{value:.3f}" for name, value in item.cues.to_json().items() if value is not None}
            cue = {name.replace("_", "-"): value for name, value in known.items()}
            xml.SubElement(add(track, "extension", application=CUES), "cues", {"xmlns": CUES, **cue})
        if item.start is not None or item.end is not None:
            options = add(track, "extension", application=VLC)
            for name, seconds in (("start", item.start), ("stop", item.end)):
                if seconds is not None:
                    add(options, "vlc:option", f"{name}-time={seconds:.3f}")
    xml.indent(root)
    return xml.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n", []


def jspf(items: Items, title: str = "", relative_to: Path | None = None) -> tuple[bytes, list[LeftOut]]:
    """A playlist as JSPF, which is XSPF in JSON, and what it cannot hold."""
    tracks = []
    for item in items:
        elements: dict[str, Any] = dict(_elements(item, relative_to))
        elements["location"] = [elements["location"]]
        if "duration" in elements:
            elements["duration"] = int(elements["duration"])
        meta = [{name: text} for name, text in item.about.items()]
        cues = {} if item.cues is None else {"extension": {CUES: [item.cues.to_json()]}}
        tracks.append({**elements, **({"meta": meta} if meta else {}), **cues})
    named = {"title": title} if title else {}
    return _json({"playlist": {**named, "track": tracks}}), []


def plain(items: Items, title: str = "", relative_to: Path | None = None) -> tuple[bytes, list[LeftOut]]:
    """A playlist as JSON of sonovec's own: a list of tracks with their fields."""
    tracks = [
        {
            "path": _text(item, relative_to),
            "start": item.start,
            "end": item.end,
            "cues": None if item.cues is None else item.cues.to_json(),
            **{name: value for name, value in item.fields.items() if name not in ("path", "start", "end", "cues")},
        }
        for item in items
    ]
    return _json({"title": title, "tracks": tracks}), []


Format = Callable[[Items, str, "Path | None"], tuple[bytes, list[LeftOut]]]
FORMATS: Mapping[str, Format] = {".m3u8": m3u, ".m3u": m3u, ".xspf": xspf, ".jspf": jspf, ".json": plain}
#: The endings that are known.
ENDINGS = ", ".join(FORMATS)


def format_of(target: Path) -> Format:
    """What writes the format that the ending of a name says.

    Raises
    ------
    UsageError
        If the ending is unknown.
    """
    found = FORMATS.get(target.suffix.lower())
    if found is None:
        raise UsageError(
            f"{display(target)}: {target.suffix or 'no ending'} is not a format of playlists; end the name in one of: "
            f"{ENDINGS}"
        )
    return found


def uri(path: Path, relative_to: Path | None = None) -> str:
    """A path as a URI (RFC 3986), byte for byte; relative to a folder if one is given.

    Examples
    --------
    >>> uri(Path("/music/R&B <1>.mp3")), uri(Path("/music/50% a:b.mp3"), Path("/music/lists"))
    ('file:///music/R%26B%20%3C1%3E.mp3', '../50%25%20a%3Ab.mp3')
    """
    if relative_to is not None:
        return quote_from_bytes(os.fsencode(_relative(path, relative_to)))
    place = absolute(path).as_posix()
    return URI + quote_from_bytes(os.fsencode(place if place.startswith("/") else f"/{place}"))


def _elements(item: Item, relative_to: Path | None) -> dict[str, str]:
    """What XSPF and JSPF say of a track, in the order of their schema."""
    seconds = item.seconds
    elements = {
        "location": uri(from_text(item.path), relative_to),
        "title": item.title,
        "creator": item.text("artist"),
        "album": item.text("album"),
        "duration": "" if seconds is None else str(round(1000 * seconds)),
    }
    return {name: text for name, text in elements.items() if text}


def _here(items: Items) -> tuple[list[Item], list[LeftOut]]:
    """The items whose files are on this machine, and the others."""
    away = [item for item in items if alias_in(item.path) is not None]
    left_out = [LeftOut(item.path, "the file is not on this machine") for item in away]
    return [item for item in items if alias_in(item.path) is None], left_out


def _path(item: Item, relative_to: Path | None) -> bytes:
    path = from_text(item.path)
    return os.fsencode(path if relative_to is None else _relative(path, relative_to))


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(absolute(path), absolute(folder))).as_posix()
    except ValueError as error:  # another drive
        raise UsageError(
            f"{display(path)}: there is no path to it from {display(folder)}; leave the relative paths out"
        ) from error


def _text(item: Item, relative_to: Path | None) -> str:
    if relative_to is None:
        return item.path
    relative = _relative(from_text(item.path), relative_to)
    try:
        relative.encode()
    except UnicodeEncodeError:  # only a whole path has a form as text
        return item.path
    return relative


def _title_m3u(item: Item) -> str:
    """The title; a file's name byte for byte, as the path below it is."""
    return item.text("title") or " ".join(from_text(item.path).stem.split())


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()
