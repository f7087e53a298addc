"""Versions: tracks that are one recording, in other encodings, at other levels or with other tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sonovec.analysis.likeness import Codes, codes_of
from sonovec.analysis.recordings import groups
from sonovec.errors import UsageError
from sonovec.library.records import Track, Value
from sonovec.vectors import similarity

#: The column by which they are known.
FINGERPRINT = "fingerprint"
#: So many candidates more than hits are looked at, so that the versions of the last hits are counted too.
SPARE = 16
#: The same samples give vectors that differ by rounding alone, and the same length, to a thousandth of a second.
EQUAL = 1 - 1e-6
DECIMALS = 3
#: Of long sounds that are much the same all along, as of noise, different recordings may have vectors that are as equal.
LONGEST_EQUAL = 60.0


@dataclass(frozen=True)
class Version:
    """A track that is the same recording as a hit, and is folded into it: its id, path and score."""

    id: str
    path: str
    score: float

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values."""
        return {"id": self.id, "path": self.path, "score": self.score}


def fold(tracks: Sequence[Track]) -> list[list[int]]:
    """Groups of tracks that are one recording, by their fingerprints, or by equal vectors where those have none.

    Parameters
    ----------
    tracks : sequence of Track
        With vectors, in order: the first of each group is the one that it is known by.

    Returns
    -------
    list of list of int
        Indices, in order.
    """
    first = np.arange(len(tracks))
    for found in (_by_fingerprint(tracks), _by_vector(tracks)):
        for group in found:
            first[group] = np.minimum(first[group], first[group[0]])
    first = first[first]
    return [np.flatnonzero(first == n).tolist() for n in np.unique(first)]


def codes_in(fields: Mapping[str, Value]) -> Codes | None:
    """The fingerprint of a track with these fields, if it has one."""
    text = fields.get(FINGERPRINT)
    try:
        return codes_of(text) if isinstance(text, str) else None
    except UsageError:  # a column of the user's own that is called so
        return None


def _by_fingerprint(tracks: Sequence[Track]) -> list[list[int]]:
    told = {n: codes for n, track in enumerate(tracks) if (codes := codes_in(track.fields)) is not None}
    indices = list(told)
    return [[indices[n] for n in group] for group in groups(list(told.values()))]


def _by_vector(tracks: Sequence[Track]) -> list[list[int]]:
    lengths: dict[float, list[int]] = {}
    for n, track in enumerate(tracks):
        seconds = track.fields.get("duration")
        if isinstance(seconds, float) and seconds <= LONGEST_EQUAL and not track.fields.get("silent"):
            lengths.setdefault(round(seconds, DECIMALS), []).append(n)
    found = []
    for indices in lengths.values():
        rows = np.stack([tracks[n].vector for n in indices])
        equal = similarity(rows, rows) >= EQUAL
        np.fill_diagonal(equal, True)  # of vectors of zeros
        first = equal.argmax(axis=1)
        found += [[indices[n] for n in np.flatnonzero(first == each)] for each in np.unique(first)]
    return found
