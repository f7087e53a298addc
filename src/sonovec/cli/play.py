"""Plays a stretch of a sound through the player of the system."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from sonovec.errors import UsageError

#: Seconds that a player is given to end when it is told to.
PATIENCE = 2.0


def _powershell(file: str) -> list[str]:
    quoted = file.replace("'", "''")
    return ["-NoProfile", "-Command", f"(New-Object Media.SoundPlayer '{quoted}').PlaySync()"]


#: Programs that play a WAV file and then end, with their arguments; the first that is there is taken.
PLAYERS: Mapping[str, Callable[[str], list[str]]] = {
    "afplay": lambda file: [file],
    "paplay": lambda file: [file],
    "aplay": lambda file: ["-q", file],
    "ffplay": lambda file: ["-nodisp", "-autoexit", "-loglevel", "error", file],
    "powershell": _powershell,
}


class Player:
    """Plays one stretch at a time, in a process of its own, while the caller goes on.

    The stretch is decoded by sonovec and written to a temporary WAV file, so that every player plays every format.

    Raises
    ------
    UsageError
        The system has none of `PLAYERS`.
    """

    def __init__(self) -> None:
        found = next((name for name in PLAYERS if shutil.which(name)), None)
        if found is None:
            raise UsageError(
                f"--play: no player is installed; install one of {', '.join(PLAYERS)} (ffplay is a part of FFmpeg), or "
                "leave --play out"
            )
        self.name = found
        self._folder = tempfile.TemporaryDirectory(prefix="sonovec-play-")
        self._process: subprocess.Popen[bytes] | None = None

    def play(self, path: Path, start: float, end: float) -> None:
        """Begin to play the seconds from `start` to `end` of a file, in place of what is played now.

        Raises
        ------
        AudioError
            The file cannot be decoded.
        UsageError
            The player cannot be started.
        """
        import soundfile

        from sonovec.audio.stream import load

        self.stop()
        waveform = load(path, None, start, end)
        file = Path(self._folder.name, "stretch.wav")
        soundfile.write(file, waveform.samples.clip(-1, 1), waveform.rate, subtype="PCM_16")
        command = [self.name, *PLAYERS[self.name](str(file))]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise UsageError(f"--play: {self.name} cannot be started ({error.strerror}); leave --play out") from error

    def stop(self) -> None:
        """End what is played now."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End what is played, and remove the temporary file."""
        self.stop()
        with suppress(OSError):
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
