"""Speech as text, against faster-whisper's own script: python bench/transcribe.py MODEL [--beam N] [--seconds N].

MODEL is the folder of a Whisper model for CTranslate2. Both sides run in this process with the same weights, precision, beam
and number of threads, in turns, each on all files: sonovec.transcribe, and BatchedInferencePipeline with its voice activity,
word times and batches of 8, a file at a time. Three things are measured:

- read sentences (100 of kathleen, one speaker): word error rate, and time as a ratio;
- a long sound made of such sentences, pauses, music and noise: word error rate beside that of the sentences alone, how far
  the starts of sentences are from where they were laid, whether times grow, and peak memory;
- instrumentals and animals: how much text is written.
"""

from __future__ import annotations

import argparse
import csv
import re
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import common
import jiwer
import numpy as np

from sonovec.audio.stream import load
from sonovec.audio.waveform import Waveform
from sonovec.speech import Recogniser, Transcript, transcribe
from sonovec.speech import load as load_recogniser

RATE, SENTENCES, BATCH = 16_000, 100, 8
#: The one recording of the music folder that has singing, and those with readers.
SUNG, READ = ("Karissa",), ("198-209", "3436-172162", "5703-47212")
#: What the three LibriSpeech readers say (public domain), which their files do not tell.
LIBRISPEECH = {
    "198-209": "mrs allen said catherine the next morning will there be any harm in my calling on miss tilney today i "
    "shall not be easy till i have explained everything go by all means my dear only put on a white gown miss tilney always "
    "wears white",
    "3436-172162": "the adventure of the cart it befell in the month of may queen guenever called to her knights of the "
    "table round and gave them warning that early upon the morrow she would ride a maying into the woods and fields beside "
    "westminster",
    "5703-47212": "with her white paint and her scarlet smoke stack the inverashiel one of the two small steamers that "
    "during the summer months plied up and down the loch and incidentally carried on communication between inverashiel and "
    "crianan",
}


def plain(text: str) -> str:
    """Lower case, without punctuation; numbers stay as they are written."""
    return " ".join(re.sub(r"[^a-z0-9' ]+", " ", text.lower().replace("’", "'")).split())


def wer(said: list[str], heard: list[str]) -> float:
    return 100 * float(jiwer.wer([plain(text) for text in said], [plain(text) for text in heard]))


def sentences(count: int) -> list[tuple[Path, str]]:
    """Files and what is read in them, spread over the set."""
    root = common.data_folder() / "train"
    with (root / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == "kathleen" and row["transcript"]]
    return [(root / row["path"], row["transcript"]) for row in rows[:: max(1, len(rows) // count)][:count]]


def theirs(folder: Path, beam: int) -> Callable[[list[Path]], list[str]]:
    """faster-whisper's own script."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    from sonovec.runtime.network import settle_jobs

    pipeline = BatchedInferencePipeline(
        WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=settle_jobs())
    )

    def run(files: list[Path]) -> list[str]:
        options = {"vad_filter": True, "batch_size": BATCH, "beam_size": beam, "word_timestamps": True}
        found = [pipeline.transcribe(str(file), **options)[0] for file in files]
        return [" ".join(segment.text for segment in segments) for segments in found]

    return run


def long_sound(pieces: list[tuple[Path, str]], seconds: float) -> tuple[Waveform, list[tuple[float, str]]]:
    """Sentences, pauses, music and noise until it is long enough; with when each sentence begins, by its own level."""
    draw = np.random.default_rng(0)
    folder = common.data_folder() / "music"
    music = [load(path, RATE).samples for path in instrumentals(folder)]
    parts, laid, at, number = list[np.ndarray](), list[tuple[float, str]](), 0, 0
    while at < seconds * RATE:
        path, text = pieces[number % len(pieces)]
        speech = load(path, RATE).samples
        loud = np.flatnonzero(np.abs(speech) > 0.05 * np.abs(speech).max())
        laid.append(((at + loud[0]) / RATE, text))
        kind = ("pause", "pause", "pause", "music", "noise")[int(draw.integers(5))]
        length = int(draw.uniform(0.5, 4) * RATE)
        if kind == "music":
            piece = music[int(draw.integers(len(music)))]
            filler = piece[: int(draw.uniform(4, 30) * RATE)]
        elif kind == "noise":
            filler = (0.02 * draw.standard_normal(5 * length)).astype(np.float32)
        else:
            filler = np.zeros(length, np.float32)
        parts += [speech, filler]
        at += len(speech) + len(filler)
        number += 1
    return Waveform(np.concatenate(parts), RATE), laid


def instrumentals(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("*.ogg")):
        if not any(name in path.name for name in (*SUNG, *READ)):
            yield path


def off(transcript: Transcript, laid: list[tuple[float, str]]) -> list[float]:
    """Seconds between where a sentence was laid and the nearest start of its first word, where that was heard."""
    words = transcript.words
    found = []
    for start, text in laid:
        first = plain(text).split()[0]
        same = [abs(word.start - start) for word in words if plain(word.text) == first and abs(word.start - start) < 2]
        found += [min(same)] if same else []
    return found


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", type=Path)
    made.add_argument("--beam", type=int, default=1)
    made.add_argument("--sentences", type=int, default=SENTENCES)
    made.add_argument("--seconds", type=float, default=7200.0, help="of the long sound; 0 leaves it out")
    made.add_argument("--rounds", type=int, default=2)
    given = made.parse_args()
    recogniser = load_recogniser(str(given.model), beam=given.beam)
    pieces = sentences(given.sentences)
    if given.rounds:
        short(recogniser, theirs(given.model, given.beam), pieces, given.rounds)
    if given.seconds:
        long(recogniser, pieces, given.seconds)
    quiet = list(instrumentals(common.data_folder() / "music"))
    letters = sum(len(found.text) for found in transcribe(quiet, recogniser))
    print(f"instrumentals and animals: {len(quiet)} files, {letters} letters written")


def short(
    recogniser: Recogniser, other: Callable[[list[Path]], list[str]], pieces: list[tuple[Path, str]], rounds: int
) -> None:
    files, said = [path for path, _ in pieces], [text for _, text in pieces]
    folder = common.data_folder() / "music"
    for name, text in LIBRISPEECH.items():
        files.append(next(folder.glob(f"{name}*.ogg")))
        said.append(text)
    times: dict[str, list[tuple[float, float]]] = {"sonovec": [], "faster-whisper": []}
    for _ in range(rounds):
        for name, run in (
            ("sonovec", lambda: [found.text for found in transcribe(files, recogniser)]),
            ("faster-whisper", lambda: other(files)),
        ):
            start, cpu = time.perf_counter(), time.process_time()
            heard = run()
            times[name].append((time.perf_counter() - start, time.process_time() - cpu))
            print(
                f"{name}: {wer(said, heard):.2f} % WER, {times[name][-1][0]:.1f} s, {times[name][-1][1]:.1f} s of processor"
            )
    for number, what in enumerate(("time", "processor time")):
        ours, them = (statistics.median(each[number] for each in times[name]) for name in ("sonovec", "faster-whisper"))
        print(f"{len(files)} files: {what} of sonovec / faster-whisper = {ours / them:.2f}")


def long(recogniser: Recogniser, pieces: list[tuple[Path, str]], seconds: float) -> None:
    sound, laid = long_sound(pieces, seconds)
    once = {text for _, text in laid}
    alone = [found.text for found in transcribe([path for path, text in pieces if text in once], recogniser)]
    texts = dict(zip([text for _, text in pieces if text in once], alone, strict=True))
    (found,) = transcribe([sound], recogniser)
    said = " ".join(text for _, text in laid)
    single = wer([text for _, text in laid], [texts[text] for _, text in laid])
    words = found.words
    grow = all(word.start < word.end for word in words) and all(a.end <= b.start for a, b in pairwise(words))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    starts = off(found, laid)
    print(
        f"{sound.duration:.0f} s of {len(laid)} sentences, pauses, music and noise: "
        f"{wer([said], [found.text]):.2f} % WER, alone {single:.2f} %"
    )
    print(
        f"starts of {len(starts)} sentences are off by {1000 * statistics.median(starts):.0f} ms at the median; "
        f"times grow: {grow}"
    )
    print(f"peak memory {peak:.2f} GB, of which the sound is {sound.samples.nbytes / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
