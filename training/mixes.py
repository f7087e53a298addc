"""Shards of mixes with what the teachers say of them, made by worker processes ahead of the training."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec.models.builtin import FRONT_END
from training.corpus import Corpus, open_corpus
from training.mixing import LENGTH, Mixer, even

#: Mixes of a shard.
SHARD = 512
#: Mixes that are made at once.
BLOCK = 32


@dataclass(frozen=True)
class Lessons:
    """Spectrograms and targets of n mixes, as float16.

    Attributes
    ----------
    mel : array, shape (n, frames, n_mels)
    steps : array, shape (n, n_steps, 384)
    yamnet : array, shape (n, 1024)
    """

    mel: NDArray[np.float16]
    steps: NDArray[np.float16]
    yamnet: NDArray[np.float16]

    @staticmethod
    def read(file: Path) -> Lessons:
        """Read a shard."""
        with np.load(file) as arrays:
            return Lessons(arrays["mel"], arrays["steps"], arrays["yamnet"])

    def write(self, file: Path) -> None:
        """Write a shard, which is either there and whole or not there."""
        partial = file.with_suffix(".partial")
        with partial.open("wb") as out:
            np.savez(out, mel=self.mel, steps=self.steps, yamnet=self.yamnet)
        partial.replace(file)

    @staticmethod
    def join(parts: list[Lessons]) -> Lessons:
        """Several as one."""
        return Lessons(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("mel", "steps", "yamnet"))
        )


def shard_file(work: Path, seed: int, number: int) -> Path:
    """Where a shard lies."""
    return work / "mixes" / str(seed) / f"{number:05d}.npz"


def wait(file: Path) -> Lessons:
    """Read a shard as soon as it is there.

    Raises
    ------
    RuntimeError
        If it is not there, and no process is left that could make it.
    """
    while not file.exists():
        if not multiprocessing.active_children() and not file.exists():
            raise RuntimeError(
                f"{file} is missing, and the processes that make mixes have ended; their errors are above"
            )
        time.sleep(0.5)
    return Lessons.read(file)


def start_workers(data: Path, work: Path, seed: int, shards: int, workers: int) -> list[multiprocessing.Process]:
    """Begin to make the shards that are not there yet, in order, by processes of low priority that end with this one."""
    shard_file(work, seed, 0).parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_work, args=(data, work, seed, range(first, shards, workers)), daemon=True)
        for first in range(workers)
    ]
    for process in processes:
        process.start()
    return processes


def _work(data: Path, work: Path, seed: int, numbers: range) -> None:
    from training.teachers import Teachers

    if hasattr(os, "nice"):
        os.nice(15)
    missing = [number for number in numbers if not shard_file(work, seed, number).exists()]
    if not missing:
        return
    mixer, teachers = Mixer(open_corpus(data, work)), Teachers(data, LENGTH)
    for number in missing:
        rng, parts = np.random.default_rng([seed, number]), []
        while len(parts) < SHARD // BLOCK:
            if not (parent := multiprocessing.parent_process()) or not parent.is_alive():
                return  # killed, it could not end this process itself
            parts.append(_taught(teachers, np.stack([mixer.mix(rng) for _ in range(BLOCK)])))
        Lessons.join(parts).write(shard_file(work, seed, number))


def held_out(data: Path, work: Path, corpus: Corpus, most: int) -> Lessons:
    """The held-out recordings as they are, cut or padded with silence to the length of a mix: no augmentation."""
    from training.teachers import Teachers

    file = work / "held_out.npz"
    if not file.exists():
        clips = corpus.part(held_out=True)
        clips = clips[:: max(1, len(clips) // most)]
        sounds = [np.pad(sound := corpus.read(clip, 0, LENGTH), (0, LENGTH - len(sound))) for clip in clips]
        teachers = Teachers(data, LENGTH)
        rows = [even(sound) for sound in sounds]
        parts = [_taught(teachers, np.stack(rows[i : i + BLOCK])) for i in range(0, len(rows), BLOCK)]
        Lessons.join(parts).write(file)
    return Lessons.read(file)


def _taught(teachers: object, mixes: NDArray[np.float32]) -> Lessons:
    lesson = teachers.teach(mixes)  # type: ignore[attr-defined]
    return Lessons(*(array.astype(np.float16) for array in (FRONT_END(mixes), lesson.steps, lesson.yamnet)))
