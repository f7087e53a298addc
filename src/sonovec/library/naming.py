"""Which track a text names: by a path, by its id, or by the first digits of its id."""

from __future__ import annotations

import re
from pathlib import Path

from sonovec.errors import UsageError
from sonovec.library.filters import In, StartsWith
from sonovec.library.ledger import Ledger
from sonovec.library.roots import Roots, alias_in
from sonovec.library.store import Store

#: Digits of an id that are enough to look for it, and tracks that are named where several begin so.
LEAST_DIGITS, LISTED = 4, 5
_DIGITS = re.compile(rf"[0-9a-fA-F]{{{LEAST_DIGITS},31}}")
_ID = re.compile(r"[0-9a-f]{32}")


def is_id(text: str) -> bool:
    """Whether a text looks like the whole id of a track."""
    return _ID.fullmatch(text) is not None


def by_digits(store: Store, text: str) -> str | None:
    """The id of the one track whose id begins with these hexadecimal digits; None where none does, or they are none.

    Raises
    ------
    UsageError
        Several ids begin so; the message lists them.
    """
    if not _DIGITS.fullmatch(text):
        return None
    found = store.ids(StartsWith("id", text.lower()), LISTED + 1)
    if len(found) <= 1:
        return found[0] if found else None
    paths = store.paths(found[:LISTED])
    listed = ", ".join(f"{id} ({paths[id]})" for id in sorted(paths)) + (", ..." if len(found) > LISTED else "")
    raise UsageError(f"{text!r} begins the ids of several tracks: {listed}; give more digits, or a path")


def by_path(store: Store, roots: Roots, path: Path, text: str) -> str | None:
    """The id of the track that the store keeps for an absolute path, or for the text of a path as hits show it."""
    texts = (*roots.texts(path), *([text] if alias_in(text) else []))
    return by_texts(store, texts)


def by_texts(store: Store, texts: tuple[str, ...]) -> str | None:
    """The id of the track of the first of some texts that the store keeps for a path."""
    held = {track.path: track.id for track in store.tracks(In("path", texts))}
    return next((held[each] for each in texts if each in held), None)


def track_of(store: Store, roots: Roots, ledger: Ledger | None, path: Path, text: str) -> str:
    """The id of the track that a text names.

    Parameters
    ----------
    store : Store
    roots : Roots
    ledger : Ledger or None
        That of this machine, which also knows the paths of copies.
    path : Path
        The text as an absolute path.
    text : str
        A path, the text of a hit's path, an id, or the first digits of one.

    Raises
    ------
    UsageError
        It names no track, or several.
    """
    entry = None if ledger is None else ledger.lookup(path)
    held = None if entry is None else entry.content_hash
    found = held if held and store.existing([held]) else by_path(store, roots, path, text)
    found = found or next(iter(store.existing([text])), None) or by_digits(store, text)
    if found is None:
        raise UsageError(
            f"{text!r}: no track has this path or id; see the paths and ids with: "
            f"sonovec list -l {store.location} --columns id,path"
        )
    return found
