"""Search a library by a sound, a part of one, an indexed track or a vector; every hit says which seconds match which."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief, shortened
from sonovec.embedding.silence import warnings_of
from sonovec.errors import UsageError
from sonovec.library import sound_tags, versions
from sonovec.library.backend import USUAL, Effort
from sonovec.library.columns import scores_of
from sonovec.library.filters import Filter
from sonovec.library.hits import Hits
from sonovec.library.long_texts import LONG
from sonovec.library.records import MAIN, Parts, Segment, Track, Value, title_of, value_of
from sonovec.library.store import MOST_ROWS, Store, row_count
from sonovec.library.versions import Version
from sonovec.paths import display
from sonovec.vectors import cosines, unit32

if TYPE_CHECKING:
    from sonovec.embedding.embedding import Embedding
    from sonovec.embedding.passport import Passport
    from sonovec.library.said import Said

LEVELS = ("track", "segment")
_TAGS = sound_tags.COLUMN, scores_of(sound_tags.COLUMN)

#: Scores are told to this many decimals, which float32 holds, and what stores compute differs by less than `ROUNDING`.
DECIMALS, ROUNDING = 6, 1e-5
#: Where a finer space ranks what a smaller one found, so many times as many are found there as are wanted, and at least so
#: many.
RERANKED, LEAST_RERANKED = 10, 100
#: Pairs of parts that are alike but for rounding, of which the best is looked for.
MOST_TIES = 10_000


@dataclass(frozen=True, eq=False, repr=False)
class Query(Brief):
    """What is searched for: a clip vector (dim,), its parts (q, dim), and their times (q, 2) in seconds, if it has any.

    `track` is the id of the content that it is of, or is a part of, where that is a file or a track. `notes` say what there
    is to know of the answer, such as that it is silent.
    """

    vector: NDArray[np.float32]
    parts: NDArray[np.float32]
    times: NDArray[np.float64] | None
    track: str | None = None
    notes: tuple[str, ...] = ()
    fields: Mapping[str, Value] | None = None

    @classmethod
    def of_embedding(cls, embedding: Embedding, segment_seconds: float) -> Query:
        """A query of a sound that was just embedded."""
        parts = embedding.parts(segment_seconds)
        times = np.array([(part.start, part.end) for part in parts])
        notes = warnings_of(embedding.silence)
        return cls(embedding.vector, np.stack([part.vector for part in parts]), times, notes=notes)

    @classmethod
    def of_segments(cls, segments: Sequence[Segment], vector: NDArray[np.float32]) -> Query:
        """A query of what is stored of a track: some of its segments, and the clip vector of all their windows."""
        if not segments:  # of a space of whole tracks
            return cls(vector, vector[None], None)
        parts = np.stack([segment.vector for segment in segments])
        times = np.array([(segment.start, segment.end) for segment in segments])
        return cls(vector, parts, times)


def sound_in(segments: Sequence[Segment], passport: Passport) -> NDArray[np.float64]:
    """How much sound each segment of a track holds: the sum of its windows' coverage.

    By these weights the mean of the segments is the mean of all windows, which is the clip vector.

    Parameters
    ----------
    segments : sequence of Segment
        All of the track, in order.
    passport : Passport
        How the library's sounds are cut into windows.

    Returns
    -------
    array, shape (n_segments,)
    """
    from sonovec.audio.windows import WindowSpec

    window = WindowSpec(passport.window, passport.hop, passport.tail)  # type: ignore[arg-type]  # a passport's is one
    lengths = [round((segment.end - segment.start) * passport.rate) for segment in segments]
    return np.array([window.count(each) * segment.coverage for each, segment in zip(lengths, segments, strict=True)])


@dataclass(frozen=True, repr=False)
class Hit:
    """One search result; ``hit["genre"]`` is the value of a column.

    Attributes
    ----------
    id : str
        The track's id: the hash of its content.
    path : str
        The track's file. `sonovec.paths.from_text` makes a path of it, also where the file's name is not UTF-8.
    score : float
        Cosine similarity in [-1, 1], to six decimals, of the whole sounds or, for ``level="segment"``, of the best pair of
        parts.
    query_start, query_end : float or None
        Seconds of the query that match best; None for a query that is a bare vector.
    start, end : float
        Seconds of the track that match best; of a hit by tags the segment in which they were heard best.
    fields : mapping
        Everything else that is stored with the track.
    versions : tuple of Version
        Further tracks that are the same recording, the best first, with their `id`, `path` and `score`.
    said : Said or None
        Of a search for what was said as well: the best passage.
    """

    id: str
    path: str
    score: float
    query_start: float | None
    query_end: float | None
    start: float
    end: float
    fields: Mapping[str, Value]
    versions: tuple[Version, ...] = ()
    said: Said | None = None

    @property
    def title(self) -> str:
        """What the file says is its title, or else the file's name without its ending."""
        return title_of(self.path, self.fields)

    def __getitem__(self, column: str) -> Any:
        return value_of(self, column)

    def __repr__(self) -> str:
        heard = "".join(f"; {tag}" for tag in list(self.tags)[:3])
        return f"Hit({self.score:.3f}, {shortened(display(self.path))}, {self.start:.1f}-{self.end:.1f} s{heard})"

    def _repr_html_(self) -> str:
        from sonovec.library.notebook import hit_html

        return hit_html(self)

    @property
    def tags(self) -> dict[str, float]:
        """What was heard in the track, with the scores, best first; empty if its encoder scores no classes."""
        return sound_tags.together(*(self.fields.get(name) for name in _TAGS))

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values, but for the long texts of analysers, which `Library.show` has."""
        # Columns `tags` and `versions` of the user's own keep their names; `sound_tags` tells the rest of the first then.
        apart = ("fields", "versions", "said")
        own = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in apart}
        passage = {} if self.said is None else {"said": self.said.to_json()}
        tags = [{"tag": tag, "score": score} for tag, score in self.tags.items()]
        versions = [version.to_json() for version in self.versions]
        return {
            **own,
            "versions": versions,
            "tags": tags,
            **passage,
            **{name: value for name, value in self.fields.items() if name not in own and name not in LONG},
        }


@dataclass(frozen=True, repr=False)
class TextSearch:
    """What a search for words found, and how.

    Attributes
    ----------
    hits : Hits
    by : {"words", "tags"}
        By the vector of the words, or by the tags that they name.
    tags : tuple of str
        Those tags.
    unknown : tuple of str
        Words that name no tag, and had no say.
    unheard : tuple of str
        Words that name tags which were heard in no track, or in none that matches the filter, and had no say.
    reason : str or None
        Why there are no hits, where there are none.
    advice : str or None
        What to run where some tracks have no tags in time, since an earlier version indexed them.
    """

    hits: Hits
    by: str
    tags: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    reason: str | None = None
    advice: str | None = None
    unheard: tuple[str, ...] = ()

    def __repr__(self) -> str:
        how = f"tags: {some(self.tags)}" if self.tags else self.by
        return f"TextSearch({len(self.hits)} hits by {how})" if self.hits else f"TextSearch(no hits: {self.reason})"

    def _repr_html_(self) -> str:
        from sonovec.library.notebook import hits_html

        return hits_html(self.hits)


def search_tags(
    store: Store, text: str, limit: int, where: Filter | None, classes: Callable[[], Iterable[str]]
) -> TextSearch:
    """Rank tracks by the tags that a text names; see `sonovec.Library.search_text`.

    The score of a hit is the mean, over the words, of the best score that a tag with that word has at any time of the track;
    its seconds are the whole track until `sonovec.library.moments.in_time` looks at its segments. Only where words name
    nothing that was heard is `classes` asked for all tags that the encoder knows; without them those of the library have
    to do.
    """
    limit = row_count("limit", limit)
    words = sound_tags.named(text, store.items(sound_tags.COLUMN))
    best: dict[str, float] = {}
    if words:
        words, best = _ranked(store, text, words, where, limit)
    if not words:
        words = _known(text, set(classes()) or store.items(sound_tags.COLUMN))
    tracks = store.get(best).items()
    ranked = sorted(((best[id], track) for id, track in tracks), key=lambda hit: (-hit[0], hit[1].path))[:limit]
    named = tuple(dict.fromkeys(name for names in words.values() for name in names))
    hits = Hits(_tag_hit(track, value) for value, track in ranked)
    unheard, unknown = _without_say(text, words, lambda: {*store.items(sound_tags.COLUMN), *classes()})
    return TextSearch(hits, "tags", named, unknown, unheard=unheard)


def folded_text(store: Store, limit: int, find: Callable[[int], TextSearch]) -> TextSearch:
    """What `find` finds, given how many hits to find, with those that are one recording as one; at most `limit` of them."""
    limit = row_count("limit", limit)
    asked = min(limit + versions.SPARE, MOST_ROWS)
    while True:
        found = find(asked)
        tracks = store.get([hit.id for hit in found.hits], vectors=True)
        hits = _folded([hit for hit in found.hits if hit.id in tracks], tracks)
        if len(hits) > limit or len(found.hits) < asked:
            return replace(found, hits=Hits(hits[:limit]))
        asked = min(2 * asked, MOST_ROWS)


def _ranked(
    store: Store, text: str, words: Mapping[str, list[str]], where: Filter | None, limit: int
) -> tuple[dict[str, list[str]], dict[str, float]]:
    """The words that name what was heard in tracks that match, and the scores of the best of those tracks.

    They are `limit`, and those that score the same as the last: their paths will say which come first.
    """
    names = list(dict.fromkeys(name for having in words.values() for name in having))
    ids, scores = store.tag_scores(names, sound_tags.COLUMN, where)
    loud = np.flatnonzero((scores > 0).any(axis=0))
    heard = sound_tags.named(text, [names[place] for place in loud])
    if not heard or limit == 0:
        return heard, {}
    each = [scores[:, [names.index(name) for name in having]].max(axis=1) for having in heard.values()]
    values = np.mean(each, axis=0)
    least = np.partition(values, -limit)[-limit] if limit < len(values) else 0.0
    best = np.flatnonzero((values >= least) & (values > 0))
    return heard, dict(zip(ids.take(best).to_pylist(), values[best].tolist(), strict=True))


def _known(text: str, names: Collection[str]) -> dict[str, list[str]]:
    """What a text names of all tags that there are; it is an error if that is none of them."""
    words = sound_tags.named(text, names)
    if names and not words:
        near = sound_tags.nearest(text, names)
        told = f"the nearest are: {some(near)}" if near else f"give words such as: {some(sorted(names))}"
        raise UsageError(f"text={text!r} names none of the {len(names)} tags that this library knows; {told}")
    return words


def some(names: Sequence[str], most: int = 6) -> str:
    """The first few of some names, for a message.

    Examples
    --------
    >>> some(["Dog", "Cat", "Rain"], 2)
    'Dog, Cat, ...'
    """
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])


def _without_say(
    text: str, words: Mapping[str, list[str]], names: Callable[[], Iterable[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the words that ranked nothing, those that name any of all tags, and those that name none."""
    said = {*words, *sound_tags.stems_of(name for having in words.values() for name in having)}
    others = {stem: word for stem, word in sound_tags.words_of(text).items() if stem not in said}
    known = sound_tags.stems_of(names()) if others else set()
    unheard = tuple(word for stem, word in others.items() if stem in known)
    return unheard, tuple(word for stem, word in others.items() if stem not in known)


def _tag_hit(track: Track, score: float) -> Hit:
    return Hit(track.id, track.path, score, None, None, 0.0, _duration(track), _fields(track))


def _duration(track: Track) -> float:
    duration = track.fields.get("duration")
    return duration if isinstance(duration, float) else 0.0


def search(
    store: Store,
    query: Query,
    limit: int,
    where: Filter | None,
    level: str,
    space: str = MAIN,
    effort: Effort = USUAL,
    include_self: bool = True,
    all_versions: bool = True,
    finer: tuple[str, Query] | None = None,
) -> list[Hit]:
    """Find the tracks nearest to a query, best first; see `sonovec.Library.search`.

    With a `finer` space, and the query in it, more tracks than are wanted are found in `space`, and ranked in that one.
    """
    if level not in LEVELS:
        raise UsageError(f"level={level!r} is unknown; give one of: {', '.join(LEVELS)}")
    limit = row_count("limit", limit)
    if limit == 0:
        return []
    whole = level == "track"
    without = None if include_self else query.track
    spare = 0 if all_versions else versions.SPARE
    asked = min(limit + spare + (without is not None), MOST_ROWS)
    ranking, ranked_in = (query, space) if finer is None else (finer[1], finer[0])
    if finer is not None:
        asked = min(max(math.ceil(RERANKED * effort.times * asked), LEAST_RERANKED), MOST_ROWS)
    while True:
        ids = (_by_track if whole else _by_segment)(store, query, asked, where, space, effort)
        # A track can be removed by another process between the search and this look.
        tracks = store.get((id for id in ids if id != without), vectors=True, space=ranked_in)
        hits = (
            _whole_hits(tracks, ranking) if whole else _hits_of_parts(tracks, ranking, store.parts(tracks, ranked_in))
        )
        hits.sort(key=lambda hit: (-hit.score, hit.path))
        folded = hits if all_versions else _folded(hits, tracks)
        if len(folded) >= limit + bool(spare) or len(ids) < asked:
            break
        asked = min(2 * asked, MOST_ROWS)
    best = folded[:limit]
    return _with_seconds(best, tracks, ranking, store.parts([hit.id for hit in best], ranked_in)) if whole else best


def _folded(hits: Sequence[Hit], tracks: Mapping[str, Track]) -> list[Hit]:
    """Hits of which none is the same recording as another; each knows those that were."""
    groups = [[hits[n] for n in group] for group in versions.fold([tracks[hit.id] for hit in hits])]
    return [
        replace(first, versions=tuple(versions.Version(each.id, each.path, each.score) for each in others))
        for first, *others in groups
    ]


#: Asks for the nearest of some of the query's vectors, given as a mask: how many for each, and tracks to leave out.
#: Gives a list of (track id, score) for each, best first; one that is shorter than asked holds all that there are.
_Nearest = Callable[[NDArray[np.bool_], int, list[str]], list[list[tuple[str, float]]]]


def _by_track(store: Store, query: Query, limit: int, where: Filter | None, space: str, effort: Effort) -> list[str]:
    def nearest(open: NDArray[np.bool_], asked: int, without: list[str]) -> list[list[tuple[str, float]]]:
        return store.search_tracks(query.vector[None], asked, where, space=space, effort=effort)

    return _candidates(nearest, 1, limit) or []


def _by_segment(store: Store, query: Query, limit: int, where: Filter | None, space: str, effort: Effort) -> list[str]:
    few = store.ids(where, limit + 1)
    if len(few) <= limit:  # so each of them is a hit, and its score is that of its segments
        return few

    def nearest(open: NDArray[np.bool_], asked: int, without: list[str]) -> list[list[tuple[str, float]]]:
        found = store.search_segments(query.parts[open], asked, None, without, where, space=space, effort=effort)
        return [[(id, score) for id, _, score in matches] for matches in found]

    found = _candidates(nearest, len(query.parts), limit)
    if found is not None:
        return found
    best = store.best_in_tracks(query.parts, where, space)
    least = _least(best, limit)
    return [id for id, score in best.items() if score >= least]


#: Searches that are made for one query, and tracks that are left out of one, before every vector is compared instead.
MOST_ROUNDS, MOST_KNOWN = 6, 1000


def _candidates(nearest: _Nearest, n_vectors: int, limit: int) -> list[str] | None:
    """Tracks that hold the `limit` best by the best score that any of the query's vectors has in them.

    What a list leaves out scores at most as much as the last that is in it. A longer list is asked for as long as that
    could be a hit. Tracks whose best score is known are left out of it, so that one long track does not crowd out others.
    None where that takes too many lists, or too long ones.
    """
    best: dict[str, float] = {}
    ends = np.full(n_vectors, np.inf)
    asked = 4 * limit
    for _ in range(MOST_ROUNDS):
        least = _least(best, limit)
        open = ends > least
        if not open.any():
            return [id for id, score in best.items() if score >= least]
        known = [id for id, score in best.items() if score >= ends.max()]
        if len(known) > MOST_KNOWN:
            break
        for row, found in zip(np.flatnonzero(open), nearest(open, asked, known), strict=True):
            ends[row] = found[-1][1] if len(found) == asked else -np.inf
            for id, score in found:
                best[id] = max(score, best.get(id, -1.0))
        asked *= 2
    return None


def _least(best: Mapping[str, float], limit: int) -> float:
    """What a hit scores at least, given the best score of some tracks; tracks that score alike are all looked at."""
    if len(best) < limit:
        return -math.inf
    score = heapq.nlargest(limit, best.values())[-1]
    # Of tracks that have nothing in common with the query there may be very many, and any will do.
    return score - ROUNDING if score else score


def _whole_hits(tracks: Mapping[str, Track], query: Query) -> list[Hit]:
    """Tracks as hits by their clip vectors; what matches are the whole sounds."""
    if not tracks:
        return []
    vectors = np.stack([track.vector for track in tracks.values()])
    scores = _rounded(cosines(np.broadcast_to(query.vector, vectors.shape), vectors)).tolist()
    times = query.times
    query_start, query_end = (None, None) if times is None else (float(times.min()), float(times.max()))
    return [
        Hit(track.id, track.path, score, query_start, query_end, 0.0, _duration(track), _fields(track))
        for track, score in zip(tracks.values(), scores, strict=True)
    ]


def _with_seconds(
    hits: Sequence[Hit], tracks: Mapping[str, Track], query: Query, parts: Mapping[str, Parts]
) -> list[Hit]:
    """The same with the pair of parts that match best, but in a space of whole tracks."""
    found = {hit.id: hit for hit in _hits_of_parts({hit.id: tracks[hit.id] for hit in hits}, query, parts)}
    seconds = ("query_start", "query_end", "start", "end")
    return [
        replace(hit, **{name: getattr(found[hit.id], name) for name in seconds}) if hit.id in found else hit
        for hit in hits
    ]


def _hits_of_parts(tracks: Mapping[str, Track], query: Query, parts: Mapping[str, Parts]) -> list[Hit]:
    """Tracks as hits by the pair of parts that match best."""
    hits = []
    for id in tracks.keys() & parts.keys():
        i, j, best = best_pair(query.parts, parts[id].vectors)
        query_start, query_end = (None, None) if query.times is None else map(float, query.times[i])
        start, end = map(float, parts[id].times[j])
        hits.append(Hit(id, tracks[id].path, best, query_start, query_end, start, end, _fields(tracks[id])))
    return hits


def _fields(track: Track) -> dict[str, Value]:
    return {name: value for name, value in track.fields.items() if name != "path"}


def best_pair(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[int, int, float]:
    """The rows of two sets that are most alike, and their cosine similarity.

    Of those that are alike but for rounding the first is taken.
    """
    rough = unit32(a) @ unit32(b).T
    of_rows = rough.max(axis=1)
    least = of_rows.max() - ROUNDING
    near = np.flatnonzero(of_rows >= least)
    rows, columns = np.nonzero(rough[near] >= least)
    rows, columns = near[rows[:MOST_TIES]], columns[:MOST_TIES]
    scores = _rounded(cosines(a[rows], b[columns]))
    place = int(scores.argmax())
    return int(rows[place]), int(columns[place]), float(scores[place])


def _rounded(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines, so rounded that equal vectors score 1 and tie."""
    return np.asarray(np.round(np.clip(scores, -1, 1), DECIMALS) + 0.0)  # and no negative zero
