"""Decoding in a process of its own, where a crash or a hang of a decoder is the failure of one file.

A few child processes are kept for the files to come. One that crashes, hangs or is not read to the end is ended, and the
next file gets a new one. They end with the process that they belong to.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sonovec import errors
from sonovec.audio.decode import BLOCK, AudioInfo
from sonovec.audio.limits import seconds_for, too_slow
from sonovec.audio.tags.read import Tags, no_tags
from sonovec.errors import AudioError
from sonovec.log import LOGGER
from sonovec.paths import display

#: A message is its kind, its length and its content.
HEADER = struct.Struct("<cQ")
INFO, SAMPLES, END, ERROR = b"I", b"S", b"E", b"F"
#: Signals that end a child that took more than it may.
_LIMITS = {getattr(signal, name, None) for name in ("SIGXCPU", "SIGKILL")}

_idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()


class _Task:
    """One file in the hands of a child process."""

    def __init__(self, path: str | bytes | os.PathLike[str], **request: Any) -> None:
        self._name = display(path)
        self._size = os.path.getsize(path) if os.path.isfile(path) else 0  # noqa: PTH113, PTH202 - bytes are paths too
        self._child: _Child | None = _take()
        self._ended = False
        self._send({"path": os.fsencode(path).hex(), "folder": _folder().hex(), "size": self._size, **request})

    def close(self) -> None:
        """Let go of the child; safe to call twice."""
        child, self._child = self._child, None
        if child is None:
            return
        if self._ended:
            _idle.put(child)
        else:  # it is in the middle of something
            child.end()

    def _send(self, request: dict[str, Any]) -> None:
        assert self._child is not None
        try:
            self._child.send(request)
        except OSError:
            self._crashed()

    def _receive(self) -> tuple[bytes, bytes]:
        assert self._child is not None
        message = self._child.receive(seconds_for(self._size))
        if message is None:
            self._crashed()
        kind, content = message
        if kind == ERROR:
            self._ended = True
            self.close()
            failure = json.loads(content)
            error = getattr(errors, failure["kind"])(failure["message"])
            for note in failure["notes"]:  # the traceback of a bug
                LOGGER.error("%s\n%s", error, note)
                error.add_note(note)
            raise error
        return kind, content

    def _crashed(self) -> NoReturn:
        assert self._child is not None
        code = self._child.end()
        self._child = None
        if -code in _LIMITS:
            raise too_slow(self._name, self._size)
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        raise AudioError(f"{self._name}: its decoder crashed ({how}), as damaged files can make it; leave it out")


class IsolatedReader(_Task):
    """Reads a file as `sonovec.audio.decode.AudioReader` does, in a child process; made by `open_isolated`."""

    def __init__(self, path: str | bytes | os.PathLike[str], start: float, end: float | None) -> None:
        super().__init__(path, start=start, end=end)
        self.notes: list[str] = []
        self.position = 0
        _, content = self._receive()
        self.info = AudioInfo(**json.loads(content))

    def blocks(self, frames: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Give what is left of the sound, block by block, float32 ``(n, channels)``."""
        if self._ended:
            return
        self._send({"frames": frames})
        while (message := self._receive())[0] == SAMPLES:
            block = np.frombuffer(message[1], np.float32).reshape(-1, self.info.channels)
            self.position += len(block)
            yield block
        self.notes = json.loads(message[1])
        self._ended = True


def read_isolated_tags(path: str | bytes | os.PathLike[str]) -> Tags:
    """Read tags as `sonovec.audio.tags.read.read_tags` does, in a child process; a crash of it is their note."""
    try:
        task = _Task(path, tags=True)
        _, content = task._receive()
    except AudioError as error:
        return no_tags(str(error))
    task._ended = True
    task.close()
    tags: Tags = json.loads(content)
    return tags


def open_isolated(path: str | bytes | os.PathLike[str], start: float = 0.0, end: float | None = None) -> IsolatedReader:
    """Open a file as `sonovec.audio.decode.open_audio` does, in a child process.

    Raises
    ------
    AudioError
        Also where the decoder crashes, hangs, or takes more time or memory than a file of that size may.

    Examples
    --------
    >>> import tempfile, pathlib, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.zeros((24000, 2)), 16000)
    >>> reader = open_isolated(path, start=0.5)
    >>> [block.shape for block in reader.blocks(10000)], reader.info.codec
    ([(10000, 2), (6000, 2)], 'PCM_16')
    >>> reader.close()
    """
    return IsolatedReader(path, start, end)


class _Child:
    """A process that decodes one file after another; see `sonovec.audio.child`."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        # What this process would import is what the child imports, wherever it was started.
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sonovec.audio.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def receive(self, seconds: float) -> tuple[bytes, bytes] | None:
        """Give the next message, or None where none came within the time, or the process is gone."""
        assert self._process.stdout is not None
        watch = threading.Timer(seconds, self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            header = self._process.stdout.read(HEADER.size)
            if len(header) < HEADER.size:
                return None
            kind, length = HEADER.unpack(header)
            content = self._process.stdout.read(length)
            return (kind, content) if len(content) == length else None
        finally:
            watch.cancel()

    def end(self) -> int:
        """End the process, and give its exit code: that which it ended with by itself, if it did."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not sent yet finds nobody to take it
                    stream.close()
        try:
            return self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _folder() -> bytes:
    try:
        return os.fsencode(Path.cwd())
    except OSError:  # it was removed; only paths from the root lead anywhere
        return os.sep.encode()


def _take() -> _Child:
    while True:
        try:
            child = _idle.get_nowait()
        except queue.Empty:
            return _Child()
        if child.owner != os.getpid():  # those of a process that was forked talk to its parent
            continue
        if child.alive():  # one that was killed while it had nothing to do is no fault of the next file
            return child
        child.end()


@atexit.register
def _end_all() -> None:
    while not _idle.empty():
        child = _idle.get_nowait()
        if child.owner == os.getpid():
            child.end()
