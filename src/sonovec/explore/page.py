"""The page of a map: one file of HTML that needs nothing else, and asks nobody for anything."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import re
import struct
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.explore import fields
from sonovec.explore.fields import Field, Tracks
from sonovec.explore.record import Map
from sonovec.paths import check_output, output
from sonovec.words import counted

if TYPE_CHECKING:
    from sonovec.library.library import Library

#: What a card tells of a track, beside its title and path, as far as the library has it.
CARD = ("artist", "album", "sound_tags", "bpm", "tempo", "key", "mood", "cluster", "duration")
TAGS = "sound_tags"
METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


def write_page(
    library: Library,
    found: Map,
    target: str | os.PathLike[str],
    *,
    colour: str | None = None,
    title: str | None = None,
    thumbnails: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a map as a page that can be opened where it lies: pan, zoom, search, colours, a legend that filters, a lasso.

    Parameters
    ----------
    library : Library
    found : Map
    target : path
        A name that ends in ``.html``.
    colour : str, optional
        The column that tracks are coloured by at first; any other can be chosen in the page.
    title : str, optional
    thumbnails : mapping, optional
        Pictures for the cards of tracks, as PNG files by the ids of the tracks.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If the file cannot be written, or there is no such column.

    Notes
    -----
    The page holds paths of files on this machine, by which it plays them. All text in it is shown as text.
    """
    path = Path(target)
    check_output(path)
    tracks = fields.read(library, found)
    if colour is not None:
        tracks.one(colour)
    made = page(
        found, tracks, colour or tracks.usual, title or f"Map {found.name} of {library.location.name}", thumbnails
    )
    with output(path) as (temporary,):
        temporary.write_text(made, encoding="utf-8")
    return path


def page(
    found: Map, tracks: Tracks, colour: str | None, title: str, thumbnails: Mapping[str, bytes] | None = None
) -> str:
    """The text of the page."""
    data = base64.b64encode(_packed(found, tracks, colour, thumbnails or {})).decode()
    parts = {
        "title": html.escape(title),
        "summary": html.escape(summary(found)),
        "style": _file("page.css"),
        "script": script(),
        "data": data,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _file("page.html"))


def summary(found: Map) -> str:
    """A map in words."""
    method = f"{counted(len(found), 'track')} by {METHODS[found.method]} in {found.dims} dimensions"
    trust, continuity = found.trust
    told = [f"{method}, of the space {found.space}."]
    if trust is not None and continuity is not None:
        told.append(
            f"Trustworthiness {trust:.2f}, continuity {continuity:.2f} (1 is best, 0.5 is chance). "
            "Points whose neighbours here are not their neighbours in the space are faint."
        )
    if found.method != "pca":
        told.append("Near points are alike; distances between groups, and how large and dense groups are, mean little.")
    return " ".join([*told, *(f"{note[0].upper()}{note[1:]}." for note in found.notes)])


def script() -> str:
    """The page's two modules as one: what is written into a page has no file to import from."""
    own = _file("page.js").replace('import { PointMap } from "./points.js";\n', "")
    return re.sub(r"^export ", "", f"{_file('points.js')}\n{own}", flags=re.MULTILINE)


def _file(name: str) -> str:
    return resources.files("sonovec.explore").joinpath("web", name).read_text("utf-8")


class _Pack:
    """Arrays and texts, one behind the other, each from a multiple of four bytes on."""

    def __init__(self) -> None:
        self.content = bytearray()

    def bytes(self, content: bytes) -> int:
        at = len(self.content)
        self.content += content + b"\0" * (-len(content) % 4)
        return at

    def array(self, values: NDArray[Any]) -> dict[str, object]:
        whole = values.dtype.kind == "u"
        most = int(values.max()) if whole and len(values) else 0
        kind = ("<u1" if most < 1 << 8 else "<u2" if most < 1 << 16 else "<u4") if whole else "<f4"
        packed = np.ascontiguousarray(values.ravel(), kind)
        return {"kind": kind[1:], "at": self.bytes(packed.tobytes()), "count": packed.size}

    def json(self, value: object) -> dict[str, object]:
        packed = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return {"at": self.bytes(packed), "count": len(packed)}


def _packed(found: Map, tracks: Tracks, colour: str | None, thumbnails: Mapping[str, bytes]) -> bytes:
    pack = _Pack()
    columns = [_column(pack, each) for each in tracks.fields.values()]
    head = {
        "name": found.name,
        "dims": found.dims,
        "by": colour,
        "tags": TAGS,
        "card": [name for name in CARD if name in tracks.fields],
        "columns": columns,
        "places": pack.array(found.places),
        "strength": pack.array(found.strength),
        # Ids take half of the room, and no reader needs more of one than tells it from the others.
        "ids": pack.json([id[:12] for id in found.ids]),
        "paths": pack.json(list(tracks.paths)),
        "titles": pack.json(list(tracks.titles)),
    }
    if thumbnails:
        head["thumbnails"] = pack.json({id[:12]: base64.b64encode(png).decode() for id, png in thumbnails.items()})
    text = json.dumps(head).encode()
    start = struct.pack("<I", len(text)) + text
    return gzip.compress(start + b"\0" * (-len(start) % 4) + bytes(pack.content), 9, mtime=0)


def _column(pack: _Pack, column: Field) -> dict[str, object]:
    arrays = {
        name: pack.array(values)
        for name in ("numbers", "codes", "starts")
        if (values := getattr(column, name)) is not None
    }
    texts = {"values": pack.json(list(column.values))} if column.values else {}
    return {"name": column.name, "type": column.type, "distinct": column.distinct, **arrays, **texts}
