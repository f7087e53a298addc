"""The terms of a score: how well a track fits the seeds in tempo, key, mood and energy, each from 0 to 1 and explained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sonovec.library.recommend.seeds import Seed, key_in, moods_in, number_in
from sonovec.library.recommend.wishes import Wishes
from sonovec.music import columns
from sonovec.music.keys import Key
from sonovec.music.keys import distance as key_distance
from sonovec.music.settled import settled_tempo
from sonovec.music.tempi import distance as tempo_distance

#: Octaves after which a tempo fits half as well: a twelfth, 6 %, as far as records are usually sped up.
HALF = 1 / 12
#: Steps of the Camelot wheel to the key that is farthest away.
FARTHEST = 7
#: What a track counts for of which nothing is known: less than one that fits, more than one that does not.
UNKNOWN = 0.5

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Term:
    """One term of a score.

    Attributes
    ----------
    value : float or None
        From 0 to 1; None where nothing is known of the track, which counts as 0.5.
    weight : float
    distance : float or None
        In the term's own unit: octaves of tempo (1 is double), steps of the Camelot wheel, differences of energy and of
        valence and arousal; of `sound` the cosine similarity.
    said : str
        The same in words.
    """

    value: float | None
    weight: float
    distance: float | None
    said: str

    @property
    def counted(self) -> float:
        """The value, or what counts in its place."""
        return UNKNOWN if self.value is None else self.value

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


#: Gives the term of a track with these fields: value, distance and words.
Judge = Callable[[Fields], tuple[float | None, float | None, str]]


def judges(seeds: Sequence[Seed], wishes: Wishes) -> dict[str, Judge]:
    """What judges tracks, by the name of the term; none where nothing is known of the seeds to compare with."""
    found: dict[str, Judge] = {}
    prefer = wishes.prefer
    if tempos := [tempo for seed in seeds if (tempo := seed.tempo(prefer)) is not None]:
        found["tempo"] = lambda fields: _tempo(settled_tempo(fields, prefer), tempos, wishes.octaves)
    if keys := tuple(key for seed in seeds if (key := seed.key(prefer)) is not None):
        found["key"] = lambda fields: _key(key_in(fields, prefer), keys)
    if wishes.moods:
        found["mood"] = lambda fields: _moods(moods_in(fields), wishes.moods)
    elif feelings := [feeling for seed in seeds if (feeling := _feeling(seed.fields)) is not None]:
        found["mood"] = lambda fields: _mood(fields, feelings)
    if energies := [energy for seed in seeds if (energy := seed.number(columns.ENERGY)) is not None]:
        found["energy"] = lambda fields: _energy(number_in(fields, columns.ENERGY), energies)
    return found


def _tempo(tempo: float | None, tempos: Sequence[float], octaves: bool) -> tuple[float | None, float | None, str]:
    if tempo is None:
        return None, None, "no tempo known"
    nearest = min(tempos, key=lambda each: tempo_distance(tempo, each, octaves))
    far = tempo_distance(tempo, nearest, octaves)
    return 2 ** (-far / HALF), far, f"{tempo:.1f} BPM ({_beside(tempo, nearest)})"


def _beside(tempo: float, seed: float) -> str:
    """How a tempo lies beside another: what it is faster by, and whether it is its double or half."""
    octave = round(math.log2(tempo / seed))
    named = {1: "double, ", -1: "half, "}.get(octave, "")
    percent = 100 * (tempo / seed / (2.0**octave if named else 1.0) - 1)
    return f"{named}{percent:+.1f} %"


@lru_cache(maxsize=1024)  # there are few keys, and many tracks
def _key(key: Key | None, keys: tuple[Key, ...]) -> tuple[float | None, float | None, str]:
    if key is None:
        return None, None, "no key known"
    nearest = min(keys, key=lambda each: key_distance(key, each))
    steps = key_distance(key, nearest)
    apart = "as the seed" if key == nearest else f"{steps} {'step' if steps == 1 else 'steps'} from {nearest.camelot}"
    return 1 - steps / FARTHEST, float(steps), f"{key} ({key.camelot}), {apart}"


def _feeling(fields: Fields) -> tuple[float, float] | None:
    valence, arousal = (number_in(fields, name) for name in (columns.VALENCE, columns.AROUSAL))
    return None if valence is None or arousal is None else (valence, arousal)


def _mood(fields: Fields, feelings: Sequence[tuple[float, float]]) -> tuple[float | None, float | None, str]:
    feeling, named = _feeling(fields), ", ".join(moods_in(fields)[:3])
    if feeling is None:
        return None, None, named or "no mood known"
    far = min(math.dist(feeling, each) for each in feelings)
    return max(0.0, 1 - far / math.sqrt(2)), far, named or f"valence {feeling[0]:.2f}, arousal {feeling[1]:.2f}"


def _moods(heard: Sequence[str], wanted: Sequence[str]) -> tuple[float | None, float | None, str]:
    if not heard:
        return None, None, "no mood known"
    places = [list(heard).index(each) for each in wanted if each in heard]
    value = sum(1 / (1 + place) for place in places) / len(wanted)
    return value, None, ", ".join(heard[:3])


def _energy(energy: float | None, energies: Sequence[float]) -> tuple[float | None, float | None, str]:
    if energy is None:
        return None, None, "no energy known"
    nearest = min(energies, key=lambda each: abs(each - energy))
    difference = energy - nearest
    return max(0.0, 1 - abs(difference)), difference, f"energy {energy:.2f} ({difference:+.2f})"
