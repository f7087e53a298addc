"""A list of hits, as a search gives it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

if TYPE_CHECKING:
    from sonovec.library.search import Hit


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
