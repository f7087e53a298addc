"""What --vad, --trim and --denoise do to search, detection and speech recognition, clean and in white noise.

    python bench/noise.py --whisper FOLDER [--rnnoise WHEEL.whl] [--only keywords,speech,detection,esc10]
        [--steps denoise,rnnoise] [-o noise.json]

- Search: each sound, with noise, is the query; the others are the library, without noise. Both are cleaned in one way, as a
  library and its queries are. Mean average precision of the classes of ESC-10 (for testing only), and of spoken keywords.
- Detection: heads for instruments, fitted to the notes of even number without noise; average precision of the others,
  with noise that is cleaned. Once the head was fitted to sounds as they are, and once to sounds that were cleaned, too.
- Speech: word error rate of a Whisper model in CTranslate2's format on read sentences.

RNNoise is no part of sonovec: its wheel (pyrnnoise) is opened here to compare it.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np

import sonovec
from sonovec.audio.stream import load
from sonovec.augment.waveform import noise
from sonovec.cleaning.chain import Cleaning
from sonovec.embedding.embedding import Failure
from sonovec.evaluation.metrics import retrieval
from sonovec.learn.fit import trained
from sonovec.vectors import unit

Floats = np.ndarray
#: Decibels of the sound above the noise; None without noise.
LEVELS: tuple[float | None, ...] = (None, 20.0, 10.0, 0.0)
#: Settings of `sonovec.load`.
STEPS: dict[str, dict[str, bool]] = {
    "as it is": {},
    "vad": {"vad": True},
    "trim": {"trim": True},
    "denoise": {"denoise": True},
}
RNNOISE = "rnnoise"
RNNOISE_RATE = 48000
SPEECH_RATE = 16000
#: An instrument with fewer notes is left out.
LEAST_NOTES = 30


def noisy(samples: Floats, rate: int, level: float | None, number: int) -> Floats:
    """A sound in white noise, always the same for the same number."""
    return samples if level is None else noise(samples, rate, level, np.random.default_rng(number))


class RNNoise:
    """The library in the wheel of pyrnnoise, without what else that needs."""

    def __init__(self, wheel: Path) -> None:
        self._folder = tempfile.TemporaryDirectory()
        with zipfile.ZipFile(wheel) as archive:
            name = next(each for each in archive.namelist() if each.endswith("librnnoise.so"))
            self._library = ctypes.CDLL(archive.extract(name, self._folder.name))
        self._library.rnnoise_create.restype = ctypes.c_void_p
        self._library.rnnoise_process_frame.argtypes = [ctypes.c_void_p] + [ctypes.POINTER(ctypes.c_float)] * 2
        self._library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
        self._frame = self._library.rnnoise_get_frame_size()

    def __call__(self, samples: Floats, rate: int) -> Floats:
        """A sound without its noise, by way of 48 kHz."""
        import soxr

        wide = soxr.resample(samples, rate, RNNOISE_RATE).astype(np.float32) * 32768
        frames = np.pad(wide, (0, -len(wide) % self._frame)).reshape(-1, self._frame)
        state = self._library.rnnoise_create(None)
        for frame in frames:
            place = frame.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            self._library.rnnoise_process_frame(state, place, place)
        self._library.rnnoise_destroy(state)
        back = soxr.resample(frames.reshape(-1)[: len(wide)] / 32768, RNNOISE_RATE, rate).astype(np.float32)
        return np.pad(back[: len(samples)], (0, max(0, len(samples) - len(back))))


def vectors(sounds: Sequence[Floats], level: float | None, step: str, rnnoise: RNNoise | None) -> Floats:
    """Clip vectors of sounds in noise, cleaned in one way."""
    encoder = sonovec.load("default", **STEPS.get(step, {}))  # type: ignore[arg-type]
    rate = encoder.rate

    def given() -> Iterator[tuple[Floats, int]]:
        for number, samples in enumerate(sounds):
            heard = noisy(samples, rate, level, number)
            yield rnnoise(heard, rate) if step == RNNOISE and rnnoise else heard, rate

    rows = []
    for result in encoder.embed_many(given()):
        assert not isinstance(result, Failure), result.reason
        rows.append(result.vector)
    return unit(np.stack(rows))


def read(paths: Sequence[Path]) -> list[Floats]:
    """Sounds at the rate of the encoder."""
    rate = sonovec.load("default").rate
    return [load(path, rate).samples for path in paths]


def search(
    paths: Sequence[Path], labels: Sequence[str], steps: Sequence[str], rnnoise: RNNoise | None
) -> dict[str, Any]:
    """Mean average precision for each step and level."""
    sounds = read(paths)
    table = {}
    for step in steps:
        library = vectors(sounds, None, step, rnnoise)
        table[step] = [
            retrieval(library, labels, queries=vectors(sounds, level, step, rnnoise) if level is not None else None)[
                0
            ].value
            for level in LEVELS
        ]
        print(step, [round(value, 3) for value in table[step]], flush=True)
    return table


def detection(
    paths: Sequence[Path], labels: Sequence[str], steps: Sequence[str], rnnoise: RNNoise | None
) -> dict[str, Any]:
    """Mean of the classes' average precision for each step and level, by two heads."""
    from sklearn.metrics import average_precision_score

    sounds = read(paths)
    targets = np.array([[int(label == name) for name in sorted(set(labels))] for label in labels])
    odd = np.arange(len(labels)) % 2 == 1

    def head(step: str) -> Any:
        return trained(vectors([sounds[i] for i in np.flatnonzero(~odd)], None, step, rnnoise), targets[~odd], kind="both",
                       strength=10.0)  # fmt: skip

    plain = head("as it is")
    tests = [sounds[i] for i in np.flatnonzero(odd)]
    table = {}
    for step in steps:
        own = head(step)
        rows = [vectors(tests, level, step, rnnoise) for level in LEVELS]
        for name, used in ((step, plain), (f"{step}, trained so", own)):
            table[name] = [float(average_precision_score(targets[odd], used.scores(each))) for each in rows]
            print(name, [round(value, 3) for value in table[name]], flush=True)
    del table["as it is, trained so"]
    return table


def words(text: str) -> str:
    """A text as error rates compare it."""
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())


def speech(
    rows: Sequence[tuple[Path, str]], whisper: Path, steps: Sequence[str], rnnoise: RNNoise | None
) -> dict[str, Any]:
    """Word error rate for each step and level."""
    import jiwer
    from faster_whisper import WhisperModel

    model = WhisperModel(str(whisper), device="cpu", compute_type="int8", cpu_threads=1)
    heard = [(load(path, SPEECH_RATE).samples, words(text)) for path, text in rows]

    def cleaned(step: str) -> Callable[[Floats], Floats]:
        if step == RNNOISE and rnnoise:
            return lambda samples: rnnoise(samples, SPEECH_RATE)
        steps = Cleaning(**{**STEPS[step], "vad": False})
        return lambda samples: np.concatenate(list(steps.begin(SPEECH_RATE).blocks([samples])))

    table = {}
    for step in steps:
        clean = cleaned(step)
        table[step] = []
        for level in LEVELS:
            said = []
            for number, (samples, _) in enumerate(heard):
                given = clean(noisy(samples, SPEECH_RATE, level, number))
                found, _ = model.transcribe(
                    given,
                    beam_size=1,
                    temperature=0.0,
                    language="en",
                    vad_filter=step == "vad",
                    without_timestamps=True,
                )
                said.append(words(" ".join(segment.text for segment in found)))
            table[step].append(jiwer.wer([text for _, text in heard], said))
        print(step, [round(value, 3) for value in table[step]], flush=True)
    return table


def table(title: str, rows: dict[str, list[float]]) -> None:
    """Print a table in Markdown."""
    heads = ["clean" if level is None else f"{level:.0f} dB" for level in LEVELS]
    print(f"\n| {title} | {' | '.join(heads)} |\n| --- |{' --- |' * len(heads)}")
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(f'{100 * value:.1f}' for value in values)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whisper", type=Path, help="folder of a Whisper model in CTranslate2's format")
    parser.add_argument("--rnnoise", type=Path, help="wheel of pyrnnoise")
    parser.add_argument("--only", default="keywords,speech,detection,esc10")
    parser.add_argument("--steps", help="some of the steps, by commas")
    parser.add_argument("--sentences", type=int, default=60)
    parser.add_argument("--every", type=int, default=1, help="take one sound in so many, where nobody speaks")
    parser.add_argument("-o", "--output", type=Path, default=Path("noise.json"))
    arguments = parser.parse_args()
    root = common.data_folder()
    rnnoise = RNNoise(arguments.rnnoise) if arguments.rnnoise else None
    steps = [*STEPS, *([RNNOISE] if rnnoise else [])]
    steps = [step for step in steps if step in arguments.steps.split(",")] if arguments.steps else steps
    wanted = arguments.only.split(",")
    results = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}

    def done(name: str, rows: dict[str, list[float]]) -> None:
        results[name] = rows
        arguments.output.write_text(json.dumps(results, indent=1), encoding="utf-8")

    if "keywords" in wanted:
        paths = sorted((root / "train" / "picovoice_keywords").glob("*.opus"))
        names = [re.match(r"audio_([a-z_]+)_", path.name)[1] for path in paths]  # type: ignore[index]
        done("mAP of search, spoken keywords", search(paths, names, steps, rnnoise))
    if "speech" in wanted and arguments.whisper:
        with (root / "train" / "index.csv").open(encoding="utf-8") as file:
            spoken = [row for row in csv.DictReader(file) if row["set"] == "kathleen" and row["transcript"]]
        chosen = spoken[:: len(spoken) // arguments.sentences][: arguments.sentences]
        rows = [(root / "train" / row["path"], row["transcript"]) for row in chosen]
        done("WER of speech, %", speech(rows, arguments.whisper, steps, rnnoise))
    if "detection" in wanted:
        paths = sorted((root / "train" / "philharmonia").glob("*.opus"))[:: arguments.every]
        names = [re.match(r"audio_([a-z-]+)_", path.name)[1] for path in paths]  # type: ignore[index]
        kept = [i for i, name in enumerate(names) if names.count(name) >= LEAST_NOTES / arguments.every]
        done(
            "AP of detection, instruments",
            detection([paths[i] for i in kept], [names[i] for i in kept], steps, rnnoise),
        )
    if "esc10" in wanted:
        paths = sorted((root / "esc10").glob("*/*.ogg"))[:: arguments.every]
        done("mAP of search, ESC-10", search(paths, [path.parent.name for path in paths], steps, rnnoise))
    for name, rows in results.items():
        table(name, rows)


if __name__ == "__main__":
    main()
