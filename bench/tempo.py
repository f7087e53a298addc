"""How often tempo is right, and beats, on songs with known truth (`bench/songs.py`), beside librosa and the plain method.

    python bench/tempo.py WHERE [--kinds groove,pop909,drums] [--songs 361-450] [--split test,validation] [--limit 60]
        [--soundfont FILE] [--conditions clean,-20 dB,noise 20 dB,mp3] [--no-librosa] [--essentia] [--wrong] [-o results.json]

Songs are rendered below WHERE as far as they are missing. Accuracy-1: within 4 % of the truth. Accuracy-2: of it, its double
or half, its triple or third. With 95 % intervals (Wilson). "plain" is Percival and Tzanetakis without a decision on octaves,
on our onset strength. Sure: confidence of at least 0.99. Beats, downbeats: F-measure within 70 ms. Songs 1 to 360 of pop909
and the train split of groove were trained on: what is told of them is not held out.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import with_essentia
from numpy.typing import NDArray
from songs import Song, arguments, chosen

from sonovec.music import percival
from sonovec.music.beats import beats
from sonovec.music.downbeats import downbeats
from sonovec.music.onsets import CURVE_RATE, Onsets, low_pass
from sonovec.music.part import RATE
from sonovec.music.tempo import SURE, tempo

Samples = NDArray[np.float32]
TOLERANCE, NEAR = 0.04, 0.07
OCTAVES = (1, 2, 1 / 2, 3, 1 / 3)


def same(samples: Samples, rng: np.random.Generator) -> Samples:
    return samples


def quieter(samples: Samples, rng: np.random.Generator) -> Samples:
    return samples * np.float32(0.1)


def noisy(samples: Samples, rng: np.random.Generator) -> Samples:
    level = np.sqrt(np.mean(samples**2)) / 10
    return samples + np.float32(level) * rng.standard_normal(len(samples)).astype(np.float32)


def mp3(samples: Samples, rng: np.random.Generator) -> Samples:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=0.9)
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32")[0])


CONDITIONS: dict[str, Callable[[Samples, np.random.Generator], Samples]] = {
    "clean": same,
    "-20 dB": quieter,
    "noise 20 dB": noisy,
    "mp3": mp3,
}


def ours(samples: Samples, song: Song) -> dict[str, Any]:
    """What we hear, and what the plain method makes of the same onset strength."""
    began = time.process_time()
    onsets = Onsets()
    onsets.push(samples)
    curve = onsets.finish()
    heard = tempo(curve)
    found = beats(curve, heard.path)
    bars, _ = downbeats(curve, found)
    seconds = time.process_time() - began
    return {
        "ours": heard.bpm,
        "confidence": heard.confidence,
        "alternatives": heard.alternatives,
        "plain": percival.tempo(low_pass(curve.whole), CURVE_RATE),
        "beats": f_measure(found, np.array(song.beats)),
        "downbeats": f_measure(bars, np.array(song.downbeats)) if song.downbeats else None,
        "times": curve.seconds / seconds,
    }


def essentia_tempos(samples: Samples) -> dict[str, float]:
    return with_essentia.tempos(samples, RATE)


def librosa_tempos(samples: Samples) -> dict[str, float]:
    import librosa

    strength = librosa.onset.onset_strength(y=samples, sr=RATE)
    tracked, _ = librosa.beat.beat_track(onset_envelope=strength, sr=RATE)
    return {
        "librosa tempo": float(np.atleast_1d(librosa.feature.tempo(onset_envelope=strength, sr=RATE))[0]),
        "librosa beats": float(np.atleast_1d(tracked)[0]),
    }


def f_measure(found: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Of beats within 70 ms of each other, each taken once."""
    hits, place = 0, 0
    for time_ in found:
        while place < len(truth) and truth[place] < time_ - NEAR:
            place += 1
        if place < len(truth) and truth[place] <= time_ + NEAR:
            hits, place = hits + 1, place + 1
    return 2 * hits / max(1, len(found) + len(truth))


def right(bpm: float | None, truth: float, octaves: bool = False) -> bool:
    return bpm is not None and any(
        abs(bpm / (truth * ratio) - 1) <= TOLERANCE for ratio in (OCTAVES if octaves else OCTAVES[:1])
    )


def share(flags: Sequence[bool]) -> str:
    """Percent with the 95 % interval of Wilson."""
    n = len(flags)
    if not n:
        return "-"
    p, z = sum(flags) / n, 1.96
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return f"{100 * p:.1f} ({100 * low:.0f}-{100 * high:.0f})"


#: Methods of others, by the option that asks for them.
Others = Sequence[Callable[[Samples], dict[str, float]]]


def measure(songs: Sequence[Song], condition: str, others: Others) -> list[dict[str, Any]]:
    rows = []
    for number, song in enumerate(songs):
        samples, rate = soundfile.read(song.path, dtype="float32", always_2d=True)
        mono = soxr.resample(samples.mean(axis=1), rate, RATE).astype(np.float32)
        mono = CONDITIONS[condition](mono, np.random.default_rng(number))
        row = {"name": song.name, "kind": song.kind, "condition": condition, "truth": song.bpm, **ours(mono, song)}
        for other in others:
            row |= other(mono)
        rows.append(row)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> None:
    """Print a line for each kind, condition and method."""
    print("\n| songs | n | condition | method | accuracy-1 | accuracy-2 | sure | right of the sure |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind, condition in dict.fromkeys((row["kind"], row["condition"]) for row in rows):
        some = [row for row in rows if (row["kind"], row["condition"]) == (kind, condition)]
        for method in ("ours", "plain", *(name for name in some[0] if name.startswith(("librosa", "essentia")))):
            one, two = ([right(row[method], row["truth"], octaves) for row in some] for octaves in (False, True))
            sure = [row for row in some if row["confidence"] >= SURE] if method == "ours" else []
            told = share([right(row["ours"], row["truth"]) for row in sure])
            print(
                f"| {kind} | {len(some)} | {condition} | {method} | {share(one)} | {share(two)} | "
                f"{f'{100 * len(sure) / len(some):.0f} %' if method == 'ours' else ''} | {told if sure else ''} |"
            )
    print(
        "\n| songs | condition | beats, F | downbeats, F | times real time on one core |\n| --- | --- | --- | --- | --- |"
    )
    for kind, condition in dict.fromkeys((row["kind"], row["condition"]) for row in rows):
        some = [row for row in rows if (row["kind"], row["condition"]) == (kind, condition)]
        bars = [row["downbeats"] for row in some if row["downbeats"] is not None]
        print(
            f"| {kind} | {condition} | {np.mean([row['beats'] for row in some]):.3f} | "
            f"{f'{np.mean(bars):.3f}' if bars else '-'} | {np.median([row['times'] for row in some]):.0f} |"
        )


def wrong(rows: Sequence[dict[str, Any]]) -> None:
    """Print what goes wrong."""
    for row in rows:
        if not right(row["ours"], row["truth"]):
            others = ", ".join(f"{bpm:.1f}: {chance:.2f}" for bpm, chance in row["alternatives"])
            said = "none" if row["ours"] is None else f"{row['ours']:.1f}"
            print(
                f"{row['name']} {row['condition']}: {row['truth']:.1f} heard as {said} ({row['confidence']:.2f}; {others})"
            )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--conditions", default=",".join(CONDITIONS), help="some of: " + ", ".join(CONDITIONS))
    parser.add_argument("--no-librosa", action="store_true")
    parser.add_argument("--least-seconds", type=float, default=0.0, help="leave shorter performances out")
    parser.add_argument("--wrong", action="store_true", help="list what goes wrong")
    parser.add_argument("-o", "--output", type=Path, help="results of each song, as JSON")
    parser.add_argument("--essentia", action="store_true", help="also Essentia, if it is installed")
    told = parser.parse_args()
    others = [*([] if told.no_librosa else [librosa_tempos]), *([essentia_tempos] if told.essentia else [])]
    rows = []
    for _, songs in chosen(told):
        taken = [song for song in songs if soundfile.info(song.path).duration >= told.least_seconds]
        for condition in told.conditions.split(","):
            rows += measure(taken, condition, others)
    table(rows)
    if told.wrong:
        wrong(rows)
    if told.output:
        told.output.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
