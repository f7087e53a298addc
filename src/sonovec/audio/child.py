"""The child process of `sonovec.audio.isolate`: decodes files within limits, and hands on the samples."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from sonovec.audio.decode import open_audio
from sonovec.audio.isolate import END, ERROR, HEADER, INFO, SAMPLES
from sonovec.audio.limits import memory_for, seconds_for
from sonovec.audio.tags.read import read_tags
from sonovec.errors import AudioError, SonovecError
from sonovec.log import as_failure
from sonovec.paths import display


def main() -> None:
    """Serve requests, a line of JSON each, from the input stream until it ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while line := requests.readline():
        task = json.loads(line)
        path = bytes.fromhex(task["path"])
        _limit(task["size"])
        try:
            os.chdir(bytes.fromhex(task["folder"]))  # that of the parent now, from which the path leads
            if task.get("tags"):
                _answer(answers, INFO, _json(read_tags(os.fsdecode(path))))
            else:
                _decode(path, task, requests, answers)
        except MemoryError:
            size = task["size"]
            message = f"{display(path)}: its {size} bytes need more memory than any sound of that size; leave it out"
            _refuse(answers, AudioError(message))
        except Exception as error:  # noqa: BLE001 - it is this file's alone
            _refuse(answers, as_failure(display(path), error))


def _decode(path: bytes, task: dict[str, Any], requests: BinaryIO, answers: BinaryIO) -> None:
    with open_audio(path, task["start"], task["end"]) as audio:
        _answer(answers, INFO, _json(asdict(audio.info)))
        asked = json.loads(requests.readline() or "{}")
        if not asked:
            return
        for block in audio.blocks(asked["frames"]):
            _answer(answers, SAMPLES, block.tobytes())
        _answer(answers, END, _json(audio.notes))


def _refuse(answers: BinaryIO, error: SonovecError) -> None:
    notes = getattr(error, "__notes__", [])
    _answer(answers, ERROR, _json({"kind": type(error).__name__, "message": str(error), "notes": notes}))


def _answer(answers: BinaryIO, kind: bytes, content: bytes) -> None:
    answers.write(HEADER.pack(kind, len(content)))
    answers.write(content)
    answers.flush()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _limit(size: int) -> None:
    """Bound the time and the memory of what follows, where the system can."""
    try:
        import resource
    except ImportError:  # Windows, where the parent's watch has to do
        return
    used = os.times()
    _set(resource.RLIMIT_CPU, int(used.user + used.system + seconds_for(size)) + 1)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _set(resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + memory_for(size))


def _set(kind: int, value: int) -> None:
    import resource

    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    main()
