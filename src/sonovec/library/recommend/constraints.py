"""What every recommended track must meet: conditions that the store looks up, and which of them leaves nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sonovec.errors import UsageError
from sonovec.library.columns import Kind
from sonovec.library.filters import And, Compare, Filter, Has, In, IsNull, Not, all_of, any_of
from sonovec.library.recommend.seeds import Seed, key_in, moods_in
from sonovec.library.recommend.wishes import Wishes
from sonovec.library.store import Store
from sonovec.music import columns
from sonovec.music.keys import Key, Mode, compatible
from sonovec.music.settled import settled_tempo
from sonovec.music.tempi import RATIOS, TempoRange, distance

#: Tempos that differ by no more than this share can be played as one.
SHARE = 0.06
#: Energies that differ by less are alike; up and down differ by more than the other.
ALIKE, STEP = 0.1, 0.02
_MODES: tuple[Mode, ...] = ("major", "minor")
_ALL_KEYS = tuple(Key(tonic, mode) for mode in _MODES for tonic in range(12))


@dataclass(frozen=True)
class Constraint:
    """A condition: what it says of a track, the option that sets it, and how it is looked up.

    `where` holds for all tracks that meet it, and may hold for some others, which `holds` tells by their fields.
    """

    said: str
    option: str
    where: Filter
    holds: Callable[[Mapping[str, Any]], bool]


def constraints_of(wishes: Wishes, seeds: Sequence[Seed], have: Mapping[str, Kind], place: object) -> list[Constraint]:
    """The conditions that some wishes are, given the seeds and the columns that the library has.

    Raises
    ------
    UsageError
        The library has no such column, or nothing is known of the seeds: the message says what to run.
    """
    found = []
    if wishes.tempo is not None:
        need(have, (columns.TEMPO, columns.FILE_TEMPO), "a tempo (--tempo)", place, (float, int))
        found.append(_tempo(wishes.tempo, wishes.prefer, have))
    if wishes.tempo_like:
        need(have, (columns.TEMPO, columns.FILE_TEMPO), "tempo_like (--tempo-like)", place, (float, int))
        tempos = known(
            [seed.tempo(wishes.prefer) for seed in seeds], "tempo", "tempo_like (--tempo-like)", "--tempo 118..126"
        )
        found.append(_tempo_like(tempos, wishes.octaves, wishes.prefer, have))
    if wishes.key_compatible:
        need(have, (columns.KEY, columns.FILE_KEY), "key_compatible (--key-compatible)", place, (str,))
        keys = known(
            [seed.key(wishes.prefer) for seed in seeds],
            "key",
            "key_compatible (--key-compatible)",
            "--filter \"key = 'C major'\"",
        )
        found.append(_key(keys, wishes.prefer, have))
    if wishes.moods:
        need(have, (columns.MOODS,), "a mood (--mood)", place, (list[str],))
        found += map(_mood, wishes.moods)
    if wishes.energy is not None:
        need(have, (columns.ENERGY,), "energy (--energy)", place, (float, int))
        energies = known(
            [seed.number(columns.ENERGY) for seed in seeds],
            "energy",
            f"--energy {wishes.energy}",
            '--filter "energy > 0.5"',
        )
        found.append(_energy(energies, wishes.energy))
    return found


def need(have: Mapping[str, Kind], wanted: Sequence[str], what: str, place: object, kinds: Collection[Kind]) -> None:
    """Refuse what needs columns of which the library has none, or has them with other values."""
    there = [name for name in wanted if name in have]
    if not there:
        raise UsageError(
            f"{place}: has no column {wanted[0]!r}, which {what} needs; let its tracks be heard: "
            f"sonovec index FOLDER -l {place} --music"
        )
    if odd := next((name for name in there if have[name] not in kinds), None):
        raise UsageError(
            f"{place}: its column {odd!r} is one of your own, with values of another type, so {what} cannot use it"
        )


def known(values: Iterable[Any], what: str, option: str, instead: str) -> list[Any]:
    """What is known of the seeds; an error where that is nothing."""
    found = [value for value in values if value is not None]
    if not found:
        raise UsageError(
            f"no {what} is known of the seeds, and {option} compares with it; leave that out, or give {instead}"
        )
    return found


def _tempo(range_: TempoRange, prefer: str, have: Mapping[str, Kind]) -> Constraint:
    return Constraint(
        f"a tempo of {range_.slowest:g} to {range_.fastest:g} BPM",
        "--tempo",
        _within([range_], have),
        lambda fields: settled_tempo(fields, prefer) in range_,
    )


def _tempo_like(tempos: Sequence[float], octaves: bool, prefer: str, have: Mapping[str, Kind]) -> Constraint:
    ratios = (1.0, *RATIOS[:2]) if octaves else (1.0,)
    around = [TempoRange(t * r / (1 + SHARE), t * r * (1 + SHARE)) for t in tempos for r in ratios]
    most = math.log2(1 + SHARE)

    def holds(fields: Mapping[str, Any]) -> bool:
        tempo = settled_tempo(fields, prefer)
        return tempo is not None and min(distance(tempo, each, octaves) for each in tempos) <= most

    shown = ", ".join(f"{tempo:.0f}" for tempo in dict.fromkeys(tempos))
    also = ", their halves and doubles counted" if octaves else ""
    return Constraint(f"a tempo within {SHARE:.0%} of {shown} BPM{also}", "--tempo-like", _within(around, have), holds)


def _within(ranges: Sequence[TempoRange], have: Mapping[str, Kind]) -> Filter:
    names = [name for name in (columns.TEMPO, columns.FILE_TEMPO) if name in have]
    return any_of(
        [
            And((Compare(name, ">=", each.slowest * (1 - 1e-9)), Compare(name, "<=", each.fastest * (1 + 1e-9))))
            for name in names
            for each in ranges
        ]
    )


def _key(keys: Sequence[Key], prefer: str, have: Mapping[str, Kind]) -> Constraint:
    going = tuple(str(key) for key in _ALL_KEYS if any(compatible(key, each) for each in keys))
    where: list[Filter] = [In(columns.KEY, going)] if columns.KEY in have else []
    if columns.FILE_KEY in have:  # files spell keys as they like
        claimed: Filter = Not(IsNull(columns.FILE_KEY))
        unheard = Not(In(columns.KEY, tuple(map(str, _ALL_KEYS))))
        where.append(And((claimed, unheard)) if prefer == "heard" and where else claimed)

    def holds(fields: Mapping[str, Any]) -> bool:
        key = key_in(fields, prefer)
        return key is not None and str(key) in going

    shown = ", ".join(f"{key} ({key.camelot})" for key in dict.fromkeys(keys))
    return Constraint(f"a key that goes with {shown}", "--key-compatible", any_of(where), holds)


def _mood(mood: str) -> Constraint:
    return Constraint(
        f"the mood {mood!r}",
        "--mood",
        Has(columns.MOODS, mood),
        lambda fields: mood in moods_in(fields),
    )


def _energy(energies: Sequence[float], wanted: str) -> Constraint:
    highest, lowest = max(energies), min(energies)
    said, where = {
        "up": (f"an energy above {highest:.2f}", Compare(columns.ENERGY, ">", highest + STEP)),
        "down": (f"an energy below {lowest:.2f}", Compare(columns.ENERGY, "<", lowest - STEP)),
        "like": (
            f"an energy within {ALIKE} of {', '.join(f'{each:.2f}' for each in dict.fromkeys(energies))}",
            any_of(
                [
                    And((Compare(columns.ENERGY, ">=", each - ALIKE), Compare(columns.ENERGY, "<=", each + ALIKE)))
                    for each in energies
                ]
            ),
        ),
    }[wanted]
    return Constraint(said, f"--energy {wanted}", where, where.matches)


def why_none(
    store: Store, where: Filter | None, said: str, constraints: Sequence[Constraint], without: Collection[str]
) -> str:
    """One line that says which of the conditions left nothing.

    Parameters
    ----------
    where : Filter, optional
        The user's own filter, which is `said` so.
    without : collection of str
        Ids of tracks that are never recommended.
    """
    if not store.ids(None, 1):
        return "the library is empty"
    met, count = where, _left(store, where, (), without)
    those = f"{count} {_tracks(count)}" + (f" that {'matches' if count == 1 else 'match'} {said}" if said else "")
    if not count:
        return f"no track but the seeds {f'matches {said}' if said else 'is in the library'}"
    for n, constraint in enumerate(constraints, start=1):
        met = all_of(met, constraint.where)
        left = _left(store, met, constraints[:n], without)
        if not left:
            return f"of {those} none has {constraint.said}: leave {constraint.option} out, or widen it"
        those = (
            f"{those}, {left} {'has' if left == 1 else 'have'} {constraint.said}; of {'this' if left == 1 else 'these'}"
        )
    return "all that meet what is asked for are versions of the seeds"


def _tracks(count: int) -> str:
    return "track" if count == 1 else "tracks"


def _left(store: Store, where: Filter | None, constraints: Sequence[Constraint], without: Collection[str]) -> int:
    if not constraints:
        return sum(id not in without for id in store.ids(where))
    return sum(
        track.id not in without and all(each.holds(track.fields) for each in constraints)
        for track in store.tracks(where)
    )
