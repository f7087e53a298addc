"""From seeds to recommended tracks: candidates by likeness, their terms, one song once, variety, and why.

Candidates are what the store finds nearest to each seed; all else looks at them alone, so that the cost hardly grows with the
library. Where too few of them can be taken, more are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.library.backend import BATCH
from sonovec.library.batches import batches
from sonovec.library.filters import Filter, In, all_of
from sonovec.library.recommend.constraints import Constraint, constraints_of, why_none
from sonovec.library.recommend.fusion import fused, ranks
from sonovec.library.recommend.hubs import DECIMALS, corrected, crowding, nearness
from sonovec.library.recommend.ratings import said
from sonovec.library.recommend.result import Recommendation, Recommendations
from sonovec.library.recommend.same import maker, songs
from sonovec.library.recommend.seeds import Seed, vectors_of
from sonovec.library.recommend.terms import Term, judges
from sonovec.library.recommend.variety import diverse
from sonovec.library.recommend.weights import Weights
from sonovec.library.recommend.wishes import Wishes
from sonovec.library.records import Parts, Track
from sonovec.library.search import best_pair
from sonovec.library.store import MOST_ROWS, Store
from sonovec.library.tables import TRACKS
from sonovec.library.versions import Version
from sonovec.music import columns
from sonovec.vectors import unit32

Floats = NDArray[np.float64]

#: Candidates of all seeds together, of all that meet conditions, and of each seed at least; for each track that is wanted so
#: many. To find one that meets a condition several have to be looked at.
POOL, CHOSEN_POOL, LEAST, EACH = 300, 100, 60, 4
#: Tracks that are looked at for songs that are the same, for each that is wanted, and besides.
SHORTLIST, SPARE = 2, 10
#: The latest ratings that count; those before them have no say.
MOST_RATINGS = 200
#: The columns of candidates that are read before it is known which are taken.
_LIGHT = (
    *("artist", columns.TEMPO, columns.FILE_TEMPO, columns.KEY, columns.FILE_KEY, columns.ENERGY),
    *(columns.VALENCE, columns.AROUSAL, columns.MOODS),
)
#: A library that has none of these was never heard for its music.
_MUSIC = {columns.TEMPO, columns.FILE_TEMPO, columns.KEY, columns.FILE_KEY, columns.ENERGY, columns.MOODS}


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates in the order of their ids, with what is known of them: `vectors` (n, dim), and `fields` of each.

    `complete` says that there are no others that meet the conditions.
    """

    ids: list[str]
    vectors: NDArray[np.float32]
    fields: list[Mapping[str, Any]]
    complete: bool

    def some(self, which: NDArray[np.bool_]) -> Pool:
        """Some of them, by a mask."""
        places = np.flatnonzero(which).tolist()
        return Pool([self.ids[n] for n in places], self.vectors[which], [self.fields[n] for n in places], self.complete)


@dataclass(frozen=True, eq=False)
class Scored:
    """Candidates with their scores: of each the terms, and the seed that it is most like."""

    pool: Pool
    scores: Floats
    terms: list[dict[str, Term]]
    similar: Floats  #: cosine similarity with each seed, (n_seeds, n)
    crowded: Floats  #: see `hubs.crowding`


@dataclass(frozen=True)
class Recommending:
    """One request: a library's store, the seeds, what is disliked, and what is wished for."""

    store: Store
    seeds: Sequence[Seed]
    disliked: Sequence[Seed]
    wishes: Wishes
    weights: Weights
    where: Filter | None
    place: object
    who: str | None
    history: bool
    said: str = ""

    def run(self) -> Recommendations:
        """Find what to recommend; paths are those that the store keeps."""
        found: list[Recommendation] = []
        most = POOL if self._condition is None else CHOSEN_POOL
        asked = max(LEAST, most // len(self.seeds), EACH * self.wishes.limit)
        while self.wishes.limit:
            pool = self._candidates(asked)
            found = self._chosen(self._scored(pool)) if pool.ids else []
            if len(found) >= self.wishes.limit or pool.complete:
                break
            asked = min(4 * asked, MOST_ROWS)
        reason = None
        if not found:
            reason = why_none(self.store, self.where, self.said, self._constraints, self._left_out)
        notes = tuple(dict.fromkeys(note for seed in self.seeds for note in seed.query.notes))
        return Recommendations(
            found,
            seeds=self.seeds,
            disliked=self.disliked,
            weights=self.weights,
            reason=reason,
            notes=notes,
            advice=None if _MUSIC & self.store.columns().keys() else _advice(self.place),
            prefer=self.wishes.prefer,
        )

    # -- what is known before

    @cached_property
    def _constraints(self) -> list[Constraint]:
        return constraints_of(self.wishes, self.seeds, self.store.columns(), self.place)

    @cached_property
    def _condition(self) -> Filter | None:
        return all_of(self.where, *(constraint.where for constraint in self._constraints))

    @cached_property
    def _rated(self) -> dict[str, dict[str, NDArray[np.float32]]]:
        """The vectors of the tracks that were liked and disliked, by verdict and id."""
        latest: dict[str, str] = {}
        for label in said(self.store, self.who) if self.history else []:
            latest.setdefault(label.track, label.name)
        ids = list(latest)[:MOST_RATINGS]
        vectors = self.store.clip_vectors(ids)
        return {
            verdict: {id: vectors[id] for id in ids if latest[id] == verdict and id in vectors}
            for verdict in ("liked", "disliked")
        }

    @cached_property
    def _left_out(self) -> set[str]:
        """Tracks that are never recommended: the seeds, and what is disliked."""
        given = {seed.track for seed in (*self.seeds, *self.disliked) if seed.track is not None}
        return given | self._rated["disliked"].keys()

    # -- candidates

    def _candidates(self, asked: int) -> Pool:
        """What is nearest to any seed and meets the conditions."""
        vectors = vectors_of(self.seeds, self.store.space().dim)
        more = asked + len(self._left_out)
        found = self.store.candidates(vectors, more, self._condition)
        # What is disliked has its rank, so that to dislike a track lifts no other.
        given = {seed.track for seed in self.seeds}
        near = {id: vector for hits in found for id, vector in hits.items() if id not in given}
        pool = self._pool(near, complete=any(len(hits) < more for hits in found))
        return pool.some(np.array([self._meets(fields) for fields in pool.fields], bool))

    def _meets(self, fields: Mapping[str, Any]) -> bool:
        return all(constraint.holds(fields) for constraint in self._constraints)

    def _pool(self, vectors: Mapping[str, NDArray[np.float32]], complete: bool) -> Pool:
        table, have = self.store.table(TRACKS), self.store.columns()
        light = ["id", *(name for name in _LIGHT if name in have)]
        rows = {row["id"]: row for some in batches(vectors, BATCH) for row in table.rows(In("id", tuple(some)), light)}
        there = sorted(rows)  # others have no track
        stacked = (
            np.stack([vectors[id] for id in there]) if there else np.empty((0, self.store.space().dim), np.float32)
        )
        return Pool(there, stacked, [rows[id] for id in there], complete)

    # -- scores

    def _scored(self, pool: Pool) -> Scored:
        units = unit32(pool.vectors)
        seeds = vectors_of(self.seeds, pool.vectors.shape[1])
        crowded, around = np.split(crowding(np.concatenate([pool.vectors, seeds])), [len(units)])
        similar = np.asarray(unit32(seeds) @ units.T, np.float64)
        fair = corrected(similar, around, crowded)
        placed, sound = ranks(fair), fused(fair)
        terms: list[dict[str, Term]] = [
            {"sound": Term(share, self.weights.sound, round(like, DECIMALS), _sound(like, rank, self.seeds[best]))}
            for share, like, rank, best in zip(
                np.round(sound, DECIMALS).tolist(),
                similar.max(axis=0).tolist(),
                placed.min(axis=0).tolist(),
                placed.argmin(axis=0).tolist(),
                strict=True,
            )
        ]
        for name, judge in judges(self.seeds, self.wishes).items():
            weight = getattr(self.weights, name)
            if weight:
                for each, fields in zip(terms, pool.fields, strict=True):
                    each[name] = Term(*_with_weight(judge(fields), weight))
        scores = np.array([_mean(each) for each in terms])
        scores += self._add_ratings(terms, units, crowded)
        return Scored(pool, np.round(scores, DECIMALS), terms, similar, crowded)

    def _add_ratings(self, terms: Sequence[dict[str, Term]], units: NDArray[np.float32], crowded: Floats) -> Floats:
        """What likes add and dislikes take off, which is put into the terms as well."""
        disliked = [*self._rated["disliked"].values(), *(seed.query.vector for seed in self.disliked)]
        total = np.zeros(len(units))
        for name, sign, vectors in (("liked", 1, list(self._rated["liked"].values())), ("disliked", -1, disliked)):
            weight = getattr(self.weights, name)
            if not vectors or not weight:
                continue
            similar = np.asarray(unit32(np.stack(vectors)) @ units.T, np.float64)
            near = nearness(similar, crowded).max(axis=0)
            total += sign * weight * near
            for each, value, like in zip(terms, near.tolist(), similar.max(axis=0).tolist(), strict=True):
                if value > 0:
                    words = f"{like:.2f} like one that was {name}"
                    each[name] = Term(round(value, DECIMALS), weight, round(like, DECIMALS), words)
        return total

    # -- the choice

    def _chosen(self, scored: Scored) -> list[Recommendation]:
        """Those to recommend: one song once, few of an artist, and not all alike."""
        ranked = np.argsort(-scored.scores, kind="stable")
        order = ranked[[scored.pool.ids[n] not in self._left_out for n in ranked.tolist()]]
        size = SHORTLIST * self.wishes.limit + SPARE
        while True:
            short = order[:size]
            found = self._chosen_of(scored, short)
            if len(found) >= self.wishes.limit or size >= len(order):
                return found
            size *= 2

    def _chosen_of(self, scored: Scored, short: NDArray[np.int64]) -> list[Recommendation]:
        ids = [scored.pool.ids[n] for n in short]
        tracks = self.store.get(ids)
        there = [
            (n, replace(tracks[id], vector=scored.pool.vectors[n]))
            for n, id in zip(short.tolist(), ids, strict=True)
            if id in tracks
        ]
        given = [_as_track(seed) for seed in (*self.seeds, *self.disliked)]
        groups = songs([*given, *(track for _, track in there)])
        first = len(given)
        of_others = [[place - first for place in group] for group in groups if group[0] >= first]
        if not of_others:
            return []
        places = np.array([there[group[0]][0] for group in of_others])
        vectors = scored.pool.vectors[places]
        alike = np.asarray(unit32(vectors) @ unit32(vectors).T, np.float64)
        crowded = scored.crowded[places]
        chosen = diverse(
            scored.scores[places],
            nearness(alike, (crowded[:, None] + crowded[None]) / 2),
            self.wishes.limit,
            self.wishes.variety,
            [maker(scored.pool.fields[place]) for place in places],
            self.wishes.artist_limit,
        )
        picked = [[there[place] for place in of_others[n]] for n in chosen]
        parts = self.store.parts([group[0][1].id for group in picked])
        return [self._made(scored, group, parts.get(group[0][1].id)) for group in picked]

    def _made(self, scored: Scored, group: Sequence[tuple[int, Track]], parts: Parts | None) -> Recommendation:
        (place, track), *others = group
        nearest = int(scored.similar[:, place].argmax())
        seed = self.seeds[nearest]
        query_start, query_end, start, end = _seconds(seed, parts)
        return Recommendation(
            track.id,
            track.path,
            float(scored.scores[place]),
            round(float(scored.similar[nearest, place]), DECIMALS),
            seed.name,
            scored.terms[place],
            query_start,
            query_end,
            start,
            end,
            fields={name: value for name, value in track.fields.items() if name != "path"},
            versions=tuple(Version(each.id, each.path, float(scored.scores[n])) for n, each in others),
        )


_Seconds = tuple[float | None, float | None, float | None, float | None]


def _seconds(seed: Seed, parts: Parts | None) -> _Seconds:
    """The seconds of a seed, and those of a track, that match best."""
    if parts is None:
        return None, None, None, None
    i, j, _ = best_pair(seed.query.parts, parts.vectors)
    start, end = map(float, parts.times[j])
    if seed.query.times is None:
        return None, None, start, end
    return float(seed.query.times[i, 0]), float(seed.query.times[i, 1]), start, end


def _advice(place: object) -> str:
    return (
        f"{place}: has no columns of music, so tracks were ranked by their sound alone; to rank by tempo, key and mood as "
        f"well: sonovec index FOLDER -l {place} --music"
    )


def _with_weight(
    judged: tuple[float | None, float | None, str], weight: float
) -> tuple[float | None, float, float | None, str]:
    value, distance, words = judged
    return (
        None if value is None else round(value, DECIMALS),
        weight,
        None if distance is None else round(distance, DECIMALS),
        words,
    )


def _mean(terms: Mapping[str, Term]) -> float:
    weight = sum(term.weight for term in terms.values())
    return sum(term.weight * term.counted for term in terms.values()) / weight if weight else 0.0


def _sound(like: float, rank: int, seed: Seed) -> str:
    return f"{like:.2f} alike, number {rank} for {seed.name}"


def _as_track(seed: Seed) -> Track:
    return Track(seed.track or "", seed.query.vector, seed.fields)
