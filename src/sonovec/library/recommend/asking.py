"""What a user gives as seeds, as `Seed`s: by what the library holds, or embedded and heard on the fly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sonovec.embedding.embedding import Embedding
from sonovec.errors import UsageError
from sonovec.library.queries import Asked, Queries
from sonovec.library.recommend.seeds import Seed, name_of
from sonovec.paths import display, from_text, to_text

#: Gives columns of music that are heard in a sound.
Listen = Callable[[Any], Mapping[str, Any]]


def seeds_of(
    given: Asked | Iterable[Asked], queries: Queries, listen: Listen | None = None, what: str = "seeds"
) -> list[Seed]:
    """The seeds that are given, each track once.

    Parameters
    ----------
    given : one sound, or a list of sounds
        See `sonovec.Library.search`.
    queries : Queries
    listen : callable, optional
        Hears the music of what the library does not hold.

    Raises
    ------
    UsageError
        There are none.
    AudioError
        One cannot be read.
    """
    found = [_seed(sound, number, queries, listen) for number, sound in enumerate(_many(given), start=1)]
    if not found and what == "seeds":
        raise UsageError("no seeds; give a track or a list of tracks to recommend for, such as ['song.mp3']")
    once = {seed.track if seed.track is not None else number: seed for number, seed in enumerate(found)}
    return list(once.values())


def check_apart(seeds: Sequence[Seed], disliked: Sequence[Seed]) -> None:
    """Refuse a sound that is a seed and disliked.

    Raises
    ------
    UsageError
        The message names it.
    """
    unwanted = {seed.track for seed in disliked if seed.track is not None}
    if both := next((seed.name for seed in seeds if seed.track in unwanted), None):
        raise UsageError(f"{display(both)}: is a seed and among those that are not wanted; leave one of them out")


def _many(given: Any) -> Iterator[Any]:
    """One sound, or those of a list; a tuple is samples and their rate."""
    is_many = isinstance(given, list | set | frozenset | Iterator)
    return iter(given) if is_many else iter([given])


def _seed(sound: Any, number: int, queries: Queries, listen: Listen | None) -> Seed:
    query = queries.query(sound, 0.0, None)
    if query.fields is not None:
        return Seed(name_of(str(query.fields["path"]), query.fields), query, query.fields, stored=True)
    fields = {} if listen is None or not _is_sound(sound) else listen(sound)
    return Seed(_name(sound, number), query, fields, stored=False)


def _is_sound(sound: Any) -> bool:
    return not isinstance(sound, Embedding) and not hasattr(sound, "__array__")


def _name(sound: Any, number: int) -> str:
    path = sound.path if isinstance(sound, Embedding) else sound
    if isinstance(path, str | os.PathLike):
        return name_of(to_text(from_text(os.fspath(path))), {})
    return f"sound {number}"
