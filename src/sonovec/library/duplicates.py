"""The recordings that a library holds several times: the same content in several files, and other encodings of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sonovec.analysis import quiet
from sonovec.analysis.likeness import Codes
from sonovec.analysis.overlaps import overlaps, seconds
from sonovec.analysis.recordings import groups
from sonovec.analysis.speeds import Fine, Sped, at_another_speed, fine_of
from sonovec.errors import UsageError
from sonovec.jobs import Job, Progress
from sonovec.library.neighbours import nearest
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
#: The columns by which other speeds are found, and what is mostly near silence, and by which quality is judged.
FINE, LEVELS, BANDWIDTH = "fingerprint_fine", "fingerprint_levels", "bandwidth"
#: So many tracks with the nearest vectors are looked at for the same recording at another speed: of 600 pairs of real
#: sounds, each is among the 10 nearest of the other, or the other way round.
CANDIDATES = 12
#: Two tracks at one speed with a smaller share of equal bits than this are one recording if their lengths differ by no more
#: than so many seconds: other encodings and levels.
AS_ONE, AS_LONG = 0.75, 0.1
#: Of two tempos at one pitch, too, such a share is not enough: phrases of the same notes in two articulations reach it. The
#: lengths must differ as the tempos do, to so many seconds, and so much of the length, which is a step of the speeds.
AS_PLAYED, STEP = 0.04, 0.0055
#: A stretch makes two tracks one recording if it is so much of the shorter one, and that so much of the longer one.
NEARLY_ALL, HALF = 0.9, 0.5
#: Seconds of sound that a code is made of, beyond its place.
FRAME = 0.512
#: What reaches less high than this share of the highest sounds worse.
DULL = 0.9


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
    bandwidth : float or None
        Hz up to which it reaches, where the analyser ``bandwidth`` heard it.
    speed : float or None
        How much faster it is than the first of its group: 1.03 for 3 %. None where that is not known.
    keeps_pitch : bool
        Whether its tempo alone differs.
    offset : float or None
        Seconds of the first of the group at which it begins; negative where it begins before it.
    """

    id: str
    path: str
    copies: tuple[str, ...]
    duration: float | None
    codec: str
    lossless: bool
    rate: int | None
    size: int | None
    bandwidth: float | None = None
    speed: float | None = None
    keeps_pitch: bool = False
    offset: float | None = None

    @property
    def bitrate(self) -> float | None:
        """Bits a second of the file, covers and tags included."""
        return 8 * self.size / self.duration if self.size is not None and self.duration else None

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**own, "copies": list(self.copies), "bitrate": self.bitrate}


@dataclass(frozen=True)
class Overlap:
    """A stretch that two tracks, which are not one recording, have in common.

    Attributes
    ----------
    id, path : str
        The track in which more lies beside it.
    start, end : float
        Seconds of it.
    other_id, other_path : str
    other_start, other_end : float
    within : bool
        Whether the other one lies within the first as a whole, as far as their fingerprints tell.
    """

    id: str
    path: str
    start: float
    end: float
    other_id: str
    other_path: str
    other_start: float
    other_end: float
    within: bool

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


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
    overlaps : list of Overlap
        Stretches of three seconds or more that tracks of different groups have in common, the longest first.
    coarse : int
        Tracks whose fingerprint an earlier version made, so that copies of them at another speed, or poor copies of what is
        mostly near silence, are not found.
    """

    groups: list[list[Duplicate]]
    unknown: int
    tracks: int
    overlaps: list[Overlap]
    coarse: int


def find(tracks: Sequence[Track], entries: Iterable[Entry], job: Job) -> Duplicates:
    """Find the recordings that are there several times; see `sonovec.Library.duplicates`.

    Parameters
    ----------
    tracks : sequence of Track
        With their vectors, and the paths of this machine.
    entries : iterable of Entry
        The rows of this machine's ledger.
    job : Job
        Is told of each round of comparison.
    """
    files: dict[str, dict[str, int | None]] = {}
    for entry in entries:
        if entry.content_hash is not None:
            files.setdefault(entry.content_hash, {})[to_text(entry.path)] = entry.size
    search = _Search(sorted(tracks, key=lambda track: track.path), job)
    groups, others = search.run()
    told = [
        _best_first([(n, _duplicate(track := search.tracks[n], files.get(track.id, {}))) for n in group])
        for group in groups
    ]
    several = [search.placed(group) for group in told if len(group) > 1 or group[0][1].copies]
    kept = {n: group[0][0] for group in told for n, _ in group}
    return Duplicates(
        sorted(several, key=lambda group: group[0].path),
        sum(map(_is_unknown, tracks)),
        len(tracks),
        search.told(others, kept),
        len(search.codes.keys() - search.of_this_version),
    )


class _Search:
    """Tracks, their fingerprints, and which of them are one recording, as a forest."""

    def __init__(self, tracks: Sequence[Track], job: Job) -> None:
        self.tracks, self._job = tracks, job
        self.codes = {n: codes for n, t in enumerate(tracks) if (codes := codes_in(t.fields)) is not None}
        self.fine = {n: fine for n in self.codes if (fine := _fine_in(tracks[n].fields)) is not None}
        self.of_this_version = {n for n in self.fine if isinstance(tracks[n].fields.get(LEVELS), str)}
        self._loud = {
            n: part for n, codes in self.codes.items() if (part := _loud_in(tracks[n].fields, codes)) is not None
        }
        self._parents = list(range(len(tracks)))

    def run(self) -> tuple[list[list[int]], list[tuple[int, int, int, int, int]]]:
        """Groups of tracks, and stretches that others have in common: two tracks, their first codes, and how many."""
        indices = list(self.codes)
        codes = list(self.codes.values())
        for group in groups(codes, self._tell("comparing fingerprints")):
            for place in group[1:]:
                self._join(indices[group[0]], indices[place])
        self._join_loud()
        found = overlaps(codes, self._tell("looking for parts"))
        stretches = [(indices[e.one], indices[e.other], e.begin, e.other_begin, e.length) for e in found]
        for one, other, _, _, length in stretches:
            if self._is_one(one, other, length) or self._is_sped(one, other):
                self._join(one, other)
        self._join_speeds()
        members: dict[int, list[int]] = {}
        for n in range(len(self.tracks)):
            members.setdefault(self._root(n), []).append(n)
        return list(members.values()), [each for each in stretches if self._root(each[0]) != self._root(each[1])]

    def _tell(self, stage: str, unit: str = "rounds") -> Callable[[int, int], None]:
        return lambda done, of: self._job.report(Progress(stage, done, of, unit))

    def _root(self, n: int) -> int:
        while self._parents[n] != n:
            self._parents[n] = self._parents[self._parents[n]]
            n = self._parents[n]
        return n

    def _join(self, one: int, other: int) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._parents[second] = first

    def _is_one(self, one: int, other: int, length: int) -> bool:
        """Whether a stretch makes two tracks one recording: the shorter one lies in the other, and is half of it or more."""
        short = min(len(self.codes[one]), len(self.codes[other]))
        lengths = sorted(map(self._seconds, (one, other)))
        return length >= NEARLY_ALL * short and lengths[0] >= HALF * lengths[1]

    def _join_loud(self) -> None:
        """Compare what is loud of tracks that are near silence beside it."""
        numbers, parts = list(self._loud), list(self._loud.values())
        for a, b in sorted(set(quiet.pairs(parts, self._tell("comparing what is loud")))):
            one, other = numbers[a], numbers[b]
            if self._root(one) != self._root(other) and quiet.begins_at(parts[a], parts[b]) is not None:
                self._join(one, other)

    def _join_speeds(self) -> None:
        """Compare each track, at many speeds, with those whose vectors are nearest to its own.

        The nearest of a track may all be of its own group, so the first tracks of groups are compared among themselves, too.
        """
        tracks = tuple(n for n in self.fine if len(self.tracks[n].vector))
        firsts = tuple(n for n in tracks if self._root(n) == n)
        pairs = sorted(set().union(*map(self._near, {tracks, firsts})))  # once where nothing is joined yet
        tell = self._tell("comparing speeds", "pairs")
        for done, (one, other) in enumerate(pairs):
            tell(done, len(pairs))
            if self._is_sped(one, other):
                self._join(one, other)

    def _near(self, some: Sequence[int]) -> set[tuple[int, int]]:
        """Pairs of tracks of which one is among the nearest of the other."""
        if len(some) < 2:
            return set()
        vectors = np.stack([self.tracks[n].vector for n in some])
        near, _ = nearest(vectors, CANDIDATES, tell=self._tell("finding candidates", "tracks"))
        rows, columns = np.nonzero(near >= 0)
        numbers = np.array(some)
        pairs = np.sort(np.stack([numbers[rows], numbers[near[rows, columns]]], axis=1), axis=1)
        return set(map(tuple, pairs.tolist()))

    def _is_sped(self, one: int, other: int) -> bool:
        """Whether two tracks, not joined yet, are one recording at whatever speed, as seen from either."""
        if self._root(one) == self._root(other) or not {one, other} <= self.fine.keys():
            return False
        for a, b in ((one, other), (other, one)):
            found = at_another_speed(self.codes[a], self.fine[b])
            if found is None or (found.share < AS_ONE and not self._is_as_long(a, b, found)):
                return False
        return True

    def _is_as_long(self, one: int, other: int, found: Sped) -> bool:
        """Whether the lengths of two tracks are what they are of one recording, at its own pitch.

        Two takes of a phrase may be as alike as two speeds of one take; but they are not as long.
        """
        length = self._seconds(one)
        apart = abs(length - found.speed * self._seconds(other))
        if found.speed == 1:
            return apart <= AS_LONG
        return not found.keeps_pitch or apart <= AS_PLAYED + STEP * length

    def _seconds(self, n: int) -> float:
        return _number(self.tracks[n].fields.get("duration")) or 0.0

    def placed(self, group: Sequence[tuple[int, Duplicate]]) -> list[Duplicate]:
        """A group with how each of it lies on its first."""
        (first, best), *others = group
        return [replace(best, speed=1.0, offset=0.0), *(self._placed(first, n, each) for n, each in others)]

    def _placed(self, first: int, n: int, each: Duplicate) -> Duplicate:
        if first not in self.codes or n not in self.codes:
            return each
        if (found := self._sped(first, n)) is not None:
            offset = round(-found.offset * found.speed, 2) + 0.0
            return replace(each, speed=round(found.speed, 3), keeps_pitch=found.keeps_pitch, offset=offset)
        if (begin := self._begin(first, n)) is None:
            return each
        return replace(each, speed=1.0, offset=round(seconds(begin), 2))

    def _sped(self, first: int, n: int) -> Sped | None:
        """How a track lies on the first of its group: by all of it, or by what is loud, where less of the whole agrees."""
        if n not in self.fine:
            return None
        whole = at_another_speed(self.codes[first], self.fine[n])
        if not {first, n} <= self._loud.keys() or (whole is not None and whole.share >= AS_ONE):
            return whole
        loud = at_another_speed(self._loud[first], self.fine[n], loud=True)
        return max(filter(None, (whole, loud)), key=lambda each: each.share, default=None)

    def _begin(self, first: int, n: int) -> int | None:
        """The code of one track at which another begins, at the same speed; None where they have too little in common."""
        if stretches := overlaps([self.codes[first], self.codes[n]]):
            return stretches[0].begin - stretches[0].other_begin
        return quiet.begins_at(self._loud[first], self._loud[n]) if {first, n} <= self._loud.keys() else None

    def told(self, stretches: Iterable[tuple[int, int, int, int, int]], kept: Mapping[int, int]) -> list[Overlap]:
        """The longest stretch of each two groups, between the tracks to keep where those have one."""
        best: dict[tuple[int, int], tuple[tuple[bool, int], Overlap]] = {}
        for one, other, begin, other_begin, length in stretches:
            groups = min(kept[one], kept[other]), max(kept[one], kept[other])
            worth = (kept[one] == one) + (kept[other] == other) == 2, length
            if groups not in best or worth > best[groups][0]:
                best[groups] = worth, self._overlap(one, other, begin, other_begin, length)
        return sorted((each for _, each in best.values()), key=lambda each: (each.start - each.end, each.path))

    def _overlap(self, one: int, other: int, begin: int, other_begin: int, length: int) -> Overlap:
        if len(self.codes[one]) < len(self.codes[other]):
            one, other, begin, other_begin = other, one, other_begin, begin
        a, b = self.tracks[one], self.tracks[other]
        # Of a frame that reaches beyond the stretch about half agrees; the first and the last one reach not beyond the sound.
        whole = begin + length == len(self.codes[one]) or other_begin + length == len(self.codes[other])
        lead = 0 if 0 in (begin, other_begin) else FRAME / 2
        rest = FRAME if whole else FRAME / 2
        start, other_start = (round(seconds(each) + lead, 2) for each in (begin, other_begin))
        end, other_end = (round(seconds(each + length) + rest, 2) for each in (begin, other_begin))
        within = length >= NEARLY_ALL * len(self.codes[other])
        return Overlap(a.id, a.path, start, end, b.id, b.path, other_start, other_end, within)


def _fine_in(fields: Mapping[str, Value]) -> Fine | None:
    text = fields.get(FINE)
    try:
        return fine_of(text) if isinstance(text, str) else None
    except UsageError:  # a column of the user's own that is called so
        return None


def _loud_in(fields: Mapping[str, Value], codes: Codes) -> Codes | None:
    text = fields.get(LEVELS)
    try:
        return quiet.loud_part(codes, quiet.levels_of(text)) if isinstance(text, str) else None
    except UsageError:  # a column of the user's own that is called so
        return None


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
        bandwidth=_number(fields.get(BANDWIDTH)),
    )


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _best_first(group: Sequence[tuple[int, Duplicate]]) -> list[tuple[int, Duplicate]]:
    """What is complete before what is cut, not dull before dull, then what is lossless, has more bits, or is longer."""
    longest = max(each.duration or 0.0 for _, each in group)
    widest = max(each.bandwidth or 0.0 for _, each in group)

    def worth(numbered: tuple[int, Duplicate]) -> tuple[object, ...]:
        _, each = numbered
        length = each.duration or 0.0
        cut = length < longest - ALIKE
        dull = each.bandwidth is not None and each.bandwidth < DULL * widest
        return cut, dull, not each.lossless, -(each.bitrate or 0.0), -(each.rate or 0), -length, each.path

    return sorted(group, key=worth)


def _is_unknown(track: Track) -> bool:
    length = _number(track.fields.get("duration"))
    silent = track.fields.get("silent")
    return not track.fields.get(FINGERPRINT) and not silent and length is not None and length >= SHORTEST
