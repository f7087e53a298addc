"""What was heard in a long run, kept while it goes on: a run that was killed hears no stretch a second time.

A sound is decoded and cut again, which takes a small part of the time; a stretch with the same samples has the same text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.paths import display
from sonovec.speech.recogniser import Recogniser
from sonovec.speech.transcript import Segment, Word


class Remembering:
    """A recogniser that writes down what it heard, and does not hear it again; made by `remembering`."""

    def __init__(self, recogniser: Recogniser, file: IO[str]) -> None:
        self._recogniser, self._file = recogniser, file
        self.name, self.version = recogniser.name, recogniser.version
        self.longest, self.languages = recogniser.longest, recogniser.languages
        self._heard = dict(_read(file))

    def hear(self, stretches: Sequence[NDArray[np.float32]], language: str | None = None) -> list[list[Segment]]:
        """As of the recogniser."""
        keys = [self._key(stretch, language) for stretch in stretches]
        new = {key: stretch for key, stretch in zip(keys, stretches, strict=True) if key not in self._heard}
        for key, segments in zip(new, self._recogniser.hear(list(new.values()), language) if new else [], strict=True):
            self._heard[key] = segments
            self._keep(json.dumps([key, [asdict(segment) for segment in segments]]) + "\n")
        return [self._heard[key] for key in keys]

    def _keep(self, line: str) -> None:
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise _refused(Path(self._file.name), error) from error

    def _key(self, stretch: NDArray[np.float32], language: str | None) -> str:
        digest = hashlib.blake2b(np.ascontiguousarray(stretch, "<f4").tobytes(), digest_size=16)
        digest.update(f"{self.version} {language}".encode())
        return digest.hexdigest()


def _read(file: IO[str]) -> Iterator[tuple[str, list[Segment]]]:
    """What was heard before; a line that was not written to its end does not count, and nothing is written behind it."""
    file.seek(0)
    whole = 0
    while line := file.readline():
        try:
            key, segments = json.loads(line)
            yield (
                key,
                [Segment(**{**each, "words": tuple(Word(**word) for word in each["words"])}) for each in segments],
            )
        except (ValueError, TypeError, KeyError):
            break
        whole = file.tell()
    file.seek(whole)
    file.truncate()


@contextmanager
def remembering(recogniser: Recogniser, path: Path) -> Iterator[Remembering]:
    """Keep what is heard in a file until the run is complete; then the file goes.

    Raises
    ------
    UsageError
        The system refused to write.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8", newline="\n")
    except OSError as error:
        raise _refused(path, error) from error
    with file:
        yield Remembering(recogniser, file)
    path.unlink()


def _refused(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{display(path)}: cannot be written ({error.strerror}); free some space, or give another place")
