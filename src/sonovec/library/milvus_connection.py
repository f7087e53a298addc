"""pymilvus with errors and a silence of our own."""

from __future__ import annotations

import logging
import logging.config
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from sonovec.errors import LibraryError
from sonovec.library.location import TOKEN_VARIABLE, Location

CONNECT_SECONDS, CALL_SECONDS = 5.0, 120.0

#: The first version of Milvus with fields that may be null, and with words (BM25).
MODERN = 2, 5


def import_pymilvus() -> None:
    """Import it without its set-up of logging, which closes every handler of the process (3.0.2)."""
    set_up = logging.config.dictConfig
    logging.config.dictConfig = lambda config: None
    try:
        import pymilvus  # noqa: F401
    finally:
        logging.config.dictConfig = set_up


class Connection:
    """pymilvus with one line for each of its errors, and without its log."""

    def __init__(self, location: Location, token: str | None) -> None:
        self._location = location
        #: What makes the rows of a query with a limit those of the lowest ids, instead of the first that are found.
        self.lowest_ids = {"iterator": "True"} if location.kind == "milvus-lite" else {"reduce_stop_for_best": True}
        with self._errors():
            from pymilvus import MilvusClient

            _quiet(location.kind == "milvus-lite")
            self._client: Any = MilvusClient(location.address, token=token or "", timeout=CONNECT_SECONDS)

    @cached_property
    def is_modern(self) -> bool:
        """Whether fields of new collections may be null and texts be searched for words, by the version of the server.

        Zilliz Cloud names the version of Milvus that it is like; Milvus Lite counts for itself.
        """
        said = re.search(r"(\d+)\.(\d+)", str(self("get_server_version")))
        return said is not None and (int(said[1]), int(said[2])) >= MODERN

    def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of pymilvus' client."""
        return self.said(getattr(self._client, method), *args, timeout=CALL_SECONDS, **kwargs)

    def said(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call, and say its errors as ours."""
        with self._errors():
            return call(*args, **kwargs)

    def close(self) -> None:
        """Close the connection, and Milvus Lite behind it, which would keep its files locked."""
        with suppress(Exception):
            self._client.close()
        if self._location.kind == "milvus-lite":
            from milvus_lite.server_manager import server_manager_instance
            from pymilvus.client.cache import GlobalCache

            server_manager_instance.release_server(self._location.address)
            # Each file has a server at a port of its own; the next may get the same port, and would be taken for this one.
            GlobalCache.schema.clear()
            GlobalCache.collection_ts.clear()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from grpc import RpcError  # type: ignore[import-untyped]
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, RpcError, OSError, ValueError, TypeError) as error:
            text = " ".join(str(getattr(error, "message", "") or error).split())
            raise LibraryError(f"{self._location}: {self._remedy(text)} ({text[:200]})") from error

    def _remedy(self, text: str) -> str:
        lower = text.lower()
        remedies = _LITE_REMEDIES if self._location.kind == "milvus-lite" else _SERVER_REMEDIES
        return next((remedy for symptoms, remedy in remedies if any(s in lower for s in symptoms)), "Milvus failed")


_DISK = ("no space", "disk quota"), "the disk is full; free some space and run the same command again"
_SERVER_REMEDIES = (
    (
        ("auth", "token", "permission", "denied", "credential", "password"),
        f"the server refuses the token; give token='user:password' or set {TOKEN_VARIABLE}",
    ),
    (
        ("connect", "unavailable", "deadline", "timeout", "timed out", "illegal uri"),
        "the server cannot be reached; check the address and that Milvus runs there",
    ),
    _DISK,
)
_LITE_REMEDIES = (
    (("permission", "denied", "read-only"), "cannot be opened; check its rights"),
    (("open", "connect"), "Milvus Lite cannot open it; close other programs that use it, or choose another name"),
    _DISK,
)


def _quiet(lite: bool) -> None:
    """Switch off logs that repeat, with tracebacks and to stderr, what is raised as well or is of no concern."""
    # Milvus Lite serves from within the process, and pymilvus asks it for more than it knows.
    for name in ("pymilvus", "milvus_lite", *(["grpc._server"] if lite else [])):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
