"""Where a library lives."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sonovec.errors import UsageError
from sonovec.paths import data_dir

TOKEN_VARIABLE = "SONOVEC_MILVUS_TOKEN"

Kind = Literal["lance", "milvus-lite", "milvus"]


@dataclass(frozen=True)
class Location:
    """Where a library lives: a folder (`lance`), a file (`milvus-lite`) or a server (`milvus`).

    `address` is an absolute path or the server's URI; `name` tells the libraries of one server apart.
    """

    kind: Kind
    address: str
    name: str

    def __str__(self) -> str:
        return f"{self.address}/{self.name}" if self.kind == "milvus" else self.address


def parse_location(location: str | os.PathLike[str], name: str | None = None) -> Location:
    """Tell a folder, a Milvus Lite file (``*.db``) and a Milvus server (``http://`` or ``https://``) apart.

    Parameters
    ----------
    location : str or path
        A folder, a path that ends in ``.db``, or ``http(s)://host:port/name``.
    name : str, optional
        The library's name on a server, where the URI does not end in it.

    Raises
    ------
    UsageError
        The scheme is unknown, a server's library has no valid name, or a path was given a name.

    Examples
    --------
    >>> parse_location("http://localhost:19530/sounds")
    Location(kind='milvus', address='http://localhost:19530', name='sounds')
    >>> parse_location("/data/sounds.db").kind
    'milvus-lite'
    >>> parse_location("http://localhost:19530", "my-sounds")
    Traceback (most recent call last):
    sonovec.errors.UsageError: ...letters, digits and underscores; use 'my_sounds'
    """
    text = os.fspath(location)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", text)
    if scheme is None:
        return _parse_path(text, name)
    if scheme[1].lower() not in ("http", "https"):
        raise UsageError(
            f"{text}: unknown scheme {scheme[1]!r}; use a folder, a path ending in .db, or http(s)://host:port/name"
        )
    return _parse_uri(text, name)


def _parse_path(text: str, name: str | None) -> Location:
    if not text:
        raise UsageError("the location is empty; give a folder, a path ending in .db, or http(s)://host:port/name")
    path = Path(text).expanduser().absolute()
    if name is not None:
        raise UsageError(f"{path} is one library and takes no name; leave out name={name!r}")
    return Location("milvus-lite" if path.suffix == ".db" else "lance", str(path), path.stem)


def _parse_uri(text: str, name: str | None) -> Location:
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    scheme = parts.scheme.lower()
    if "@" in parts.netloc:
        raise UsageError(
            f"{scheme}://{host}: leave the password out of the URI; give token='user:password' or set {TOKEN_VARIABLE}"
        )
    if not parts.hostname:
        raise UsageError(f"{text}: no host; use http://host:19530/name")
    path = parts.path.strip("/")
    if path and name and path != name:
        raise UsageError(f"{text}: the library is named twice, {path!r} and {name!r}; leave out one of them")
    name = path or name
    if not name:
        raise UsageError(f"{text}: which library? Add its name: {scheme}://{host}/sounds")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name):
        better = re.sub(r"^(?=[0-9])", "_", re.sub(r"[^A-Za-z0-9_]+", "_", name))[:100]
        raise UsageError(f"library name {name!r}: a server takes letters, digits and underscores; use {better!r}")
    return Location("milvus", f"{scheme}://{host}", name)


def ledger_path(location: Location) -> Path:
    """Where a library's ledger lies: beside the vectors where they are files, else on this machine, as files are."""
    address = location.address
    if location.kind == "lance":
        return Path(address, "ledger.sqlite")
    if location.kind == "milvus-lite":
        return Path(address).with_suffix(".ledger.sqlite")
    key = hashlib.blake2b(address.encode(), digest_size=6).hexdigest()
    return data_dir() / "ledgers" / f"{location.name}-{key}.sqlite"


def lock_path(location: Location) -> Path:
    """The lock of the one process that may index into a library."""
    return ledger_path(location).with_suffix(".lock")
