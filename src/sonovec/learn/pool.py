"""The segments of a library as arrays: what people are asked about, and what a head is fitted to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.library.library import Library
from sonovec.vectors import unit32

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False, repr=False)
class Pool(Brief):
    """Segments in the order of their tracks' ids and of time, so that equal libraries give equal pools.

    A segment takes 4 bytes for each number of its vector, and 21 more.

    Attributes
    ----------
    tracks : tuple of str
        Ids, sorted.
    paths : tuple of str
        Of each track on this machine, as `sonovec.paths.to_text` writes it.
    codes : array, shape (n,), int32
        The track of each segment, as its place in `tracks`.
    times : array, shape (n, 2), float64
        Seconds of the track.
    vectors : array, shape (n, dim), float32
        At length 1; zeros where a vector has no direction.
    """

    tracks: tuple[str, ...]
    paths: tuple[str, ...]
    codes: NDArray[np.int32]
    times: NDArray[np.float64]
    vectors: NDArray[np.float32]
    _places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", {track: place for place, track in enumerate(self.tracks)})

    def __len__(self) -> int:
        return len(self.codes)

    def track(self, row: int) -> str:
        """The id of a segment's track."""
        return self.tracks[int(self.codes[row])]

    def path(self, row: int) -> str:
        """The path of a segment's track."""
        return self.paths[int(self.codes[row])]

    def span(self, row: int) -> tuple[float, float]:
        """The seconds of a segment."""
        start, end = self.times[row].tolist()
        return start, end

    def of_track(self, track: str) -> range:
        """The rows of a track, in the order of time; none where it has no segments."""
        place = self._places.get(track)
        if place is None:
            return range(0)
        first, last = np.searchsorted(self.codes, [place, place + 1])
        return range(int(first), int(last))


def read(library: Library, space: str) -> Pool:
    """Read all segments of a space but those of silent tracks, block by block.

    Raises
    ------
    UsageError
        The library has no segments, or the space has whole tracks alone.
    """
    stored = library.vectors(space, "segment")
    names: list[pa.Array] = []
    columns: list[NDArray[np.float64]] = []
    blocks: list[NDArray[np.float32]] = []
    for batch in stored:
        if len(batch):
            names.append(batch.column("track"))
            columns.append(np.stack([batch.column(name).to_numpy() for name in ("index", "start", "end")], axis=1))
            blocks.append(unit32(batch.column("vector").flatten().to_numpy().reshape(-1, stored.dim)))
    if not blocks:
        raise _empty(library)
    tracks, codes = _coded(names)
    index, start, end = np.concatenate(columns).T
    order = np.lexsort([index, codes])
    # A track that is just being indexed or removed may have segments alone; nobody is asked about those, nor about silence.
    silent = {track.id for track in library.tracks("silent = true")}
    paths = library.paths_of(track for track in tracks if track not in silent)
    gone = np.array([track not in paths for track in tracks])
    order = order[~gone[codes[order]]]
    if not len(order):
        raise _empty(library)
    kept = [place for place, track in enumerate(tracks) if track in paths]
    renumbered = np.cumsum(~gone, dtype=np.int32) - 1
    return Pool(
        tuple(tracks[place] for place in kept),
        tuple(paths[tracks[place]] for place in kept),
        renumbered[codes[order]].astype(np.int32),
        np.stack([start, end], axis=1)[order],
        _placed(blocks, order),
    )


def _coded(names: list[pa.Array]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The texts that occur, sorted, and the place of each text among them."""
    import pyarrow as pa

    found = pa.chunked_array(names).combine_chunks().dictionary_encode()
    texts = found.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    places = np.empty(len(texts), np.int32)
    places[order] = np.arange(len(texts), dtype=np.int32)
    return tuple(texts[n] for n in order), places[found.indices.to_numpy()]


def _placed(blocks: list[NDArray[np.float32]], order: NDArray[np.intp]) -> NDArray[np.float32]:
    """The rows of blocks in an order; each block is let go when its rows are placed, so that no second copy grows."""
    places = np.full(sum(map(len, blocks)), -1)
    places[order] = np.arange(len(order))
    placed = np.empty((len(order), blocks[0].shape[1]), np.float32)
    first = 0
    while blocks:
        block = blocks.pop(0)
        there = places[first : first + len(block)]
        placed[there[there >= 0]] = block[there >= 0]
        first += len(block)
    return placed


def _empty(library: Library) -> UsageError:
    return UsageError(
        f"{library.location}: holds no sounds to label, silence left out; first: sonovec index FOLDER -l {library.location}"
    )
