"""The recordings that a library holds several times: the same content in several files, and other encodings of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sonovec.analysis.likeness import Codes
from sonovec.analysis.recordings import groups
from sonovec.jobs import Job, Progress
from sonovec.library.outcomes import Entry
from sonovec.library.records import Track, Value
from sonovec.library.versions import FINGERPRINT, codes_in
from sonovec.paths import to_text

#: Codecs that keep every sample begin so, in lower case.
LOSSLESS = (
    "pcm",
    "float",
    "double",
    "flac",
    "alac",
    "ape",
    "wavpack",
    "tta",
    "mlp",
    "truehd",
    "shorten",
    "wmalossless",
)
#: What is cut off by no more than so many seconds is as complete as the longest.
ALIKE = 2.0
#: Shorter sounds have no fingerprint: three seconds of codes, and the frames that they are made of.
SHORTEST = 3.5


@dataclass(frozen=True)
class Duplicate:
    """A track that is one recording with others.

    Attributes
    ----------
    id, path : str
        As in a `Hit`.
    copies : tuple of str
        Paths of further files on this machine with the same content.
    duration : float or None
        Seconds.
    codec : str
    lossless : bool
    rate : int or None
        Samples a second.
    size : int or None
        Bytes of the file, as this machine's ledger knows them.
    """

    id: str
    path: str
    copies: tuple[str, ...]
    duration: float | None
    codec: str
    lossless: bool
    rate: int | None
    size: int | None

    @property
    def bitrate(self) -> float | None:
        """Bits a second of the file, covers and tags included."""
        return 8 * self.size / self.duration if self.size is not None and self.duration else None

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**own, "copies": list(self.copies), "bitrate": self.bitrate}


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes
    ----------
    groups : list of list of Duplicate
        Tracks that are one recording, the one to keep first; the groups by the path of that one. A single track is a group
        if several files have its content.
    unknown : int
        Tracks that are long enough for a fingerprint, and have none.
    tracks : int
        That were looked at.
    """

    groups: list[list[Duplicate]]
    unknown: int
    tracks: int


def find(tracks: Sequence[Track], entries: Iterable[Entry], job: Job) -> Duplicates:
    """Find the recordings that are there several times; see `sonovec.Library.duplicates`.

    Parameters
    ----------
    tracks : sequence of Track
        With the paths of this machine.
    entries : iterable of Entry
        The rows of this machine's ledger.
    job : Job
        Is told of each round of comparison.
    """
    files: dict[str, dict[str, int | None]] = {}
    for entry in entries:
        if entry.content_hash is not None:
            files.setdefault(entry.content_hash, {})[to_text(entry.path)] = entry.size
    ordered = sorted(tracks, key=lambda track: track.path)
    found = [[_duplicate(ordered[n], files.get(ordered[n].id, {})) for n in group] for group in _groups(ordered, job)]
    several = [_best_first(group) for group in found if len(group) > 1 or group[0].copies]
    return Duplicates(sorted(several, key=lambda group: group[0].path), sum(map(_is_unknown, tracks)), len(tracks))


def _groups(tracks: Sequence[Track], job: Job) -> list[list[int]]:
    """Groups of tracks by their fingerprints; one without is a group of its own."""

    def tell(done: int, rounds: int) -> None:
        job.report(Progress("comparing fingerprints", done, rounds, "rounds"))

    told: dict[int, Codes] = {n: codes for n, t in enumerate(tracks) if (codes := codes_in(t.fields)) is not None}
    indices = list(told)
    alike = [[indices[n] for n in group] for group in groups(list(told.values()), tell)]
    return [*alike, *([n] for n in range(len(tracks)) if n not in told)]


def _duplicate(track: Track, files: Mapping[str, int | None]) -> Duplicate:
    fields = track.fields
    codec = str(fields.get("codec") or "")
    return Duplicate(
        id=track.id,
        path=track.path,
        copies=tuple(sorted(files.keys() - {track.path})),
        duration=_number(fields.get("duration")),
        codec=codec,
        lossless=codec.lower().startswith(LOSSLESS),
        rate=None if (rate := _number(fields.get("rate"))) is None else int(rate),
        size=next(iter(files.values()), None),
    )


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _best_first(group: Sequence[Duplicate]) -> list[Duplicate]:
    """What is complete before what is cut, then what is lossless, has more bits or samples a second, or is longer."""
    longest = max(each.duration or 0.0 for each in group)

    def worth(each: Duplicate) -> tuple[object, ...]:
        length = each.duration or 0.0
        cut = length < longest - ALIKE
        return cut, not each.lossless, -(each.bitrate or 0.0), -(each.rate or 0), -length, each.path

    return sorted(group, key=worth)


def _is_unknown(track: Track) -> bool:
    length = _number(track.fields.get("duration"))
    silent = track.fields.get("silent")
    return not track.fields.get(FINGERPRINT) and not silent and length is not None and length >= SHORTEST
