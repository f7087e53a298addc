"""Excerpts of MIDI files for many kinds of ensembles, and the sound that FluidSynth makes of them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.stream import load
from training.corpus import RATE

SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
#: Seconds behind the last event in which notes die away, and the longest that a rendering may take.
TAIL, PATIENCE = 0.5, 60.0
DRUMS = 9
#: Ticks a second of the files that are written: 500 a beat at 120 beats a minute.
_TICKS = 1000


@dataclass(frozen=True)
class Ensemble:
    """Who plays a piece: General MIDI programs (from 0) of tune, second voice and chords, each drawn from some.

    `speed` is the range by which it is played faster; `drums` the styles of drums that may be laid over it, with their kits;
    `shift` semitones up.
    """

    tune: tuple[int, ...]
    second: tuple[int, ...]
    chords: tuple[int, ...]
    speed: tuple[float, float]
    drums: tuple[str, ...] = ()
    kits: tuple[int, ...] = (0,)
    shift: tuple[int, int] = (-4, 4)


#: By a word for each, which is only a name: what the pieces sound like is for the teachers to say.
ENSEMBLES = {
    "ballad": Ensemble((0, 4, 65, 73), (48, 89), (0, 4), (0.7, 0.95)),
    "pads": Ensemble((88, 94, 99, 91), (89, 92, 95), (88, 89, 91, 95), (0.55, 0.8)),
    "rock": Ensemble((29, 30), (29, 30, 33), (28, 29, 30), (1.0, 1.4), ("rock", "punk"), (0, 16)),
    "heavy": Ensemble((30,), (30, 29), (30,), (1.2, 1.6), ("punk", "rock"), (16,), (-12, -5)),
    "dance": Ensemble(
        (80, 81, 84, 87), (38, 39, 90), (50, 62, 63, 81), (1.1, 1.5), ("dance", "pop", "hiphop"), (24, 25)
    ),
    "classical": Ensemble((40, 41, 42, 68, 71, 73), (40, 42, 48), (6, 46, 48, 0), (0.7, 1.2)),
    "choir": Ensemble((52, 53, 54), (52, 48), (19, 52), (0.6, 0.9)),
    "folk": Ensemble((22, 24, 25, 105, 110), (21, 24), (24, 25, 46), (0.9, 1.2), ("", "country"), (0,)),
    "jazz": Ensemble((11, 56, 59, 65, 66, 71), (26, 32), (0, 26, 4), (0.8, 1.3), ("jazz", "soul", "funk"), (32, 40)),
    "eastern": Ensemble((104, 107, 111, 75), (104, 77), (104, 46, 108), (0.6, 1.0)),
    "dark": Ensemble((43, 44, 97, 101, 58), (44, 95, 52), (44, 99, 101, 103), (0.45, 0.7), shift=(-24, -10)),
    "odd": Ensemble((3, 58, 70, 13, 78, 79), (13, 45, 58), (3, 13, 45, 105), (1.2, 1.6), shift=(-5, 12)),
    "latin": Ensemble((56, 73, 24, 12), (24, 32), (24, 0, 12), (0.9, 1.3), ("latin", "reggae", "afrocuban"), (0, 8)),
    "solo": Ensemble((0, 24, 40, 42, 73, 11, 65), (), (), (0.8, 1.1)),
    "piano": Ensemble((0, 1), (0,), (0,), (0.7, 1.4)),
    "funk": Ensemble((27, 61, 17, 81), (36, 37), (4, 7, 17, 27), (1.0, 1.2), ("funk", "hiphop", "soul"), (0, 8, 16)),
}

#: A MIDI event at a second.
Event = tuple[float, Any]


def events_of(file: Path) -> list[Event]:
    """The notes and controls of a file, with their seconds."""
    import mido

    now, found = 0.0, []
    for message in mido.MidiFile(file):
        now += message.time
        if not message.is_meta:
            found.append((now, message))
    return found


def cut(events: Iterable[Event], start: float, end: float, speed: float) -> list[Event]:
    """What happens between two seconds, played `speed` times as fast, from 0 on."""
    return [((now - start) / speed, message) for now, message in events if start <= now < end]


def arranged(
    song: list[Event], beats: NDArray[np.float64], who: Ensemble, seconds: float, rng: np.random.Generator
) -> tuple[list[Event], float]:
    """So many seconds of a song, from one of its beats on, for an ensemble; and the beats a second that come out."""
    speed = float(rng.uniform(*who.speed))
    long = seconds * speed
    latest = max(1, int(np.searchsorted(beats, beats[-1] - long)))
    first = int(rng.integers(min(8, latest - 1), latest)) if latest > 1 else 0
    start = float(beats[first])
    shift = int(rng.integers(who.shift[0], who.shift[1] + 1))
    programs = {
        channel: int(rng.choice(of)) for channel, of in enumerate((who.tune, who.second, who.chords)) if len(of)
    }
    played: list[Event] = [(0.0, _program(channel, program)) for channel, program in programs.items()]
    for now, message in cut(song, start, start + long, speed):
        if message.channel in programs and message.type != "program_change":
            played.append((now, _moved(message, shift)))
    return played, speed / float(np.median(np.diff(beats)))


def drummed(drums: list[Event], bpm: float, beats_per_second: float, seconds: float, kit: int) -> list[Event]:
    """A drummer's performance at another tempo, from its first stroke on, over again until the seconds are full."""
    strokes = [(now, message) for now, message in drums if message.type in ("note_on", "note_off")]
    speed = beats_per_second * 60 / bpm
    begin = strokes[0][0]
    bars = max(1.0, np.floor((strokes[-1][0] - begin) * bpm / 240))
    length = bars * 240 / bpm
    found: list[Event] = [(0.0, _program(DRUMS, kit))]
    for lap in range(int(np.ceil(seconds * speed / length))):
        found += [(at + lap * length / speed, each) for at, each in cut(strokes, begin, begin + length, speed)]
    return [(now, message) for now, message in found if now < seconds]


def _program(channel: int, program: int) -> Any:
    import mido

    return mido.Message("program_change", channel=channel, program=program)


def _silenced(channel: int) -> list[Any]:
    """Pedal up, then all notes off."""
    import mido

    return [mido.Message("control_change", channel=channel, control=control, value=0) for control in (64, 123)]


def _moved(message: Any, shift: int) -> Any:
    return message.copy(note=int(np.clip(message.note + shift, 0, 127))) if hasattr(message, "note") else message


def rendered(events: list[Event], seconds: float) -> NDArray[np.float32]:
    """The sound of events (n,), mono at `RATE`, with the peak at half of full scale."""
    import mido

    track = mido.MidiTrack()
    now = 0
    # FluidSynth goes on while a note sounds, and excerpts end within some.
    channels = sorted({message.channel for _, message in events})
    events = events + [(seconds, each) for channel in channels for each in _silenced(channel)]
    for at, message in sorted(events, key=lambda each: each[0]):
        ticks = max(now, round(at * _TICKS))
        track.append(message.copy(time=ticks - now))
        now = ticks
    with tempfile.TemporaryDirectory() as folder:
        file, sound = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        mido.MidiFile(ticks_per_beat=_TICKS // 2, tracks=[track]).save(file)
        command = ["fluidsynth", "-ni", "-q", "-g", "0.4", "-o", "synth.dynamic-sample-loading=1"]
        command += ["-r", str(RATE), "-F", str(sound), str(SOUND_FONT), str(file)]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        samples = load(sound, RATE).samples[: round((seconds + TAIL) * RATE)]
    peak = float(np.abs(samples).max(initial=0.0))
    return np.asarray(samples / (2 * peak), np.float32) if peak else samples
