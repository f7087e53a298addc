"""What a user gives as seeds, as `Seed`s: by what the library holds, or embedded and heard on the fly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sonovec.embedding.embedding import Embedding
from sonovec.errors import UsageError
from sonovec.library import naming
from sonovec.library.queries import Asked, Queries
from sonovec.library.recommend.seeds import Seed, name_of
from sonovec.library.search import Query
from sonovec.paths import display, from_text, to_text

#: Gives columns of music that are heard in a sound.
Listen = Callable[[Any], Mapping[str, Any]]


def asked(
    seeds: Asked | Iterable[Asked],
    dislike: Asked | Iterable[Asked],
    queries: Queries,
    listen: Listen | None = None,
) -> tuple[list[Seed], list[Seed]]:
    """The seeds that are given, and what is not wanted, each track once; what is stored is read together.

    Parameters
    ----------
    seeds, dislike : one sound, or a list of sounds
        See `sonovec.Library.search`.
    queries : Queries
    listen : callable, optional
        Hears the music of seeds that the library does not hold.

    Raises
    ------
    UsageError
        There are no seeds, or one is not wanted as well.
    AudioError
        One cannot be read.
    """
    wanted, unwanted = list(_many(seeds)), [] if _is_nothing(dislike) else list(_many(dislike))
    if not wanted:
        raise UsageError("no seeds; give a track or a list of tracks to recommend for, such as ['song.mp3']")
    given = [*wanted, *unwanted]
    contents = [_content(sound, queries) for sound in given]
    stored = queries.stored(content for content in contents if content is not None)
    made = [
        _seed(sound, n + 1, stored.get(content or ""), queries, listen if n < len(wanted) else None)
        for n, (sound, content) in enumerate(zip(given, contents, strict=True))
    ]
    found = _once(made[: len(wanted)]), _once(made[len(wanted) :])
    check_apart(*found)
    return found


def _once(seeds: Sequence[Seed]) -> list[Seed]:
    return list({seed.track if seed.track is not None else n: seed for n, seed in enumerate(seeds)}.values())


def _is_nothing(given: Any) -> bool:
    return given is None or (isinstance(given, tuple) and not given)


def _content(sound: Any, queries: Queries) -> str | None:
    """The id of the track that a path or an id names; None for what has to be heard."""
    if not isinstance(sound, str | os.PathLike):
        return None
    text = os.fspath(sound)
    return text if naming.is_id(text) and not os.path.exists(text) else queries.content_of(sound)  # noqa: PTH110


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


def _seed(sound: Any, number: int, stored: Query | None, queries: Queries, listen: Listen | None) -> Seed:
    query = queries.query(sound, 0.0, None) if stored is None else stored
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
