"""What is recommended, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sonovec.brief import shortened
from sonovec.library.recommend.seeds import Seed
from sonovec.library.recommend.terms import Term
from sonovec.library.recommend.weights import Weights
from sonovec.library.records import Value, title_of
from sonovec.library.versions import Version
from sonovec.paths import display


@dataclass(frozen=True, repr=False)
class Recommendation:
    """A track that is recommended.

    Attributes
    ----------
    id, path : str
        The track, as in a `Hit`.
    score : float
        The weighted mean of the terms, with what likes add and dislikes take off.
    similarity : float
        Cosine similarity with the seed that it is most like.
    seed : str
        The name of that seed.
    terms : mapping of str to Term
        By name, those that count: `sound`, `tempo`, `key`, `mood`, `energy`, `liked` and `disliked`.
    query_start, query_end, start, end : float or None
        The seconds of that seed, and of the track, that match best.
    fields : mapping
        Everything else that is stored with the track.
    versions : tuple of Version
        Further tracks that are the same song, the best first.
    """

    id: str
    path: str
    score: float
    similarity: float
    seed: str
    terms: Mapping[str, Term]
    query_start: float | None
    query_end: float | None
    start: float | None
    end: float | None
    fields: Mapping[str, Value] = field(repr=False)
    versions: tuple[Version, ...] = ()

    @property
    def title(self) -> str:
        """What the file says is its title, or else the file's name without its ending."""
        return title_of(self.path, self.fields)

    @property
    def why(self) -> str:
        """Why it was chosen, on one line."""
        told = [f"{name}: {term.said}" for name, term in self.terms.items()]
        if self.start is not None and self.end is not None:
            where = f"{_place(self.start)}-{_place(self.end)}"
            if self.query_start is not None and self.query_end is not None:
                where += f" match {_place(self.query_start)}-{_place(self.query_end)} of {self.seed}"
            told.append(f"seconds: {where}")
        return "; ".join(told)

    def __repr__(self) -> str:
        return f"Recommendation({self.score:.3f}, {shortened(display(self.path))}: {shortened(self.why)})"

    def to_json(self) -> dict[str, Any]:
        """All of it as an object of JSON values; the columns of the track are in `fields`."""
        apart = ("terms", "fields", "versions")
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__ if name not in apart},
            "why": self.why,
            "terms": {name: term.to_json() for name, term in self.terms.items()},
            "versions": [each.to_json() for each in self.versions],
            "fields": dict(self.fields),
        }


class Recommendations(list[Recommendation]):
    """Recommended tracks, in the order to play them: a list that knows how it was made.

    Attributes
    ----------
    seeds, disliked : sequence of Seed
        What was given.
    weights : Weights
    reason : str or None
        Why there are none, where there are none: which condition left nothing.
    notes : tuple of str
        What there is to know, such as that a seed is silent.
    advice : str or None
        What to run where the library has no columns of music, so that sound alone ranked the tracks.

    Examples
    --------
    >>> Recommendations()
    Recommendations([])
    """

    def __init__(
        self,
        found: Iterable[Recommendation] = (),
        *,
        seeds: Sequence[Seed] = (),
        disliked: Sequence[Seed] = (),
        weights: Weights | None = None,
        reason: str | None = None,
        notes: tuple[str, ...] = (),
        advice: str | None = None,
        prefer: str = "heard",
    ) -> None:
        super().__init__(found)
        self.seeds, self.disliked = seeds, disliked
        self.weights = weights or Weights()
        self.reason, self.notes, self.advice, self.prefer = reason, notes, advice, prefer

    def __repr__(self) -> str:
        lines = "".join(f"\n  {each!r}," for each in self)
        return f"Recommendations([{lines}\n])" if lines else "Recommendations([])"

    def to_json(self) -> dict[str, Any]:
        """All of it as an object of JSON values."""
        return {
            "seeds": [seed.to_json(self.prefer) for seed in self.seeds],
            "not": [seed.to_json(self.prefer) for seed in self.disliked],
            "weights": asdict(self.weights),
            "reason": self.reason,
            "notes": list(self.notes),
            "advice": self.advice,
            "recommendations": [each.to_json() for each in self],
        }


def _place(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
