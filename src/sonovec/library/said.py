"""What was said: passages by their words, through the store's index of words, and the tracks that said something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sonovec.brief import shortened
from sonovec.errors import UsageError
from sonovec.library.backend import Row
from sonovec.library.filters import Filter, In
from sonovec.library.hits import few_of_each
from sonovec.library.records import Passage, Track, Value, title_of
from sonovec.library.store import MOST_ROWS, Store, row_count
from sonovec.library.tables import PASSAGES
from sonovec.library.wording import Wording
from sonovec.paths import display

#: Passages that the index is asked for at first, for each hit and at least; as long as hits are missing, so many times more.
EACH, AT_FIRST, MORE = 10, 100, 4

ORDERS = ("score", "time")
_COLUMNS = list(Passage.__dataclass_fields__)


@dataclass(frozen=True, repr=False)
class Said:
    """A passage in which the words were said.

    Attributes
    ----------
    id, path : str
        The track, as in a `Hit`.
    start, end : float
        Seconds of the track.
    text : str
        What was said there.
    score : float
        In [0, 1]: 1 where it was said word for word; see `sonovec.Library.said`.
    language : str
        A code such as "en"; empty where it is not known.
    source : str
        Who or what wrote it down, such as ``transcript@tiny.en:3f2a``.
    fields : mapping
        Everything else that is stored with the track.
    """

    id: str
    path: str
    start: float
    end: float
    text: str
    score: float
    language: str = ""
    source: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict, compare=False, repr=False)

    @property
    def title(self) -> str:
        """What the file says is its title, or else the file's name without its ending."""
        return title_of(self.path, self.fields)

    def __repr__(self) -> str:
        place = f"{shortened(display(self.path))}, {self.start:.1f}-{self.end:.1f} s"
        return f"Said({self.score:.3f}, {place}: {shortened(self.text)!r})"

    def to_json(self) -> dict[str, Any]:
        """All of it but `fields` as one flat object of JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "fields"}


@dataclass(frozen=True, repr=False)
class SaidSearch:
    """What a search for words that were said found.

    Attributes
    ----------
    hits : list of Said
    reason : str or None
        Why there are no hits, where there are none.
    """

    hits: list[Said]
    reason: str | None = None

    def __repr__(self) -> str:
        return f"SaidSearch({len(self.hits)} hits)" if self.hits else f"SaidSearch(no hits: {self.reason})"


def find_said(
    store: Store,
    text: str,
    limit: int | None,
    *,
    where: Filter | None = None,
    limit_per_track: int | None = None,
    order: str = "score",
) -> SaidSearch:
    """Find passages by their words; see `sonovec.Library.said`. Paths are those that the store has."""
    if order not in ORDERS:
        raise UsageError(f"order={order!r} is unknown; give one of: {', '.join(ORDERS)}")
    most = MOST_ROWS if limit is None else row_count("limit", limit)
    limit_per_track = None if limit_per_track is None else row_count("limit_per_track", limit_per_track)
    asked = Wording.of(text)
    within = None if where is None else In("track", tuple(store.ids(where)))
    wanted = max(EACH * most, AT_FIRST)
    while True:
        rows, is_all = _holding(store, asked, min(wanted, MOST_ROWS), within)
        ranked = _ranked(asked, rows)
        tracks = _of(store, [row["track"] for _, row in ranked])
        found = (_hit(score, row, tracks[row["track"]]) for score, row in ranked if row["track"] in tracks)
        hits = list(few_of_each(found, limit_per_track))
        if len(hits) >= most or is_all:
            break
        wanted *= MORE
    best = hits[:most]
    if order == "time":
        best.sort(key=lambda hit: (hit.path, hit.start))
    return SaidSearch(best, None if hits else _why_none(store, text, within))


def tracks_that_said(store: Store, text: str, where: Filter | None = None) -> dict[str, Said]:
    """The tracks with a passage that has all of the words, in any form, and the phrases word for word: the best by track."""
    asked = Wording.of(text)
    within = None if where is None else In("track", tuple(store.ids(where)))
    found = store.table(PASSAGES).find(" ".join(asked.groups), MOST_ROWS, within, _COLUMNS, asked.groups)
    rows = [(row, score) for row, score in found if asked.is_all_in(row["text"])]
    best: dict[str, tuple[float, Row]] = {}
    for score, row in _ranked(asked, rows):
        best.setdefault(row["track"], (score, row))
    tracks = _of(store, best)
    return {id: _hit(*best[id], track) for id, track in tracks.items()}


def _holding(store: Store, asked: Wording, limit: int, within: Filter | None) -> tuple[list[tuple[Row, float]], bool]:
    """Passages among which are the best, with the index's own score, and whether they are all that there are.

    Those with all words come from a question of their own: the index would rank a rare word above several usual ones.
    """
    table, words = store.table(PASSAGES), " ".join(asked.groups)
    questions: list[Sequence[str]] = [asked.groups]
    if not asked.phrases and len(asked.groups) > 1:
        questions.append(())
    found: dict[str, tuple[Row, float]] = {}
    is_all = True
    for every in questions:
        answers = table.find(words, limit, within, ["id", *_COLUMNS], every)
        is_all = is_all and len(answers) < limit
        for row, score in answers:
            known = found.get(row["id"])
            found[row["id"]] = row, max(score, known[1] if known else 0.0)
    return list(found.values()), is_all


def _ranked(asked: Wording, rows: Sequence[tuple[Row, float]]) -> list[tuple[float, Row]]:
    """Passages that say enough, the best first; of two that say it as well, the one that the index ranks higher."""
    scored = [(asked.score(row["text"]), by_index, row) for row, by_index in rows]
    good = [each for each in scored if each[0] > 0]
    good.sort(key=lambda each: (-each[0], -each[1], each[2]["track"], each[2]["start"], each[2]["text"]))
    return [(score, row) for score, _, row in good]


def _of(store: Store, ids: Sequence[str] | Mapping[str, Any]) -> dict[str, Track]:
    """Tracks that are in the library, each once."""
    return store.get(dict.fromkeys(ids))


def _hit(score: float, row: Row, track: Track) -> Said:
    rest = {name: value for name, value in track.fields.items() if name != "path"}
    place = {name: row[name] for name in ("start", "end", "text", "language", "source")}
    return Said(track.id, track.path, score=score, **place, fields=rest)


def _why_none(store: Store, text: str, within: Filter | None) -> str:
    """One line that says why no passage was found."""
    table = store.table(PASSAGES)
    if within is not None and not within.values:  # type: ignore[attr-defined]  # it is a list of tracks
        return "no track matches the filter"
    if not table.ids(within, 1):
        among = "of the tracks that match the filter " if within is not None else ""
        return f"nothing {among}was transcribed; run: sonovec index PATH -l {store.location} --transcribe MODEL, such as tiny"
    return f"nobody says {text!r} in what was transcribed"
