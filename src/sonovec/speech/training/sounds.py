"""The sound of utterances, decoded once for a whole run."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.stream import open_mono
from sonovec.errors import AudioError
from sonovec.jobs import Job, Progress
from sonovec.paths import display, from_text
from sonovec.speech.corpus import Utterance


class Sounds:
    """Samples of utterances, mono at one rate, in a temporary file of their own.

    Parameters
    ----------
    utterances : sequence of Utterance
    rate : int
        In Hz.
    folder : Path
        Where the temporary file lies; it is gone when the sounds are closed.
    job : Job

    Attributes
    ----------
    lengths : array, shape (n,)
        Samples of each; 0 where it cannot be read.
    unreadable : list of str
        Names of those, with the reason.
    digest : str
        Of all samples.
    """

    def __init__(self, utterances: Sequence[Utterance], rate: int, folder: Path, job: Job) -> None:
        self.rate, self.unreadable = rate, list[str]()
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it is closed with the sounds
        try:
            self.lengths = self._decode(utterances, job)
        except BaseException:
            self._file.close()
            raise
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]]).astype(np.int64)
        self._samples = np.memmap(self._file, np.float32, mode="r") if self.lengths.sum() else np.empty(0, np.float32)

    def _decode(self, utterances: Sequence[Utterance], job: Job) -> NDArray[np.int64]:
        digest, lengths, heard = hashlib.blake2b(digest_size=16), [], 0.0
        for number, each in enumerate(utterances):
            job.report(Progress("decoding", number, len(utterances), "utterances", heard, each.path))
            try:
                with open_mono(from_text(each.path), self.rate, each.start, each.end) as stream:
                    samples = np.concatenate([np.empty(0, np.float32), *stream])
            except AudioError as error:
                self.unreadable.append(str(error))
                samples = np.empty(0, np.float32)
            if samples.size and not np.isfinite(samples).all():
                self.unreadable.append(f"{display(from_text(each.path))}: holds numbers that are not finite")
                samples = np.empty(0, np.float32)
            self._file.write(samples.tobytes())
            digest.update(samples.tobytes())
            lengths.append(len(samples))
            heard += len(samples) / self.rate
        self._file.flush()
        self.digest = digest.hexdigest()
        return np.array(lengths, np.int64)

    def __getitem__(self, number: int) -> NDArray[np.float32]:
        """The samples of an utterance, (n,)."""
        start = self._starts[number]
        return np.array(self._samples[start : start + self.lengths[number]])

    def close(self) -> None:
        """Let go of the file."""
        self._samples = np.empty(0, np.float32)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
