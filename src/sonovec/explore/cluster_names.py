"""Names of clusters: what their tracks say of themselves more often than other tracks do.

After Monroe, Colaresi and Quinn, "Fightin' Words", Political Analysis 16 (2008): the difference of the log-odds of a term in
the cluster and outside it, with an informative Dirichlet prior, over its standard deviation. The prior is what the terms have
in all tracks together, and weighs as much as `PRIOR` tracks; so a rare term does not win by chance.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sonovec.library.roots import PATH
from sonovec.paths import from_text

#: So many tracks the prior weighs; a term of a name is over-represented by so many deviations (95 %); names have so many.
PRIOR, DEVIATIONS, TERMS = 10.0, 1.96, 2
#: Fields that say nothing of the sound, or something of one track alone.
NOT_TOLD = frozenset({PATH, "title", "codec", "notes", "fingerprint", "fingerprint_fine", "fingerprint_levels"})
#: What the folder of a file counts as.
FOLDER = "folder"


@dataclass(frozen=True)
class Term:
    """What the tracks of a cluster have more often than others.

    Attributes
    ----------
    field : str
        The column that it stands in, or "folder".
    text : str
    z : float
        Deviations by which its log-odds are higher than in the other tracks.
    inside, outside : int
        Tracks that have it.
    """

    field: str
    text: str
    z: float
    inside: int
    outside: int


def terms_of(fields: Mapping[str, object], leave_out: frozenset[str] = frozenset()) -> set[tuple[str, str]]:
    """The terms of a track: its texts and the items of its lists, each with its field, and its folder's name.

    Examples
    --------
    >>> sorted(terms_of({"path": "/sounds/rain/1.wav", "genre": "Field", "sound_tags": ["Rain"], "year": 1999}))
    [('folder', 'rain'), ('genre', 'Field'), ('sound_tags', 'Rain')]
    """
    found = {
        (name, text)
        for name, value in fields.items()
        if name not in NOT_TOLD and name not in leave_out
        for text in ([value] if isinstance(value, str) else value if isinstance(value, list) else [])
        if isinstance(text, str) and text
    }
    folder = from_text(str(fields.get(PATH) or "")).parent.name
    return found | ({(FOLDER, folder)} if folder else set())


def over_represented(inside: Sequence[set[tuple[str, str]]], outside: Sequence[set[tuple[str, str]]]) -> list[Term]:
    """The terms that tracks of a cluster have more often than others, the most telling first.

    Examples
    --------
    >>> rain, wind = {("sound_tags", "Rain")}, {("sound_tags", "Wind")}
    >>> [term.text for term in over_represented([rain] * 9 + [wind], [wind] * 20)]
    ['Rain']
    """
    ours = Counter(term for terms in inside for term in terms)
    theirs = Counter(term for terms in outside for term in terms)
    total = sum(ours.values()) + sum(theirs.values())
    prior = PRIOR * total / max(len(inside) + len(outside), 1)
    found = []
    for term, count in ours.items():
        weight = prior * (count + theirs[term]) / total
        apart = _log_odds(count, sum(ours.values()), weight, prior)
        apart -= _log_odds(theirs[term], sum(theirs.values()), weight, prior)
        z = apart / math.sqrt(1 / (count + weight) + 1 / (theirs[term] + weight))
        if z > DEVIATIONS:
            found.append(Term(*term, z, count, theirs[term]))
    return sorted(found, key=lambda each: (-each.z, each.field, each.text))


def _log_odds(count: int, total: int, weight: float, prior: float) -> float:
    return math.log((count + weight) / max(total + prior - count - weight, 1e-9))


def names_of(terms: Sequence[Sequence[Term]]) -> list[str]:
    """A name for each cluster by its terms; "cluster 3" where it has none, and a number behind a name that is taken.

    Examples
    --------
    >>> rain = Term("sound_tags", "Rain", 5.0, 9, 0)
    >>> names_of([[rain], [], [rain]])
    ['Rain', 'cluster 2', 'Rain (2)']
    """
    given: list[str] = []
    for number, each in enumerate(terms, start=1):
        words: dict[str, str] = {}
        for term in each:
            words.setdefault(term.text.lower(), term.text)
        name = ", ".join(list(words.values())[:TERMS]) or f"cluster {number}"
        used = given.count(name) + sum(other.startswith(f"{name} (") for other in given)
        given.append(f"{name} ({used + 1})" if used else name)
    return given
