"""Chooses among candidates, and orders what is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonovec.library.playlist import lengths, ordering
from sonovec.library.playlist.candidates import Candidates, nearest_seed
from sonovec.library.playlist.courses import Courses
from sonovec.library.playlist.cues import Cues, cues_of
from sonovec.library.playlist.seeds import Seed
from sonovec.library.playlist.songs import Song
from sonovec.library.playlist.steps import Steps
from sonovec.library.playlist.wishes import MOST, USUAL, Wish


@dataclass(frozen=True, eq=False)
class Choice:
    """What a list is chosen from.

    `last` is the end of a way; `unrelated` is the cosine distance of any two tracks of the library.
    """

    wish: Wish
    seeds: Sequence[Seed]
    last: Song | None
    found: Candidates
    unrelated: float

    def songs(self) -> list[Song]:
        """The tracks in order."""
        wants = self.last is not None or self.wish.arc is not None or self.wish.harmonic
        return self._followed() if wants else self._ordered()

    @property
    def own(self) -> list[Song]:
        """The seeds that are played."""
        songs = {seed.song.id: seed.song for seed in self.seeds if seed.song is not None}
        return list(songs.values()) if self.wish.with_seeds else []

    def seconds(self, song: Song) -> float:
        """How long a song is played."""
        cues = self.cues(song)
        return song.seconds if cues is None else cues.end - cues.start

    def total(self, songs: Sequence[Song]) -> float:
        """How long songs are played together."""
        return sum(map(self.seconds, songs))

    def cues(self, song: Song) -> Cues | None:
        """Its cue points, where the list is to have them."""
        return cues_of(song.fields) if self.wish.gapless else None

    @property
    def _most(self) -> int:
        if self.wish.limit is not None:
            return self.wish.limit
        return MOST if self.wish.grow or self.wish.minutes is not None else USUAL

    def _ordered(self) -> list[Song]:
        """The nearest, in the order with the smallest steps."""
        own = self.own[: self._most]
        rest = self._limited(own)
        if self.wish.minutes is not None:
            rest = lengths.filled(rest, self.seconds, 60 * self.wish.minutes, self.total(own))
        songs = own + rest[: self._most - len(own)]
        if len(songs) < 2:
            return songs
        cost = Steps.of(songs, self.unrelated).cost(self.wish.weights)
        return [songs[n] for n in ordering.order(cost, first=0 if own else None, seed=self.wish.seed)]

    def _limited(self, own: Sequence[Song]) -> list[Song]:
        """The candidates without those of which there are enough of an artist."""
        limit = self.wish.artist_limit
        if limit is None:
            return self.found.songs
        counts = Counter(song.artist for song in own)
        kept = []
        for song in self.found.songs:
            if song.artist is None or counts[song.artist] < limit:
                kept.append(song)
                counts[song.artist] += 1
        return kept

    def _followed(self) -> list[Song]:
        """A sequence in which each place wants something."""
        own = self._usable()
        songs = [*own, *self.found.songs, *([] if self.last is None else [self.last])]
        if not songs:
            return []
        scores = nearest_seed(songs, [seed.query for seed in self.seeds])
        known = [score for score in scores if score is not None]
        steps = Steps.of(songs, self.unrelated)
        is_way = self.last is not None
        courses = Courses(songs, steps, known, self.unrelated, self.wish, len(own), is_way)
        if self.wish.minutes is None:
            return courses.of(min(self._most, len(songs)))
        wanted = 60 * self.wish.minutes
        mean = float(np.mean([self.seconds(song) for song in songs])) or wanted
        return lengths.nearest_length(courses.of, self.total, wanted, round(wanted / mean), min(len(songs), MOST))

    def _usable(self) -> list[Song]:
        """The seeds that have what the list is about."""
        arc = self.wish.arc
        return [
            song
            for n, song in enumerate(self.own)
            if (arc is None or self.last is not None or song.number(arc.column) is not None)
            and (not self.wish.harmonic or song.key is not None or n == 0)
        ]
