"""How many copies of recordings `sonovec duplicates` finds, by what was done to them, and how many different ones it merges.

    python bench/duplicates.py --clips 2000 --copies 600
    python bench/duplicates.py --set picovoice_intent --kind MP3 --kind quieter --copies 400    # speech in near silence

Different clips of real sounds are taken from the training clips. Of some of them copies are made, each in one way. All are
indexed into one library by the built-in encoder, and its groups are compared with what is known. Groups of clips that nobody
copied are false merges, or recordings that the clips hold twice: of each the highest correlation of their samples is told,
about the speed that was found.
The finding as it was before speeds and parts were looked for, by fingerprints alone, is the baseline.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import soundfile
import soxr
from common import data_folder, positive, scratch

#: Seconds that a clip has at least: of shorter ones no fingerprint is left when they are trimmed or sped up.
SHORTEST = 5.5
Samples = np.ndarray


class Kind(NamedTuple):
    """What is done to a clip, (samples, rate) to (samples, rate), and how the result is written."""

    change: Callable[[Samples, int], tuple[Samples, int]]
    format: str = "FLAC"
    subtype: str | None = None
    quality: float | None = None


def same(samples: Samples, rate: int) -> tuple[Samples, int]:
    return samples, rate


def speed(percent: float) -> Kind:
    return Kind(lambda samples, rate: (soxr.resample(samples, rate * (1 + percent / 100), rate), rate))


def tempo(percent: float) -> Kind:
    def change(samples: Samples, rate: int) -> tuple[Samples, int]:
        import librosa

        return librosa.effects.time_stretch(samples, rate=1 + percent / 100), rate

    return Kind(change)


KINDS: Mapping[str, Kind] = {
    "MP3, the smallest of its bit rates": Kind(same, "MP3", None, 0.99),
    "Ogg Vorbis": Kind(same, "OGG", "VORBIS", 0.8),
    "20 dB quieter": Kind(lambda samples, rate: (0.1 * samples, rate)),
    "at 16 kHz": Kind(lambda samples, rate: (soxr.resample(samples, rate, 16000), 16000)),
    "begins 0.7 s later": Kind(lambda samples, rate: (samples[int(0.7 * rate) :], rate)),
    "ends 1.5 s earlier": Kind(lambda samples, rate: (samples[: -int(1.5 * rate)], rate)),
    "3 s of silence before it": Kind(lambda samples, rate: (np.concatenate([np.zeros(3 * rate), samples]), rate)),
    "within 60 s of noise, at 20 s": Kind(
        lambda samples, rate: (_within_noise(samples[: 20 * rate], rate), rate),
    ),
    **{f"{percent:+g} % speed": speed(percent) for percent in (-5, -2.5, -1, 1, 2.5, 5)},
    **{f"{percent:+g} % tempo, same pitch": tempo(percent) for percent in (-4, 4)},
}
#: Of these not the groups are asked, but the parts.
PART = "within 60 s of noise, at 20 s"


def _within_noise(samples: Samples, rate: int) -> Samples:
    noise = np.random.default_rng(crc32(samples.tobytes())).standard_normal(60 * rate) * samples.std()
    noise[20 * rate : 20 * rate + len(samples)] = samples
    return noise


def make(clip: Path, name: str, target: Path) -> None:
    samples, rate = soundfile.read(clip, dtype="float64")
    samples = samples if samples.ndim == 1 else samples.mean(axis=1)
    kind = KINDS[name]
    changed, rate = kind.change(samples, rate)
    extra = {} if kind.quality is None else {"compression_level": kind.quality}
    soundfile.write(target, changed.clip(-1, 1), rate, kind.subtype, format=kind.format, **extra)


def correlation(one: Path, other: Path, speed: float = 1.0) -> float:
    """The highest normalised correlation of two clips, at 8 kHz, as they are, and at speeds within 1 % of one."""
    a, b = (_at_8k(path) for path in (one, other))
    near = [1.0] if speed == 1 else [1.0, *speed * np.linspace(0.99, 1.01, 81)]
    return max(_highest(a, soxr.resample(b, 8000, 8000 * each)) for each in near)


def _highest(a: Samples, b: Samples) -> float:
    size = 1 << (len(a) + len(b)).bit_length()
    products = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    return float(np.abs(products).max() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


def _at_8k(path: Path) -> Samples:
    samples, rate = soundfile.read(path)
    return soxr.resample(samples if samples.ndim == 1 else samples.mean(axis=1), rate, 8000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=positive, default=2000)
    parser.add_argument("--copies", type=positive, default=600)
    parser.add_argument("--model", default="default")
    parser.add_argument("--set", help="only clips of this set, such as picovoice_intent, speech between long pauses")
    parser.add_argument("--kind", action="append", help="only copies of kinds with this in their name; several times")
    parser.add_argument("--work", type=Path, help="a folder for the copies and the library, kept for another run")
    asked = parser.parse_args()
    kinds = [name for name in KINDS if any(part in name for part in asked.kind or [""])]
    with scratch() as temporary:
        measure(_clips(asked.clips, asked.set), asked.copies, kinds, asked.model, asked.work or temporary)


def _clips(count: int, of: str | None) -> list[Path]:
    folder = data_folder() / "train"
    with (folder / "index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if float(row["seconds"]) >= SHORTEST and of in (None, row["set"])]
    return [folder / rows[n]["path"] for n in np.random.default_rng(0).permutation(len(rows))[:count]]


def measure(clips: list[Path], copies: int, kinds: list[str], model: str, work: Path) -> None:
    import sonovec
    from sonovec.analysis.likeness import codes_of
    from sonovec.analysis.recordings import groups

    (work / "copies").mkdir(parents=True, exist_ok=True)
    made: dict[Path, tuple[Path, str]] = {}
    for n in range(copies):
        name, clip = kinds[n % len(kinds)], clips[(n // len(kinds) * 7 + n) % len(clips)]
        target = work / "copies" / f"{n}.{KINDS[name].format.lower()}"
        if not target.exists():
            make(clip, name, target)
        made[target] = clip, name
    began = time.perf_counter()
    with sonovec.Library(work / "library", model=model) as library:
        report = library.add([*clips, *made], analysers=["fingerprint"])
        print(f"{report.counts.indexed} indexed in {time.perf_counter() - began:.0f} s", flush=True)
        began = time.perf_counter()
        found = library.duplicates()
        print(f"{found.tracks} tracks compared in {time.perf_counter() - began:.0f} s", flush=True)
        tracks = library.tracks()
    told = [track for track in tracks if track.fields.get("fingerprint")]
    before = groups([codes_of(str(track.fields["fingerprint"])) for track in told])
    of_before = {told[n].path: place for place, group in enumerate(before) for n in group}
    of_now = {
        path: place for place, group in enumerate(found.groups) for each in group for path in (each.path, *each.copies)
    }
    # Of two groups one part is told, between the tracks to keep.
    parts = {frozenset(of_now.get(path, path) for path in (each.path, each.other_path)) for each in found.overlaps}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for copy, (clip, name) in made.items():
        pair = str(copy), str(clip)
        now = of_now.get(pair[0], -1) == of_now.get(pair[1], -2)
        now |= name == PART and frozenset(of_now.get(path, path) for path in pair) in parts
        counts[name] += Counter(
            pairs=1,
            before=of_before.get(pair[0], -1) == of_before.get(pair[1], -2),
            found=now,
        )
        if not now:
            print(json.dumps({"missed": name, "clip": clip.name, "copy": copy.name}))
    for name, row in counts.items():
        print(json.dumps({"kind": name, **row}))
    originals = {str(clip) for clip in clips}
    for group in found.groups:
        own = [each for each in group if each.path in originals]
        if len(own) > 1:
            names, speeds = [Path(each.path) for each in own], [(each.speed or 1) / (own[0].speed or 1) for each in own]
            alike = [round(correlation(names[0], *each), 2) for each in zip(names[1:], speeds[1:], strict=True)]
            print(json.dumps({"merged": [each.name for each in names], "speeds": speeds, "correlation": alike}))
    theirs = [each for each in found.overlaps if {each.path, each.other_path} <= originals]
    print(json.dumps({"clips": len(clips), "parts of clips in others": len(theirs)}))
    for each in theirs[:20]:
        print(json.dumps({"of": Path(each.path).name, "part": Path(each.other_path).name, "s": each.end - each.start}))


if __name__ == "__main__":
    main()
