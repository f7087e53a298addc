"""A folder of transcripts, one for each sound: a run that was ended goes on, and another one writes only what is missing.

Beside the transcripts, a record says of which content, by which model and with which settings each was written. Its line is
added when the transcript is whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sonovec.cli.stretch_files import numbered
from sonovec.cli.tag_files import below
from sonovec.errors import UsageError
from sonovec.models.weights import sha256_of
from sonovec.paths import display
from sonovec.speech.transcript import Transcript
from sonovec.speech.writing import write

RECORD, HEARD = ".sonovec-transcripts.jsonl", ".sonovec-heard.jsonl"


class TranscriptFolder:
    """Where the transcripts of some sounds are written.

    Parameters
    ----------
    folder : Path
    format : str
        See `sonovec.speech.writing.FORMATS`.
    sounds, roots : sequence of Path
        The sounds, and the folders that they were found in: they lie here as they lie there.
    settings : str
        All that shapes a transcript beside the content of the sound.
    """

    def __init__(self, folder: Path, format: str, sounds: Sequence[Path], roots: Sequence[Path], settings: str) -> None:
        self._folder, self._format, self._settings = folder, format, settings
        names = numbered([str(below(sound, roots)) for sound in sounds])
        self._names = {sound: f"{name}.{format}" for sound, name in zip(sounds, names, strict=True)}
        self._written = self._read()

    @property
    def heard(self) -> Path:
        """Where what is heard of sounds is kept until the run is complete."""
        return self._folder / HEARD

    def target(self, sound: Path) -> Path:
        """The file of a sound's transcript."""
        return self._folder / self._names[sound]

    def has(self, sound: Path) -> bool:
        """Whether the transcript is there, of the content that the sound has now and with these settings."""
        try:
            return self.target(sound).is_file() and self._written.get(self._names[sound]) == self._key(sound)
        except OSError:
            return False

    def write(self, sound: Path, transcript: Transcript) -> None:
        """Write the transcript of a sound.

        Raises
        ------
        UsageError
            The system refused to write.
        """
        key = self._key(sound)
        target = self.target(sound)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write(target, transcript, self._format)
            with (self._folder / RECORD).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"file": self._names[sound], "of": key}) + "\n")
        except OSError as error:
            raise UsageError(f"{display(target)}: cannot be written ({error.strerror}); give another folder") from error

    def _key(self, sound: Path) -> str:
        return f"{sha256_of(sound)} {self._settings}"

    def _read(self) -> dict[str, str]:
        """What each file was written of; a line that was not written to its end does not count."""
        try:
            lines = (self._folder / RECORD).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return {}
        written: dict[str, str] = {}
        for line in lines:
            try:
                row = json.loads(line)
                written[row["file"]] = row["of"]
            except (ValueError, KeyError, TypeError):
                continue
        return written
