"""Sounds made on the spot, so that a library can be tried without any audio at hand.

A `Kind` is data: a function that synthesises, and the ranges that its parameters are drawn from. Every clip is drawn
from its own random stream, so a kind that is added, or one more clip, leaves the others as they were.
"""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.paths import atomic, display

Samples = NDArray[np.floating[Any]]
Rng = np.random.Generator

#: Samples a second of every clip.
RATE = 32_000
#: Shortest and longest clip in seconds.
SECONDS = (3.0, 6.0)

_FRAME = 1024
_FADE = RATE // 200


@dataclass(frozen=True)
class Kind:
    """One kind of sound: `synth(rng, time, **parameters)` gives samples for `time` in seconds, at any level.

    A clip's parameters are drawn from `ranges`, evenly by ratio. `pitch` (Hz) and `bpm` are also told in the table.
    """

    synth: Callable[..., Samples]
    genre: str
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def write(folder: str | os.PathLike[str], per_kind: int = 6, seed: int = 0) -> list[Path]:
    """Write `per_kind` clips of every kind to `folder`, and a table of them, ``demo.csv``; give the clips' paths.

    Clips are FLAC, 16 bits, mono, 3 to 6 s, named ``<kind>/<kind>-01.flac``, tagged with title and genre. The same
    `seed` gives the same samples. Files of these names are overwritten, others stay.

    Raises
    ------
    UsageError
        `per_kind` or `seed` is out of range, or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write(folder, per_kind=1)
    >>> paths[0].name, len(paths) == len(KINDS)
    ('drums-01.flac', True)
    """
    if per_kind < 1:
        raise UsageError(f"per_kind={per_kind} must be at least 1; for example write(folder, per_kind=6)")
    if seed < 0:
        raise UsageError(f"seed={seed} must not be negative; for example write(folder, seed=0)")
    target = Path(folder)
    rows: list[dict[str, object]] = []
    try:
        for name, kind in KINDS.items():
            (target / name).mkdir(parents=True, exist_ok=True)
            for number in range(1, per_kind + 1):
                samples, parameters = clip(name, number, seed)
                path = target / name / f"{name}-{number:02}.flac"
                _write_flac(path, samples, title=f"{name.capitalize()} {number}", genre=kind.genre)
                rows.append({"path": f"{name}/{path.name}", "kind": name, **_facts(parameters)})
        _write_table(target / "demo.csv", rows)
    except OSError as error:
        raise UsageError(f"cannot write the demo to {display(target)}: {error.strerror or error}") from error
    return [target / str(row["path"]) for row in rows]


def clip(name: str, number: int = 1, seed: int = 0) -> tuple[NDArray[np.float32], dict[str, float]]:
    """Synthesise one clip of a kind: its samples at `RATE`, and the parameters that were drawn for it.

    Examples
    --------
    >>> samples, parameters = clip("bells")
    >>> samples.dtype, 3 <= len(samples) / RATE <= 6, sorted(parameters)
    (dtype('float32'), True, ['pitch'])
    """
    kind = KINDS[name]
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
    length = round(rng.uniform(*SECONDS) * 20) * RATE // 20
    parameters = {key: float(low * (high / low) ** rng.random()) for key, (low, high) in kind.ranges.items()}
    if "bpm" in parameters:
        parameters["bpm"] = float(round(parameters["bpm"]))
    samples = kind.synth(rng, np.arange(length) / RATE, **parameters)
    samples = samples - samples.mean()
    samples[:_FADE] *= np.linspace(0, 1, _FADE)
    samples[-_FADE:] *= np.linspace(1, 0, _FADE)
    return (samples * rng.uniform(0.4, 0.9) / np.abs(samples).max()).astype(np.float32), parameters


# -- what sounds are made of


def _phase(frequency: Samples) -> Samples:
    """Turn a frequency in Hz, sample by sample, into the phase of an oscillator."""
    return 2 * np.pi * np.cumsum(frequency) / RATE


def _pulses(phase: Samples, sharpness: float) -> Samples:
    """One smooth pulse a period: its harmonics fall off at about the square root of `sharpness`."""
    return np.exp(sharpness * (np.cos(phase) - 1))


def _total(parts: Iterable[Samples]) -> Samples:
    return np.asarray(sum(parts))


def _even(samples: Samples) -> Samples:
    """Bring to unit power around zero, so that parts can be mixed by numbers that mean something."""
    centred = samples - samples.mean()
    return np.asarray(centred / centred.std())


def _harmonics(phase: Samples, levels: Iterable[float]) -> Samples:
    return _total(level * np.sin(k * phase) for k, level in enumerate(levels, 1))


def _wander(rng: Rng, time: Samples, per_second: float, low: float = 0.0, high: float = 1.0) -> Samples:
    """Draw a smooth curve between two values, with so many random turns a second."""
    knots = rng.uniform(low, high, int(time[-1] * per_second) + 3)
    place = time * per_second
    step = place.astype(int)
    blend = (1 - np.cos(np.pi * (place - step))) / 2
    return np.asarray(knots[step] * (1 - blend) + knots[step + 1] * blend)


def _shape(samples: Samples, gain: Callable[[Samples, Samples], Samples]) -> Samples:
    """Filter by a gain that may move: `gain(seconds (frames, 1), hertz (1, bins))`."""
    half = _FRAME // 2
    n_frames = -(-len(samples) // half) + 1
    n_frames += n_frames % 2
    padded = np.zeros((n_frames + 1) * half)
    padded[half : half + len(samples)] = samples
    window = np.sin(np.pi * np.arange(_FRAME) / _FRAME)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::half] * window
    seconds = np.arange(n_frames)[:, None] * half / RATE
    spectra = np.fft.rfft(frames) * gain(seconds, np.fft.rfftfreq(_FRAME, 1 / RATE)[None])
    frames = np.fft.irfft(spectra, _FRAME) * window
    mixed = np.zeros_like(padded)
    mixed[:-half] += frames[0::2].reshape(-1)
    mixed[half:] += frames[1::2].reshape(-1)
    return mixed[half : half + len(samples)]


def _noise(rng: Rng, time: Samples, gain: Callable[[Samples, Samples], Samples]) -> Samples:
    return _shape(rng.standard_normal(len(time)), gain)


def _at(curve: Samples, seconds: Samples) -> Samples:
    """Take a curve that is given sample by sample at the times of frames."""
    return np.asarray(curve[np.minimum((seconds * RATE).astype(int), len(curve) - 1)])


def _resonance(hertz: Samples, centre: Samples | float, width: Samples | float) -> Samples:
    return np.asarray(1 / (1 + ((hertz - centre) / width) ** 2))


def _mix(time: Samples, hits: Iterable[tuple[float, Samples]]) -> Samples:
    """Lay sounds over each other, each from its second on; what would come after the end is cut."""
    mixed = np.zeros(len(time))
    for second, sound in hits:
        start = round(second * RATE)
        room = len(mixed) - start
        if room > 0:
            mixed[start : start + len(sound)] += sound[:room]
    return mixed


def _span(seconds: float) -> Samples:
    return np.arange(round(seconds * RATE)) / RATE


# -- kinds


def _drums(rng: Rng, time: Samples, bpm: float) -> Samples:
    beat = _span(0.3)
    kick = np.sin(_phase(48 + 110 * np.exp(-beat * 35))) * np.exp(-beat * 11)
    tone = np.sin(2 * np.pi * rng.uniform(170, 220) * beat) * np.exp(-beat * 25)
    rattle = _noise(rng, beat, lambda _, f: _resonance(f, 3500, 2500)) * np.exp(-beat * 18)
    hat = _noise(rng, beat, lambda _, f: 1 / (1 + (7000 / np.maximum(f, 1)) ** 8)) * np.exp(-beat * 55)
    sounds = {"k": kick, "s": 0.4 * tone + 0.5 * rattle, "h": 0.25 * hat}
    bar = _PATTERNS[rng.integers(len(_PATTERNS))]
    step = 60 / bpm / 4
    return _mix(
        time,
        (
            (index * step, rng.uniform(0.8, 1.0) * sounds[letter])
            for index in range(int(time[-1] / step) + 1)
            for letter in bar[index % len(bar)]
        ),
    )


#: Bars of sixteen steps; kick, snare and hat.
_PATTERNS: tuple[Sequence[str], ...] = (
    ("kh", "", "h", "", "sh", "", "h", "", "kh", "", "kh", "", "sh", "", "h", ""),
    ("kh", "h", "h", "h", "sh", "h", "h", "k", "h", "h", "kh", "h", "sh", "h", "h", "h"),
    ("kh", "", "h", "k", "sh", "", "h", "", "h", "k", "kh", "", "sh", "", "h", "s"),
    ("k", "", "h", "", "ks", "", "h", "", "k", "", "h", "", "ks", "", "h", "h"),
)


def _plucked(rng: Rng, time: Samples, pitch: float) -> Samples:
    scale = pitch * 2 ** (np.array([0, 2, 4, 7, 9, 12, 16]) / 12)
    gap = rng.uniform(0.2, 0.45)
    starts = np.arange(0, time[-1], gap)
    return _mix(time, ((second, _string(rng, float(rng.choice(scale)), 2.0)) for second in starts))


def _string(rng: Rng, pitch: float, seconds: float) -> Samples:
    """Let noise run round a loop that averages neighbours: a plucked string, computed a period at a time."""
    period = round(RATE / pitch - 0.5)
    rounds = round(seconds * RATE / period)
    string = np.zeros((rounds, period))
    string[0] = rng.uniform(-1, 1, period)
    before = 0.0
    for index in range(1, rounds):
        last = string[index - 1]
        string[index, 1:] = 0.4985 * (last[1:] + last[:-1])
        string[index, 0] = 0.4985 * (last[0] + before)
        before = last[-1]
    return string.reshape(-1)


def _chirps(rng: Rng, time: Samples, pitch: float, span: float, length: float) -> Samples:
    part = _span(length)
    way = part / length if rng.random() < 0.5 else 1 - part / length
    chirp = np.sin(_phase(pitch * span**way)) * np.sin(np.pi * part / length) ** 0.3
    return _mix(time, ((second, chirp) for second in np.arange(0.05, time[-1], length * rng.uniform(1.1, 1.5))))


def _siren(rng: Rng, time: Samples, pitch: float, rate: float) -> Samples:
    turn = (time * rate) % 1
    courses = (
        (1 - np.cos(2 * np.pi * turn)) / 2,
        np.where(turn < 0.8, turn / 0.8, (1 - turn) / 0.2),
        1 / (1 + np.exp(-40 * np.sin(2 * np.pi * turn))),
    )
    course = courses[rng.integers(len(courses))]
    return np.tanh(2.5 * np.sin(_phase(pitch * (1 + 0.9 * course))))


def _rain(rng: Rng, time: Samples, density: float, brightness: float, closeness: float) -> Samples:
    hiss = _noise(rng, time, lambda _, f: _resonance(f, brightness, brightness) + 0.1)
    drops = np.where(rng.random(len(time)) < density / RATE, rng.standard_exponential(len(time)), 0.0)
    splash = _shape(
        drops * rng.choice([-1.0, 1.0], len(time)), lambda _, f: _resonance(f, 0.8 * brightness, 0.5 * brightness)
    )
    return (0.7 + 0.3 * _wander(rng, time, 2)) * _even(hiss) + closeness * _even(splash)


def _engine(rng: Rng, time: Samples, pitch: float, rasp: float) -> Samples:
    phase = _phase(pitch * _wander(rng, time, 0.7, 0.85, 1.15))
    strokes = _pulses(phase, 12) * (1 + 0.3 * np.cos(phase / 2 + 1)) * _wander(rng, time, 20, 0.9, 1.1)
    body = _shape(_even(strokes), lambda _, f: _resonance(f, 140, 80) + 0.4 * _resonance(f, 420, 150))
    breath = _noise(rng, time, lambda _, f: _resonance(f, 700, 500)) * strokes
    return _even(body) + rasp * _even(breath)


def _bells(rng: Rng, time: Samples, pitch: float) -> Samples:
    tail = _span(3.0)
    ratios = np.array([0.5, 1.0, 1.183, 1.506, 2.0, 2.514, 2.662, 3.011, 4.166, 5.433])
    levels = np.array([0.5, 0.6, 0.7, 0.3, 1.0, 0.35, 0.3, 0.25, 0.2, 0.1]) * rng.uniform(0.7, 1.3, len(ratios))
    partials = (
        level * np.sin(2 * np.pi * pitch * ratio * tail) * np.exp(-tail * (0.6 + ratio))
        for ratio, level in zip(ratios, levels, strict=True)
    )
    bell = _total(partials) * np.minimum(tail / 0.002, 1)
    return _mix(time, ((second, bell) for second in np.arange(0.02, time[-1], rng.uniform(0.8, 1.6))))


#: The first three resonances of five vowels, in Hz.
_VOWELS = np.array([(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)])


def _speech(rng: Rng, time: Samples, pitch: float, rate: float) -> Samples:
    voice = _pulses(_phase(pitch * _wander(rng, time, 2.5, 0.8, 1.25)), 150)
    count = int(time[-1] * rate) + 2
    centres = np.arange(count) / rate
    vowels = _VOWELS[rng.integers(len(_VOWELS), size=count)] * rng.uniform(0.9, 1.1)
    formants = [np.interp(time, centres, vowels[:, index]) for index in range(3)]
    mouth = tuple(zip((1.0, 0.6, 0.3), formants, (70, 100, 150), strict=True))
    voiced = _shape(
        _even(voice),
        lambda s, f: _total(level * _resonance(f, _at(formant, s), width) for level, formant, width in mouth),
    )
    opening = 0.5 + 0.5 * np.cos(2 * np.pi * time * rate)
    spoken = np.interp(time, centres, (rng.random(count) < 0.85).astype(float))
    hiss = _noise(rng, time, lambda _, f: _resonance(f, 5500, 1500))
    closing = np.maximum(0, -np.cos(2 * np.pi * time * rate)) ** 4 * (_wander(rng, time, rate) > 0.55)
    return np.asarray(_even(voiced) * opening**0.7 * spoken + 0.3 * _even(hiss) * closing)


def _wind(rng: Rng, time: Samples, pitch: float) -> Samples:
    gust = _wander(rng, time, 1.0)
    whistle = pitch * (0.8 + 0.6 * gust)
    howl = _noise(
        rng,
        time,
        lambda s, f: _resonance(f, _at(whistle, s), 0.12 * pitch) + 0.4 * _resonance(f, 0, 150),
    )
    return howl * (0.15 + gust**1.5)


def _clock(rng: Rng, time: Samples, rate: float, pitch: float) -> Samples:
    part = _span(0.08)

    def tick(shift: float) -> Samples:
        ring = _total(np.sin(2 * np.pi * pitch * shift * ratio * part) for ratio in (1.0, 1.63, 2.41))
        knock = rng.standard_normal(len(part)) * np.exp(-part * 1500)
        return ring * np.exp(-part * 180) + knock

    pair = (tick(1.0), 0.8 * tick(0.86))
    steps = np.arange(0.05, time[-1], 1 / rate)
    return _mix(time, ((second, pair[index % 2]) for index, second in enumerate(steps)))


def _helicopter(rng: Rng, time: Samples, rate: float, nearness: float) -> Samples:
    phase = _phase(np.full(len(time), rate) * _wander(rng, time, 0.5, 0.97, 1.03))
    chop = _pulses(phase, 6)
    thump = _noise(rng, time, lambda _, f: _resonance(f, 60, 70)) * chop
    wash = _noise(rng, time, lambda _, f: _resonance(f, 600 * nearness, 700 * nearness)) * (0.25 + chop)
    whine = np.sin(2 * np.pi * rng.uniform(1500, 2600) * time)
    return np.asarray(_even(thump) + 0.6 * nearness * _even(wash) + 0.05 * nearness * whine)


def _organ(rng: Rng, time: Samples, pitch: float) -> Samples:
    stops = np.array([1.0, 0.7, 0.4, 0.5, 0.0, 0.25, 0.0, 0.3]) * rng.uniform(0.5, 1.2, 8)
    length = rng.uniform(1.0, 2.0)
    chord = _span(length)
    swell = np.minimum(1, np.minimum(chord / 0.06, (length - chord) / 0.08))
    hits = []
    for second in np.arange(0, time[-1], length):
        root = rng.choice([0, 5, 7, 9])
        notes = pitch * 2 ** ((root + np.array([0, 4 if root != 9 else 3, 7, 12])) / 12)
        sound = _total(_harmonics(2 * np.pi * note * chord, stops) for note in notes)
        hits.append((float(second), sound * swell))
    return np.asarray(_mix(time, hits) * (1 + 0.05 * np.sin(2 * np.pi * 5.5 * time)))


def _birds(rng: Rng, time: Samples, pitch: float) -> Samples:
    def syllable() -> Samples:
        part = _span(rng.uniform(0.06, 0.18))
        way = part / part[-1]
        bend = 1 + rng.uniform(-0.3, 0.3) * way + rng.uniform(0, 0.06) * np.sin(2 * np.pi * rng.uniform(15, 45) * part)
        phase = _phase(pitch * rng.uniform(0.8, 1.25) * bend)
        return np.asarray(_harmonics(phase, (1.0, 0.08)) * np.sin(np.pi * way) ** 0.7)

    phrase = [syllable() for _ in range(rng.integers(3, 7))]
    gap = rng.uniform(0.03, 0.08)
    starts = np.cumsum([0.0, *(len(part) / RATE + gap for part in phrase)])
    song = rng.uniform(0.3, 0.6) + starts[-1]
    repeats = np.arange(rng.uniform(0, 0.3), time[-1], song)
    return _mix(
        time, ((float(again + start), part) for again in repeats for start, part in zip(starts, phrase, strict=False))
    )


def _surf(rng: Rng, time: Samples, rate: float, brightness: float) -> Samples:
    turn = (time * rate + rng.random()) % 1
    swell = np.interp(turn, [0, 0.35, 0.45, 1], [0.0, 0.6, 1.0, 0.0])
    foam = _noise(rng, time, lambda s, f: _resonance(f, 0, brightness * (0.1 + _at(swell, s) ** 2)) * (f > 40))
    return np.asarray(foam * (0.15 + swell**1.5) * _wander(rng, time, 3, 0.8, 1.0))


KINDS: Mapping[str, Kind] = {
    "drums": Kind(_drums, "music", {"bpm": (84, 168)}),
    "plucked": Kind(_plucked, "music", {"pitch": (110, 300)}),
    "chirps": Kind(_chirps, "signal", {"pitch": (250, 600), "span": (6, 12), "length": (0.2, 0.6)}),
    "siren": Kind(_siren, "machine", {"pitch": (550, 800), "rate": (0.4, 2.5)}),
    "rain": Kind(_rain, "nature", {"density": (100, 1500), "brightness": (3500, 7500), "closeness": (0.2, 0.8)}),
    "engine": Kind(_engine, "machine", {"pitch": (28, 65), "rasp": (0.2, 0.7)}),
    "bells": Kind(_bells, "music", {"pitch": (260, 700)}),
    "speech": Kind(_speech, "voice", {"pitch": (95, 220), "rate": (3, 5)}),
    "wind": Kind(_wind, "nature", {"pitch": (300, 700)}),
    "clock": Kind(_clock, "machine", {"rate": (2, 5), "pitch": (1900, 2900)}),
    "helicopter": Kind(_helicopter, "machine", {"rate": (10, 18), "nearness": (0.5, 2.0)}),
    "organ": Kind(_organ, "music", {"pitch": (110, 220)}),
    "birds": Kind(_birds, "nature", {"pitch": (2600, 5200)}),
    "surf": Kind(_surf, "nature", {"rate": (0.2, 0.33), "brightness": (2500, 6000)}),
}


# -- files


def _facts(parameters: Mapping[str, float]) -> dict[str, str]:
    formats = {"bpm": "{:.0f}", "pitch": "{:.1f}"}
    return {name: text.format(parameters[name]) for name, text in formats.items() if name in parameters}


def _write_flac(path: Path, samples: NDArray[np.float32], title: str, genre: str) -> None:
    import soundfile

    try:
        with (
            atomic(path) as temporary,
            soundfile.SoundFile(temporary, "w", RATE, 1, subtype="PCM_16", format="FLAC") as file,
        ):
            file.title, file.genre = title, genre
            file.write(samples)
    except soundfile.LibsndfileError as error:
        raise OSError(str(error)) from error


def _write_table(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "kind", "bpm", "pitch"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
