"""The tracks that a playlist is chosen from: those that are near to its seeds, and meet all conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sonovec.errors import LibraryError
from sonovec.library import versions
from sonovec.library.filters import Filter
from sonovec.library.playlist.ranking import Ranking, fused
from sonovec.library.playlist.seeds import Seed
from sonovec.library.playlist.sieve import Sieve
from sonovec.library.playlist.songs import Song
from sonovec.library.playlist.wishes import Wish
from sonovec.library.queries import Queries
from sonovec.library.records import Track
from sonovec.library.search import Query
from sonovec.library.store import MOST_ROWS
from sonovec.music import columns
from sonovec.vectors import similarity, unit

#: Tracks that are chosen from, for each one that is wanted, and at least and at most so many.
SPARE, LEAST, MOST_CANDIDATES = 5, 200, 1_000
#: Tracks that are looked at around each place of a way between two.
AROUND = 40
#: What each wish needs to know of tracks; any of the columns is enough.
NEEDED = {
    "tempo": (columns.TEMPO, columns.FILE_TEMPO),
    "key": (columns.KEY, columns.FILE_KEY),
    "cue points": (columns.SOUND_START,),
}


@dataclass(frozen=True, eq=False)
class Candidates:
    """Songs that meet all conditions, the nearest to the seeds first, and what the conditions left."""

    songs: list[Song]
    sieve: Sieve


@dataclass(frozen=True, eq=False)
class Pool:
    """Where candidates come from.

    Attributes
    ----------
    queries : Queries
    where : Filter or None
        As `text` says it.
    shown : callable
        Gives the path on this machine of a track, by its id and the path that the library keeps.
    wish : Wish
    ranking : callable
        What comes first for the seeds.
    """

    queries: Queries
    where: Filter | None
    text: str | None
    shown: Callable[[str, str], str]
    wish: Wish
    ranking: Ranking = fused

    def check(self, index: str) -> None:
        """Refuse a wish that needs columns which the library does not have, and that the command `index` fills.

        Raises
        ------
        LibraryError
            The message says what to run.
        """
        wish = self.wish
        wanted = {
            "tempo": wish.tempo is not None or (wish.arc is not None and wish.arc.column == columns.TEMPO),
            "key": wish.harmonic,
            "cue points": wish.gapless,
        }
        for what in (name for name, is_wanted in wanted.items() if is_wanted):
            self._require(what, NEEDED[what], index)
        if wish.arc is not None and wish.arc.column != columns.TEMPO:
            self._require(wish.arc.column, (wish.arc.column,), index)

    def _require(self, what: str, names: Sequence[str], index: str) -> None:
        declared = self.queries.store.columns()
        if not any(name in declared for name in names):
            raise LibraryError(
                f"the library knows no {what} of its tracks (there is no column {' or '.join(map(repr, names))}); "
                f"to hear it: {index}"
            )

    def near(self, seeds: Sequence[Seed], wanted: int) -> Candidates:
        """Candidates by their rank for the seeds; more are looked at until there are enough, or no more."""
        store, space = self.queries.store, self.queries.space.name
        vectors = [seed.query for seed in seeds]
        asked = max(LEAST, SPARE * wanted) + len(self.wish.played) + len(seeds)
        while True:
            asked = min(asked, MOST_ROWS)
            ids = self.ranking(store, vectors, self.where, space, asked)
            found = self._met(ids, seeds)
            if len(found.songs) >= SPARE * wanted or len(ids) < asked or asked == MOST_ROWS:
                return Candidates(found.songs[: max(MOST_CANDIDATES, wanted)], found.sieve)
            asked *= 4

    def along(self, first: Seed, last: Seed, wanted: int) -> Candidates:
        """Candidates around the places of a way between two tracks."""
        ends = unit(np.stack([first.query.vector, last.query.vector]))
        ways = np.linspace(0, 1, max(wanted, 3))[:, None]
        places = unit((1 - ways) * ends[0] + ways * ends[1]).astype(np.float32)
        around = AROUND + len(self.wish.played)
        while True:
            found = self.queries.store.search_tracks(places, around, self.where, space=self.queries.space.name)
            ids = list(dict.fromkeys(id for rank in zip(*found, strict=True) for id, _ in rank))
            met = self._met(ids, [first, last])
            if len(met.songs) >= SPARE * wanted or len(found[0]) < around or around * len(places) > MOST_ROWS:
                return Candidates(met.songs[:MOST_CANDIDATES], met.sieve)
            around *= 4

    def all(self) -> Candidates:
        """Candidates from all over the library."""
        ids = sorted(set(self.queries.store.ids(self.where)) - self.wish.played)
        some = [ids[n] for n in np.unique(np.linspace(0, len(ids) - 1, min(len(ids), MOST_CANDIDATES)).astype(int))]
        return self._met(some, [])

    def _met(self, ids: Iterable[str], seeds: Sequence[Seed]) -> Candidates:
        """Those of some tracks that meet all conditions, and are no seed and no version of one."""
        wish, store = self.wish, self.queries.store
        wanted = list(ids)  # whose order is their rank; the store has another
        tracks = store.get(wanted, vectors=True, space=self.queries.space.name)
        sieve = Sieve(store.count()[0])
        if self.where is not None:
            sieve.left(f"match the filter {self.text!r}", len(tracks))
        own = {seed.song.id: seed.song for seed in seeds if seed.song is not None}
        ranked = [tracks[id] for id in wanted if id in tracks and id not in own]
        songs = [Song.of(track, self.shown(track.id, track.path), wish.prefer) for track in ranked]
        if own:
            sieve.left("are no seeds", len(songs))
        if wish.played:
            songs = sieve.keep(songs, lambda song: song.id not in wish.played, "are not in the history")
        songs = sieve.keep(songs, lambda song: song.vector.any(), "are not silent")
        if (tempo := wish.tempo) is not None:
            songs = sieve.keep(songs, lambda song: song.tempo is not None, "have a known tempo")
            within = f"have a tempo from {tempo.slowest:g} to {tempo.fastest:g}"
            songs = sieve.keep(songs, lambda song: song.tempo in tempo, within)
        if wish.harmonic:
            songs = sieve.keep(songs, lambda song: song.key is not None, "have a known key")
        if (arc := wish.arc) is not None:
            there = f"have a number in the column {arc.column!r}"
            songs = sieve.keep(songs, lambda song: song.number(arc.column) is not None, there)
        songs = _folded(songs, list(own.values()))
        sieve.left("are no further version of another", len(songs))
        return Candidates(songs, sieve)


def _folded(songs: Sequence[Song], seeds: Sequence[Song]) -> list[Song]:
    """One song of each recording, and none of a recording that is a seed."""
    both = [*seeds, *songs]
    groups = versions.fold([Track(song.id, song.vector, song.fields) for song in both])
    return [both[group[0]] for group in groups if group[0] >= len(seeds)]


def nearest_seed(songs: Sequence[Song], seeds: Sequence[Query]) -> list[float | None]:
    """The cosine similarity of each song with the seed that it is most like; None without seeds."""
    if not seeds or not songs:
        return [None for _ in songs]
    vectors = np.stack([song.vector for song in songs])
    best = similarity(vectors, np.stack([seed.vector for seed in seeds])).max(axis=1)
    return [round(float(score), 6) for score in best]
