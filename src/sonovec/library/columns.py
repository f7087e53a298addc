"""What the user's own columns may be called, so that every store can keep them and every filter can name them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from sonovec.library.filters import KEYWORDS
from sonovec.library.records import RESERVED, TRACK_FIELDS

MOST_LETTERS = 100
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
#: Names that are taken. A name that begins with an underscore is left to the stores: LanceDB has `_rowid`, `_distance`,
#: `_score` and more of its own, and each version may bring others.
_TAKEN = RESERVED | KEYWORDS | TRACK_FIELDS.keys()


def fault(name: str, others: Iterable[str] = ()) -> str | None:
    """Say why a new column may not be called `name`, with a name that it may have; None for a name that is good.

    Upper and lower case count as the same, also with the names of `others`.

    Examples
    --------
    >>> fault("mood") is None
    True
    >>> fault("_rowid")
    "begins with an underscore, which stores keep for names of their own; call it 'rowid'"
    >>> fault("my mood!")
    "must be letters, digits and underscores; call it 'my_mood'"
    >>> fault("ID")
    "is a name that sonovec uses itself; call it 'my_ID'"
    """
    same = next((other for other in others if other.lower() == name.lower()), None)
    if name.startswith("_") and _NAME.fullmatch(name.lstrip("_")):
        why = "begins with an underscore, which stores keep for names of their own"
    elif not _NAME.fullmatch(name):
        why = "must be letters, digits and underscores"
    elif len(name) > MOST_LETTERS:
        why = f"has more than {MOST_LETTERS} letters"
    elif name.lower() in _TAKEN:
        why = "is a name that sonovec uses itself"
    elif same is not None:
        why = f"differs from the column {same!r} by case only"
    else:
        return None
    return f"{why}; call it {free(name, others)!r}"


def free(name: str, others: Iterable[str] = ()) -> str:
    """Give a good name that is near to one that is not.

    Examples
    --------
    >>> free("_rowid"), free("Ätna"), free("1st"), free("id"), free("Mood", ["mood"])
    ('rowid', 'Atna', 'column_1st', 'my_id', 'Mood_2')
    """
    used = {other.lower() for other in others}
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    made = re.sub(r"[^A-Za-z0-9_]+", "_", ascii_only)[: MOST_LETTERS - 10].strip("_")
    if not _NAME.fullmatch(made):
        made = f"column_{made}".rstrip("_")
    if made.lower() in _TAKEN:
        made = f"my_{made}"
    numbered = (made if number == 1 else f"{made}_{number}" for number in range(1, len(used) + 3))
    return next(each for each in numbered if each.lower() not in used)
