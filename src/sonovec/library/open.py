"""Open the store of a library, whatever kind it is."""

from __future__ import annotations

import os

from sonovec.library.location import TOKEN_VARIABLE, Location, parse_location
from sonovec.library.store import Store


def open_store(location: str | os.PathLike[str] | Location, name: str | None = None, token: str | None = None) -> Store:
    """Open the store of a library, which need not exist yet: nothing is written before `Store.create`.

    Parameters
    ----------
    location : str, path or Location
        See `parse_location`.
    name : str, optional
        The library's name on a server, where the URI does not end in it.
    token : str, optional
        ``user:password`` or an API key of a server; otherwise taken from ``SONOVEC_MILVUS_TOKEN``.

    Raises
    ------
    UsageError
        The location cannot be understood.
    MissingExtraError
        Milvus is wanted and not installed.
    LibraryError
        The server cannot be reached or refuses the token, or the path holds something else.
    LibraryLockedError
        Another process holds the Milvus Lite file.
    """
    place = location if isinstance(location, Location) else parse_location(location, name)
    if place.kind == "lance":
        from sonovec.library.lance_backend import LanceBackend

        return Store(place, LanceBackend(place))
    from sonovec.library.milvus_backend import MilvusBackend

    return Store(place, MilvusBackend(place, token or os.environ.get(TOKEN_VARIABLE)))
