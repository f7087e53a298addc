"""A list of hits, as a search gives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, TypeVar, overload

if TYPE_CHECKING:
    from sonovec.library.search import Hit


class OfTrack(Protocol):
    """What is found in a track."""

    @property
    def id(self) -> str:
        """The track's id."""


Found = TypeVar("Found", bound=OfTrack)


def few_of_each(hits: Iterable[Found], limit: int | None) -> Iterator[Found]:
    """At most so many hits of each track, the first ones."""
    seen: Counter[str] = Counter()
    for hit in hits:
        seen[hit.id] += 1
        if limit is None or seen[hit.id] <= limit:
            yield hit


class Hits(list["Hit"]):
    """A list of `Hit`, best first, that a prompt shows a hit a line, and a notebook as a table.

    Parameters
    ----------
    hits : iterable of Hit
    notes : tuple of str
        What there is to know of the answer, such as that the query is nearly silent.

    Examples
    --------
    >>> Hits([])
    Hits([])
    """

    def __init__(self, hits: Iterable[Hit] = (), notes: tuple[str, ...] = ()) -> None:
        super().__init__(hits)
        self.notes = notes

    def __repr__(self) -> str:
        lines = "".join(f"\n  {hit!r}," for hit in self)
        return f"Hits([{lines}\n])" if lines else "Hits([])"

    @overload
    def __getitem__(self, place: SupportsIndex) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> Hits: ...
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return Hits(found, self.notes) if isinstance(place, slice) else found

    def _repr_html_(self) -> str:
        from sonovec.library.notebook import hits_html

        return hits_html(self)
