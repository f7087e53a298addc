"""What a library holds, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sonovec.library.ledger import Ledger
from sonovec.library.location import Location, ledger_path
from sonovec.library.outcomes import Counts
from sonovec.library.records import Space
from sonovec.library.store import Store
from sonovec.library.tables import PASSAGES, TRACKS, segments_of, vectors_of

_COLUMNS = ["duration", "codec", "rate", "channels", "silent", "year"]


@dataclass(frozen=True)
class Stored:
    """How much a space holds: tracks, and segments, of which a space of whole tracks has none."""

    space: Space
    tracks: int
    segments: int


@dataclass(frozen=True)
class Statistics:
    """A library in numbers.

    Attributes
    ----------
    tracks : int
    audio_seconds : float
        All durations together.
    silent : int
        Tracks of silence alone.
    formats, rates, channels : mapping
        Number of tracks by codec, by sample rate in Hz, and by number of channels, the most first.
    years : tuple of (int, int) or None
        The first and the last of the column `year`, where any track has one.
    spaces : mapping of str to Stored
        By name, the main one first.
    files : Counts
        The files that this machine's ledger knows, by what the latest run that met them made of each.
    indexed : tuple of (float, float) or None
        When the first and the last run began, in seconds since 1970.
    bytes : int or None
        On this machine's disk, with the ledger; None for a library on a server.
    passages : int
        Stretches with what was said there.
    """

    tracks: int
    audio_seconds: float
    silent: int
    formats: Mapping[str, int]
    rates: Mapping[int, int]
    channels: Mapping[int, int]
    years: tuple[int, int] | None
    spaces: Mapping[str, Stored]
    files: Counts = field(default_factory=Counts)
    indexed: tuple[float, float] | None = None
    bytes: int | None = None
    passages: int = 0


def measure(location: Location, store: Store, ledger: Ledger | None) -> Statistics:
    """Read the library through, a batch at a time."""
    counts: dict[str, Counter[object]] = {name: Counter() for name in _COLUMNS[1:]}
    tracks, seconds = 0, 0.0
    for batch in store.table(TRACKS).batches(None, _COLUMNS):
        tracks += len(batch)
        found = dict(zip(_COLUMNS, (column.to_pylist() for column in batch.columns), strict=True))
        seconds += sum(value or 0.0 for value in found["duration"])
        for name, counter in counts.items():
            counter.update(value for value in found[name] if value is not None)
    runs = [] if ledger is None else ledger.runs()
    years = sorted(counts["year"])  # type: ignore[type-var]  # a column of whole numbers
    return Statistics(
        tracks,
        seconds,
        counts["silent"][True],
        **{name: _most_first(counts[column]) for name, column in _BY.items()},  # type: ignore[arg-type]
        years=(years[0], years[-1]) if years else None,  # type: ignore[arg-type]
        spaces={name: _stored(store, space) for name, space in store.spaces().items()},
        files=Counts() if ledger is None else ledger.summary(),
        indexed=(runs[-1].started, runs[0].started) if runs else None,
        bytes=None if location.kind == "milvus" else _size(Path(location.address)) + _size_beside(location),
        passages=store.table(PASSAGES).count(),
    )


_BY = {"formats": "codec", "rates": "rate", "channels": "channels"}


def _most_first(counter: Counter[object]) -> dict[object, int]:
    return dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0])))


def _stored(store: Store, space: Space) -> Stored:
    segments = store.table(segments_of(space)).count() if space.level == "segment" else 0
    return Stored(space, store.table(vectors_of(space)).count(), segments)


def _size_beside(location: Location) -> int:
    """The ledger of a library that is one file lies beside it."""
    return _size(ledger_path(location)) if location.kind == "milvus-lite" else 0


def _size(place: Path) -> int:
    if place.is_dir():
        return sum(path.lstat().st_size for path in place.rglob("*") if not path.is_dir())
    return place.stat().st_size if place.exists() else 0
