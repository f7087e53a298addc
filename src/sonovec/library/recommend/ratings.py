"""What people like and dislike: kept in the library as labels of whole tracks, with who said it and when.

So they are on every machine that has the library, go along when it is exported, and go with their track.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from sonovec.errors import UsageError
from sonovec.library.filters import And, In, StartsWith
from sonovec.library.records import Label, Track
from sonovec.library.store import Store
from sonovec.library.stretches import RATING, labels
from sonovec.library.tables import LABELS
from sonovec.paths import printable

Verdict = Literal["liked", "disliked"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
#: Characters of a name.
LONGEST_NAME = 100


@dataclass(frozen=True)
class Rating:
    """What a person said of a track: `track` is its id, `time` is in seconds since 1970."""

    track: str
    path: str
    verdict: Verdict
    who: str
    time: float

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def person(who: str | None) -> str:
    """The name that ratings are kept with: by default that of the user.

    Raises
    ------
    UsageError
        It is empty, too long, or has more than one line.
    """
    name = (_user() if who is None else who).strip()
    if not name or len(name) > LONGEST_NAME or printable(name) != name:
        raise UsageError(f"who={who!r} is not a name; give 1 to {LONGEST_NAME} characters on one line, such as 'ann'")
    return name


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a system that knows no name of the user
        return "user"


def rate(store: Store, tracks: Sequence[Track], verdict: Verdict, who: str) -> None:
    """Keep what a person says of some tracks, in place of what they said before."""
    if verdict not in VERDICTS:
        raise UsageError(f"verdict={verdict!r} is unknown; give one of: {', '.join(VERDICTS)}")
    now, kept = time.time(), labels(store)
    forget(store, [track.id for track in tracks], who)
    kept.put(Label(track.id, 0.0, _duration(track), verdict, RATING + who, now, 0.0) for track in tracks)


def forget(store: Store, tracks: Iterable[str] | None, who: str) -> None:
    """Remove what a person said of some tracks, or of all."""
    kept, source = labels(store), RATING + who
    if tracks is None:
        kept.delete(source=source)
    else:
        for track in tracks:
            kept.delete(track, source=source)


def said(store: Store, who: str | None) -> list[Label]:
    """The ratings of a person, or of all, the latest first."""
    table = store.table(LABELS)
    if not table.count():  # which is told without a look at its rows
        return []
    where = And((In("name", VERDICTS), StartsWith("source", RATING)))
    found = [Label(**row) for row in table.rows(where, [each.name for each in fields(Label)])]
    own = [label for label in found if who is None or label.source == RATING + who]
    return sorted(own, key=lambda label: (-label.time, label.track, label.source))


def ratings(store: Store, who: str | None, shown: Callable[[str, str], str]) -> list[Rating]:
    """The same with the paths of the tracks, which `shown` tells by their ids and what the store keeps."""
    found = said(store, who)
    paths = store.paths({label.track for label in found})
    return [
        Rating(
            label.track,
            shown(label.track, paths[label.track]),
            "liked" if label.name == "liked" else "disliked",
            label.source.removeprefix(RATING),
            label.time,
        )
        for label in found
        if label.track in paths
    ]


def _duration(track: Track) -> float:
    seconds = track.fields.get("duration")
    return seconds if isinstance(seconds, float) else 0.0
