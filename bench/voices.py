"""How well encoders tell voices apart: python bench/voices.py [--weights RESEMBLYZER_WHEEL].

The equal error rate of pairs of utterances that have no words in common, by the cosine of their clip vectors. One set is
FSDD: digits of one speaker, joined to at least two seconds, those of the one side from 0 to 4 and those of the other from 5
to 9. The other is the spoken commands of the training audio, whose names do not say who speaks: the first half of a
recording against the second half of its own and of all others, some of which one person said, too. With `--pauses` a pause
of so many seconds stands before each digit. The share of queries whose nearest utterance of the other side is of the same
speaker is printed as well, where the names say who that is.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import common
import numpy as np
import soundfile

import sonovec
from sonovec.evaluation.metrics import equal_error
from sonovec.vectors import unit

SIDES = (range(5), range(5, 10))
TAKES, LEAST_SECONDS = 50, 2.0
#: Silence at both ends of a command is cut off below so much of its peak, so that each half has speech.
QUIET, FRAME_SECONDS = 0.03, 0.02


@dataclass
class Utterances:
    """Two sides of utterances, with who speaks."""

    rate: int
    is_named: bool = True
    sounds: tuple[list[np.ndarray], list[np.ndarray]] = field(default_factory=lambda: ([], []))
    speakers: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))

    def add(self, side: int, sound: np.ndarray, speaker: str) -> None:
        """Take an utterance."""
        self.sounds[side].append(sound.astype(np.float32))
        self.speakers[side].append(speaker)


def digits(folder: Path, pause: float, seed: int = 0) -> Utterances:
    """Digits of FSDD, joined: each take of a speaker is one utterance of each side."""
    rng = np.random.default_rng(seed)
    speakers = sorted({path.stem.split("_")[1] for path in folder.glob("*.flac")})
    found = Utterances(8000)
    silence = np.zeros(round(pause * found.rate))
    for speaker in speakers:
        for side, some in enumerate(SIDES):
            for take in range(TAKES):
                parts: list[np.ndarray] = []
                spoken = 0
                for digit, again in _endless(rng.permutation(some).tolist()):
                    if spoken >= LEAST_SECONDS * found.rate and again:
                        break
                    samples, _ = soundfile.read(folder / f"{digit}_{speaker}_{(take + again) % TAKES}.flac")
                    parts += [silence, samples] if pause else [samples]
                    spoken += len(samples)
                found.add(side, np.concatenate(parts), speaker)
    return found


def _endless(digits: list[int]) -> Iterator[tuple[int, int]]:
    """Digits over and over, and how often all of them came before."""
    again = 0
    while True:
        yield from ((digit, again) for digit in digits)
        again += 1


def halves(folder: Path) -> Utterances:
    """The two halves of each spoken command."""
    found = Utterances(48000, is_named=False)
    with (folder / "index.csv").open(encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["path"].startswith("picovoice_intent/data_speech")]
    for path in paths:
        samples, rate = soundfile.read(folder / path)
        assert rate == found.rate, path
        frame = round(FRAME_SECONDS * rate)
        loud = np.abs(samples[: len(samples) // frame * frame]).reshape(-1, frame).max(axis=1)
        heard = np.flatnonzero(loud > QUIET * loud.max())
        speech = samples[heard[0] * frame : (heard[-1] + 1) * frame]
        if len(speech) >= 2 * LEAST_SECONDS * rate:
            for side, part in enumerate(np.array_split(speech, 2)):
                found.add(side, part, path)
    return found


def measure(encoder: sonovec.Encoder, utterances: Utterances) -> str:
    """A row of the table."""
    ours, theirs = (
        unit(np.stack([each.vector for each in encoder.embed_many([(sound, utterances.rate) for sound in side])]))
        for side in utterances.sounds
    )
    scores = ours @ theirs.T
    same = np.equal.outer(utterances.speakers[0], utterances.speakers[1])
    error = equal_error(scores.ravel(), same.ravel())
    nearest = same[np.arange(len(scores)), scores.argmax(axis=1)].mean()
    first = f"{100 * nearest:.1f}" if utterances.is_named else "-"
    return f"{100 * error.rate:.1f} | {error.threshold:.3f} | {first}"


def main() -> None:
    """Measure each encoder on each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="of resemblyzer, where they are not in the cache")
    parser.add_argument("--pauses", type=float, nargs="*", default=[0.0, 1.0, 3.0], help="seconds before each digit")
    parser.add_argument("--encoders", nargs="*", default=["resemblyzer", "default", "logmel"])
    parser.add_argument("--vad", action="store_true", help="leave windows out in which nobody speaks")
    arguments = parser.parse_args()
    cleaning = {"vad": True} if arguments.vad else {}
    data = common.data_folder()
    sets = {f"digits, pauses of {pause:g} s": digits(data / "fsdd", pause) for pause in arguments.pauses}
    sets["halves of commands"] = halves(data / "train")
    print("| encoder | set | utterances | equal error rate, % | at a cosine of | nearest is the same speaker, % |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in arguments.encoders:
        weights = arguments.weights if name == "resemblyzer" else None
        encoder = sonovec.load(name, weights=weights, **cleaning)
        for what, utterances in sets.items():
            count = sum(map(len, utterances.sounds))
            print(f"| {name} | {what} | {count} | {measure(encoder, utterances)} |", flush=True)
        encoder.close()


if __name__ == "__main__":
    main()
