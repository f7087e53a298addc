"""Where in tracks the tags were heard that a search for words is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sonovec.library import sound_tags
from sonovec.library.hits import Hits
from sonovec.library.records import Moment

if TYPE_CHECKING:
    from sonovec.library.search import TextSearch
    from sonovec.library.store import Store


def score_of(tags: Mapping[str, float], words: Mapping[str, Sequence[str]]) -> float:
    """How well tags fit words, given with the tags that each of them names: the mean over the words of the best tag's score.

    Examples
    --------
    >>> score_of({"Dog": 0.5, "Bark": 0.25}, {"dog": ["Dog", "Bark"], "rain": ["Rain"]})
    0.25
    """
    return sum(max((tags.get(name, 0.0) for name in named), default=0.0) for named in words.values()) / len(words)


def loudest(moments: Sequence[Moment], words: Mapping[str, Sequence[str]]) -> Moment | None:
    """The moment whose tags fit the words best, the first of those that are alike; None where none of them fits at all.

    Examples
    --------
    >>> loudest([Moment(0, 10, {"Rain": 0.5}), Moment(10, 20, {"Dog": 0.75})], {"dog": ["Dog"]})
    Moment(start=10, end=20, tags={'Dog': 0.75})
    """
    best = max(moments, key=lambda moment: score_of(moment.tags, words), default=None)
    return best if best is not None and score_of(best.tags, words) > 0 else None


def in_time(store: Store, text: str, found: TextSearch) -> TextSearch:
    """What was found by tags, with the seconds of the segment of each hit whose tags fit the words best.

    Only the segments of hits are read. Where they were stored without tags, the hit is the whole track.
    """
    words = sound_tags.named(text, found.tags)
    moments = store.moments(hit.id for hit in found.hits)
    best = {id: loudest(those, words) for id, those in moments.items()} if words else {}
    hits = Hits(
        hit if (moment := best.get(hit.id)) is None else replace(hit, start=moment.start, end=moment.end)
        for hit in found.hits
    )
    return replace(found, hits=hits)
