"""From tags of music to moods, valence and arousal, by a table that is declared here.

Each mood has the tags that speak for it, and a place on Russell's circle of affects ("A circumplex model of affect", 1980):
pleasure lies at 0°, excitement at 45°, arousal at 90°, distress at 135°, displeasure at 180°, depression at 225°, sleepiness
at 270° and relaxation at 315°. The places of our moods between these are ours. Valence and arousal are the moods that are
heard, projected on the two axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Mood:
    """A mood: its angle on the circle, in degrees, and its tags."""

    angle: float
    tags: tuple[str, ...]


#: By name.
MOODS: Mapping[str, Mood] = {
    "happy": Mood(20, ("audioset:Happy music", "msd:happy")),
    "funny": Mood(30, ("audioset:Funny music",)),
    "exciting": Mood(45, ("audioset:Exciting music", "mtt:fast", "mtt:loud")),
    "party": Mood(60, ("msd:party", "msd:dance", "msd:House", "mtt:dance", "mtt:beat")),
    "angry": Mood(
        100, ("audioset:Angry music", "msd:metal", "msd:heavy metal", "msd:hard rock", "msd:punk", "mtt:metal")
    ),
    "scary": Mood(125, ("audioset:Scary music", "mtt:weird")),
    "sad": Mood(205, ("audioset:Sad music", "msd:sad")),
    "calm": Mood(315, ("mtt:slow", "mtt:quiet", "mtt:ambient", "mtt:new age", "msd:chillout", "msd:ambient")),
    "tender": Mood(335, ("audioset:Tender music", "mtt:soft", "msd:Mellow", "msd:beautiful")),
}
#: What says whether something is music at all.
MUSIC = "audioset:Music"
#: Spreads by which one tag can speak for or against a mood.
MOST = 3.0
#: A mood is named from so many spreads above the mean of music on: about the strongest sixth of it.
NAMED = 1.0


@dataclass(frozen=True)
class Told:
    """Moods of a piece: `valence` and `arousal` in [0, 1], where 0.5 is the mean of music, and names, strongest first."""

    valence: float
    arousal: float
    moods: list[str]


def evidence(spreads: NDArray[np.float64], tags: Sequence[str]) -> NDArray[np.float64]:
    """How much each mood of `MOODS` is heard, (n, 9): the mean of its tags, given in spreads above the mean of music.

    Examples
    --------
    >>> evidence(np.array([[4.0, 1.0]]), ["audioset:Sad music", "msd:sad"])[0].tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0]
    """
    places = {tag: place for place, tag in enumerate(tags)}
    clipped = np.clip(spreads, -MOST, MOST)
    means = [
        clipped[:, [places[tag] for tag in mood.tags if tag in places]].mean(axis=1)
        if any(tag in places for tag in mood.tags)
        else np.zeros(len(clipped))
        for mood in MOODS.values()
    ]
    return np.stack(means, axis=1)


def told(heard: NDArray[np.float64]) -> Told:
    """What is told of the evidence (9,) of the moods.

    Examples
    --------
    >>> told(np.array([0, 0, 0, 0, 0, 0, 2.0, 1.5, 0]))
    Told(valence=0.407, arousal=0.278, moods=['sad', 'calm'])
    """
    angles = np.radians([mood.angle for mood in MOODS.values()])
    valence, arousal = (_squashed(float(heard @ axis)) for axis in (np.cos(angles), np.sin(angles)))
    ranked = sorted(zip(heard, MOODS, strict=True), reverse=True)
    return Told(valence, arousal, [name for strength, name in ranked if strength >= NAMED])


def _squashed(projected: float) -> float:
    """A number of any size as one in [0, 1], with three decimals."""
    return round(1 / (1 + math.exp(-projected / 2)), 3)
