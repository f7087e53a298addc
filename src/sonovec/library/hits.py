"""A list of hits, as a search gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonovec.library.search import Hit


class Hits(list["Hit"]):
    """A list of `Hit`, best first, that a prompt shows a hit a line, and a notebook as a table.

    Examples
    --------
    >>> Hits([])
    Hits([])
    """

    def __repr__(self) -> str:
        lines = "".join(f"\n  {hit!r}," for hit in self)
        return f"Hits([{lines}\n])" if lines else "Hits([])"

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return Hits(found) if isinstance(place, slice) else found

    def _repr_html_(self) -> str:
        from sonovec.library.notebook import hits_html

        return hits_html(self)
