"""A quick player of scores: tones of a soundfont, each rendered once by FluidSynth, are added up where they are played.

It is a hundred times as fast as FluidSynth, and without its reverb, modulation, and change of timbre with velocity.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from bench import songs
from bench.songs import DRUMS, SUSTAIN, Event, Score
from sonovec.music.part import RATE

#: Lowest and highest tones of the bank; others are played an octave nearer.
LOWEST, HIGHEST = 33, 96
#: Sounds of drums: Roland's pads in groove and General MIDI.
PADS = range(22, 60)
#: Seconds of a tone, of a drum, and in which a tone that ends fades by a factor of e.
TONE, HIT, RELEASE = 2.2, 1.0, 0.06
VELOCITY = 100
#: Of reverb: seconds to fade by 60 dB, and its level at most.
ROOM = (0.4, 1.6)

Bank = Mapping[tuple[bool, int], NDArray[np.int16]]


def bank(folder: Path, programs: Sequence[int], kits: Sequence[int], soundfont: Path = songs.SOUNDFONT) -> Bank:
    """Tones (n, samples) of programs and drums of kits, by (is a kit, program); rendered as far as they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for is_kit, program in [*((False, p) for p in sorted(set(programs))), *((True, p) for p in sorted(set(kits)))]:
        path = folder / f"{'kit' if is_kit else 'program'}-{program}.npy"
        if not path.exists():
            np.save(path, _sounds(is_kit, program, folder, soundfont))
            print(f"sounds of {path.stem}", flush=True)
        made[is_kit, program] = np.load(path)
    return made


def _sounds(is_kit: bool, program: int, folder: Path, soundfont: Path) -> NDArray[np.int16]:
    import soundfile

    notes, length = (PADS, HIT) if is_kit else (range(LOWEST, HIGHEST + 1), TONE)
    channel = DRUMS if is_kit else 0
    events = [Event(0.0, {"type": "program_change", "channel": channel, "program": program})]
    for place, note in enumerate(notes):
        for second, velocity in ((place * length, VELOCITY), ((place + 0.9) * length, 0)):
            message = {"type": "note_on", "channel": channel, "note": note, "velocity": velocity}
            events.append(Event(second + 0.02, message))
    with TemporaryDirectory(dir=folder) as scratch:
        wav = Path(scratch, "a.wav")
        songs.synthesise(events, wav, soundfont, RATE, ("-o", "synth.reverb.active=0", "-o", "synth.chorus.active=0"))
        samples = soundfile.read(wav, dtype="int16", always_2d=True)[0].mean(axis=1).astype(np.int16)
    size, first = int(length * RATE), int(0.02 * RATE)
    samples = np.pad(samples, (0, max(0, first + size * len(notes) - len(samples))))
    return np.asarray(samples[first : first + size * len(notes)].reshape(len(notes), size))


def play(score: Score, sounds: Bank, seed: int = 0) -> NDArray[np.float32]:
    """Mono samples of a score at `RATE`, with more or less of a room's reverb, drawn by the seed; peak is 0.5."""
    rng = np.random.default_rng(seed)
    end = max((event.second for event in score.events), default=0.0) + songs.DECAY
    mixed = np.zeros(int(end * RATE) + 1, np.float32)
    programs: dict[int, int] = defaultdict(int)
    balance: dict[int, float] = defaultdict(lambda: 10 ** rng.uniform(-0.4, 0.2))
    for second, length, channel, note, velocity in _notes(score.events, programs):
        sound = _sound(sounds, programs[channel], channel == DRUMS, note)
        first = int(second * RATE)
        tone = sound[: len(mixed) - first].astype(np.float32) * np.float32(
            (velocity / 127) ** 2 * balance[channel] / 32768
        )
        if channel != DRUMS and (held := int(length * RATE)) < len(tone):
            fading = np.exp(-np.arange(min(len(tone) - held, int(6 * RELEASE * RATE))) / (RELEASE * RATE))
            tone = tone[: held + len(fading)]
            tone[held:] *= fading
        mixed[first : first + len(tone)] += tone
    if rng.random() < 0.6:
        mixed += _reverb(mixed, rng)
    return np.asarray(mixed * (0.5 / max(float(np.abs(mixed).max()), 1e-6)), np.float32)


def _notes(events: Sequence[Event], programs: dict[int, int]) -> list[tuple[float, float, int, int, int]]:
    """Second, length, channel, note and velocity of each note; the pedal holds them. Programs are set on the way."""
    notes, struck = [], {}
    pedal: dict[int, bool] = defaultdict(bool)
    waiting: dict[int, list[tuple[int, int]]] = defaultdict(list)

    def close(key: tuple[int, int], second: float) -> None:
        if key in struck:
            begin, velocity = struck.pop(key)
            notes.append((begin, second - begin, *key, velocity))

    for event in events:
        message = event.message
        channel = message["channel"]
        if message["type"] == "program_change":
            programs[channel] = message["program"]
        elif message["type"] == "control_change":
            if message["control"] == SUSTAIN:
                pedal[channel] = message["value"] >= 64
                for key in waiting.pop(channel, []) if not pedal[channel] else []:
                    close(key, event.second)
        else:
            key = (channel, message["note"])
            if message["type"] == "note_on" and message["velocity"] > 0:
                close(key, event.second)
                struck[key] = (event.second, message["velocity"])
            elif pedal[channel]:
                waiting[channel].append(key)
            else:
                close(key, event.second)
    for key in list(struck):
        close(key, struck[key][0] + TONE)
    return notes


def _sound(sounds: Bank, program: int, is_kit: bool, note: int) -> NDArray[np.int16]:
    if is_kit:
        return sounds[True, program][min(max(note, PADS[0]), PADS[-1]) - PADS[0]]
    while note < LOWEST:
        note += 12
    while note > HIGHEST:
        note -= 12
    return sounds[False, program][note - LOWEST]


def _reverb(samples: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """What a room adds: noise that fades."""
    from scipy.signal import fftconvolve

    seconds = rng.uniform(*ROOM)
    at = np.arange(int(seconds * RATE)) / RATE
    tail = rng.standard_normal(len(at)) * 10 ** (-3 * at / seconds)
    tail *= 10 ** rng.uniform(-1.3, -0.4) / np.sqrt((tail**2).sum())
    return np.asarray(fftconvolve(samples, tail)[: len(samples)], np.float32)
