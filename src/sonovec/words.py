"""Counts and lists as notes write them."""

from __future__ import annotations

from collections.abc import Sequence

#: How many of some things are named.
NAMED = 3


def listed(items: Sequence[str]) -> str:
    """The first few of some things.

    Examples
    --------
    >>> listed(["a", "b", "c", "d"]), listed(["a"])
    ('a, b, c and 1 more', 'a')
    """
    more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return f"{', '.join(items[:NAMED])}{more}"


def counted(count: int, one: str, many: str = "") -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "label"), counted(2, "label")
    ('1 label', '2 labels')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"
