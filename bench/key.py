"""Keys on songs whose key is known, beside librosa's chroma with Krumhansl's profiles, and under changes of the sound.

    python bench/key.py WHERE [--songs 361-450] [--limit 40] [--changes plain,432,noise,mp3] [--no-librosa] [--essentia]

Songs of pop909 that keep one key are rendered whole by FluidSynth into WHERE (`bench/songs.py`), and what is heard is kept
there. Exact: the share of songs whose key is told. MIREX: 1 for the key, 0.5 a fifth away, 0.3 the relative and 0.2 the
parallel key. Mixes: at most one step away on the Camelot wheel. A key that is told as none counts as wrong. Changes: 432 Hz
(by resampling), white noise at 10 dB, MP3 at a low rate.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import common
import numpy as np
import songs
import with_essentia

from sonovec.music import columns
from sonovec.music.chroma import Chroma
from sonovec.music.key import PUBLISHED, best, correlate
from sonovec.music.keys import Key, distance, mirex_score, parse
from sonovec.music.part import RATE
from sonovec.music.tonality import Tonality

Samples = np.ndarray
NOISE_DB = 10.0
#: For the interval of 95 %.
Z = 1.96


def noisy(samples: Samples) -> Samples:
    """With white noise."""
    noise = np.random.default_rng(0).standard_normal(len(samples)) * np.sqrt(np.mean(samples**2))
    return np.asarray(samples + noise * 10 ** (-NOISE_DB / 20), np.float32)


def lowered(samples: Samples) -> Samples:
    """With A at 432 Hz where it was at 440: as much slower."""
    import soxr

    return np.asarray(soxr.resample(samples, 432, 440), np.float32)


def mp3(samples: Samples) -> Samples:
    """From an MP3 file."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=0.6)
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32")[0])


CHANGES: Mapping[str, Callable[[Samples], Samples]] = {
    "plain": lambda samples: samples,
    "432": lowered,
    "noise": noisy,
    "mp3": mp3,
}


def read(path: Path) -> Samples:
    """Mono samples at `RATE`."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, RATE), np.float32)


def ours(samples: Samples) -> dict[str, object]:
    """What sonovec hears, the chroma that others' profiles are put on, and its seconds of processor time."""
    began, tonality = time.process_time(), Tonality()
    tonality.push(samples)
    found = dict(tonality.finish())
    seconds, chroma = time.process_time() - began, Chroma()
    chroma.push(samples)
    chroma.finish()
    return {**found, "classes": chroma.classes.tolist(), "seconds": seconds, "length": len(samples) / RATE}


def librosa_classes(samples: Samples) -> dict[str, object]:
    """The mean chroma of librosa's constant-Q transform, tuned."""
    import librosa

    began = time.process_time()
    classes = librosa.feature.chroma_cqt(y=samples, sr=RATE).mean(axis=1)
    return {"classes": classes.tolist(), "seconds": time.process_time() - began}


def essentia_keys(samples: Samples) -> dict[str, object]:
    """Essentia's keys by profile."""
    return dict(with_essentia.keys(samples, RATE))


LISTENERS: Mapping[str, Callable[[Samples], dict[str, object]]] = {
    "sonovec": ours,
    "librosa": librosa_classes,
    "essentia": essentia_keys,
}


def heard(song: songs.Song, change: str, who: str) -> dict[str, object]:
    """What somebody heard in a song, from the file of it where there is one."""
    kept = song.path.with_suffix(f".{change}.{who}.json")
    if not kept.exists():
        told = LISTENERS[who](CHANGES[change](read(song.path)))
        kept.write_text(json.dumps(told), encoding="utf-8")
    return dict(json.loads(kept.read_text(encoding="utf-8")))


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's interval of 95 % of a share."""
    share, z2 = right / count, Z * Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return float(middle - half), float(middle + half)


def row(name: str, answers: Sequence[Key | None], truth: Sequence[Key]) -> None:
    """Print one."""
    exact = sum(answer == key for answer, key in zip(answers, truth, strict=True))
    scores = np.array([mirex_score(a, key) if a else 0.0 for a, key in zip(answers, truth, strict=True)])
    near = np.mean([a is not None and distance(a, key) <= 1 for a, key in zip(answers, truth, strict=True)])
    low, high = interval(exact, len(truth))
    spread = Z * scores.std() / np.sqrt(len(scores))
    print(
        f"{name:38} exact {100 * exact / len(truth):5.1f} % ({100 * low:.1f} to {100 * high:.1f})   "
        f"MIREX {scores.mean():.3f} ± {spread:.3f}   mixes {100 * near:5.1f} %"
    )


def main() -> None:
    """Measure."""
    made = songs.arguments(__doc__)
    made.add_argument("--changes", default=",".join(CHANGES), help="some of plain, 432, noise, mp3; default: all")
    made.add_argument("--no-librosa", action="store_true")
    made.add_argument("--essentia", action="store_true", help="also Essentia, if it is installed")
    told = made.parse_args()
    data = told.data or common.data_folder()
    folder = told.where / told.soundfont.stem / "key"
    numbers = told.songs or sorted(int(path.name) for path in (data / "pop909").iterdir() if path.name.isdecimal())
    scores = [score for score in (songs.pop_score(data, number) for number in numbers) if score.key]
    rendered = [songs.render(score, folder, told.soundfont) for score in scores[: told.limit]]
    truth = [parse(str(song.key)) for song in rendered]
    print(f"{len(rendered)} songs of one key")
    for change in told.changes.split(","):
        found = [heard(song, change, "sonovec") for song in rendered]
        answers = [parse(str(each[columns.KEY])) if each[columns.KEY] else None for each in found]
        row(f"{change}: sonovec", answers, truth)
        classes = np.array([each["classes"] for each in found])
        for name, profiles in PUBLISHED.items() if change == "plain" else ():
            row(f"{change}: its chroma with {name}", best(correlate(classes, profiles)), truth)
        if change == "plain":
            sure = [float(str(each[columns.KEY_CONFIDENCE] or 0)) for each in found]
            calibration([(s, a == k) for s, a, k in zip(sure, answers, truth, strict=True) if a])
        speed = sum(float(str(each["length"])) for each in found) / sum(float(str(each["seconds"])) for each in found)
        tunings = [float(str(each[columns.TUNING])) for each in found if each[columns.TUNING]]
        print(f"{'':38} tuning {np.median(tunings):.1f} Hz in the middle; {speed:.0f} x real time on one core")
    if not told.no_librosa:
        theirs = np.array([heard(song, "plain", "librosa")["classes"] for song in rendered])
        row("plain: librosa chroma_cqt, krumhansl", best(correlate(theirs, PUBLISHED["krumhansl"])), truth)
    if told.essentia:
        others = [heard(song, "plain", "essentia") for song in rendered]
        for name in with_essentia.PROFILES:
            row(f"plain: Essentia, {name}", [parse(str(each[name])) for each in others], truth)


def calibration(told: Sequence[tuple[float, bool]]) -> None:
    """Print how sure it was and how often right, by thirds."""
    told = sorted(told)
    for third in np.array_split(np.arange(len(told)), 3):
        some = [told[place] for place in third]
        sure, right = np.mean([each[0] for each in some]), np.mean([each[1] for each in some])
        print(f"{'':38} confidence {some[0][0]:.2f} to {some[-1][0]:.2f}: mean {sure:.2f}, right {right:.2f}")


if __name__ == "__main__":
    main()
