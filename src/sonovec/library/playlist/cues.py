"""Cue points: where a track is entered and left when the next one follows without a gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sonovec.music import columns
from sonovec.music.fitting import seconds_in

#: A track is not cut to less than this share of it: then what was heard of its ends is not trusted.
LEAST = 0.5


@dataclass(frozen=True)
class Cues:
    """In seconds of the track; None for what is not known.

    Attributes
    ----------
    start, end : float
        Where sound starts and ends: what is before and behind is silence.
    fade_in, fade_out : float or None
        Lengths of the fades at both ends, 0 for none.
    first_downbeat, last_downbeat : float or None
        The first and the last beginning of a bar between the fades: there the beats of two tracks can be laid together.
    """

    start: float
    end: float
    fade_in: float | None = None
    fade_out: float | None = None
    first_downbeat: float | None = None
    last_downbeat: float | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat object of JSON values."""
        return asdict(self)


def cues_of(fields: Mapping[str, Any]) -> Cues | None:
    """The cue points of a track, by its columns; None where nothing was heard of where it starts and ends.

    Examples
    --------
    >>> cues_of({"duration": 60.0, "sound_start": 0.5, "sound_end": 58.0, "fade_out": 4.0, "downbeats": "0.50 2.50 56.50"})
    Cues(start=0.5, end=58.0, fade_in=None, fade_out=4.0, first_downbeat=0.5, last_downbeat=2.5)
    >>> cues_of({"duration": 60.0}) is None
    True
    """
    start, end = fields.get(columns.SOUND_START), fields.get(columns.SOUND_END)
    duration = fields.get("duration")
    if start is None or end is None or end - start < LEAST * (duration or 0.0) or end <= start:
        return None
    fade_in, fade_out = fields.get(columns.FADE_IN), fields.get(columns.FADE_OUT)
    bars = seconds_in(fields.get(columns.DOWNBEATS))
    between = [each for each in bars if start + (fade_in or 0.0) <= each <= end - (fade_out or 0.0)]
    return Cues(start, end, fade_in, fade_out, *((between[0], between[-1]) if between else (None, None)))
