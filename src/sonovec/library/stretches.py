"""Passages and labels: stretches of tracks with text, or with a class, in tables of their own."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from typing import Any, Generic, TypeVar

from sonovec.errors import UsageError
from sonovec.library.backend import BATCH, Row
from sonovec.library.batches import batches
from sonovec.library.filters import And, Compare, Filter, In, StartsWith, all_of
from sonovec.library.filters import parse as parsed
from sonovec.library.records import Label, Passage
from sonovec.library.store import Store, row_count
from sonovec.library.tables import LABELS, PASSAGES, TableSpec

Stretch = TypeVar("Stretch", Passage, Label)
Parse = Callable[[str], Filter | None]

#: How the source of a label begins that is no class: what a person thinks of a whole track, followed by their name.
RATING = "rating:"


class Stretches(Generic[Stretch]):
    """The passages or the labels of a library; made by `passages` and `labels`.

    A stretch that is put again, of the same track, place, source and text or class, takes the place of the one that is there.
    """

    def __init__(
        self, store: Store, spec: TableSpec, made: Callable[..., Stretch], text_field: str, parse: Parse | None
    ) -> None:
        self._store, self._spec, self._text_field = store, spec, text_field
        self._parse = parse or (lambda text: parsed(text, store.columns()))
        self._made: Callable[..., Stretch] = made
        self._names = [field.name for field in fields(made)]  # type: ignore[arg-type]  # both are dataclasses

    def put(self, stretches: Iterable[Stretch]) -> int:
        """Write stretches, and give how many.

        Raises
        ------
        UsageError
            Of one the track is not in the library, a number is not finite, or the end is before the start; nothing was
            written.
        LibraryError
            The store failed, or was deleted or made anew since it was opened.
        """
        rows = {row["id"]: row for row in map(self._row, stretches)}
        tracks = {row["track"] for row in rows.values()}
        if unknown := sorted(tracks - self._store.existing(tracks)):
            raise UsageError(f"{self._spec.name}: no track {unknown[0]!r} in {self._store.location}; index it first")
        table = self._store.table_to_write(self._spec)
        for batch in batches(rows.values(), BATCH):
            table.upsert(batch)
        return len(rows)

    def replace(self, tracks: Iterable[str], source: str, stretches: Iterable[Stretch]) -> None:
        """Write what an analyser gave for tracks, in place of what it gave in any version: what `source` begins with."""
        table = self._store.table_to_write(self._spec)
        for ids in batches(tracks, BATCH):
            table.delete(And((In("track", tuple(ids)), StartsWith("source", source))))
        self.put(stretches)

    def get(
        self,
        track: str | None = None,
        *,
        source: str | None = None,
        source_begins: str | None = None,
        limit: int | None = None,
        **equal: str | float,
    ) -> list[Stretch]:
        """Stretches by track, source, how the source begins, and further fields; of one track in the order of their start."""
        begins = None if source_begins is None else StartsWith("source", source_begins)
        where = all_of(self._where(track, source, equal), begins)
        rows = self._store.table(self._spec).rows(where, self._names, limit)
        found = [self._made(**row) for row in rows]
        return sorted(found, key=lambda stretch: (stretch.track, stretch.start, stretch.end))

    def delete(self, track: str | None = None, *, source: str | None = None, **equal: str | float) -> None:
        """Remove stretches by track, source and further fields.

        Raises
        ------
        UsageError
            Neither is given, which would remove all.
        """
        where = self._where(track, source, equal)
        if where is None:
            raise UsageError(f"{self._spec.name}: say which to remove, such as track=... or source=...")
        self._store.table_to_write(self._spec).delete(where)

    def find(
        self, words: str, limit: int = 10, *, filter: str | Filter | None = None, source: str | None = None
    ) -> list[tuple[Stretch, float]]:
        """Passages that hold any of some words, the best first, with their score (BM25); none for punctuation alone.

        Parameters
        ----------
        words : str
        limit : int
        filter : str or Filter, optional
            Only of tracks that match, such as ``"year >= 1990"``.
        source : str, optional
        """
        limit = row_count("limit", limit)
        if limit == 0 or not any(map(str.isalnum, words)):
            return []
        tracks = self._parse(filter) if isinstance(filter, str) else filter
        where = all_of(
            None if tracks is None else In("track", tuple(self._store.ids(tracks))),
            None if source is None else Compare("source", "=", source),
        )
        found = self._store.table(self._spec).find(words, limit, where, self._names)
        return [(self._made(**row), score) for row, score in found]

    def _where(self, track: str | None, source: str | None, equal: dict[str, str | float]) -> Filter | None:
        given: dict[str, Any] = {"track": track, "source": source, **equal}
        if unknown := given.keys() - set(self._names):
            raise UsageError(f"{self._spec.name} have no field {min(unknown)!r}; they have {', '.join(self._names)}")
        return all_of(*(Compare(name, "=", value) for name, value in given.items() if value is not None))

    def _row(self, stretch: Stretch) -> Row:
        numbers = {name: value for name, value in asdict(stretch).items() if type(value) in (float, int)}
        if odd := next((name for name, value in numbers.items() if not math.isfinite(value)), None):
            raise UsageError(f"{self._spec.name}: {odd}={numbers[odd]} of {stretch} is not finite")
        if not 0 <= stretch.start <= stretch.end:
            times = f"start={stretch.start}, end={stretch.end}"
            raise UsageError(f"{self._spec.name}: {times}: give 0 <= start <= end in seconds")
        text, most = getattr(stretch, self._text_field), self._store.most_text
        if most is not None and (size := len(text.encode())) > most:
            raise UsageError(f"{self._spec.name}: {self._text_field} of {size} bytes; this store keeps {most}: part it")
        row = {**asdict(stretch), **{name: float(value) for name, value in numbers.items()}}
        key = repr([row[name] for name in ("track", "start", "end", "source", self._text_field)])
        digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        return {"id": f"{stretch.track}:{digest}", **row}


def passages(store: Store, parse: Parse | None = None) -> Stretches[Passage]:
    """The passages of a library; `parse` reads filters of tracks, where paths mean those of this machine."""
    return Stretches(store, PASSAGES, Passage, "text", parse)


def labels(store: Store, parse: Parse | None = None) -> Stretches[Label]:
    """The labels of a library; see `passages`."""
    return Stretches(store, LABELS, Label, "name", parse)
