"""What the tutorials type into a shell."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

#: The terminal is so many characters wide and high; a dumb one is 80 wide where only one of the two is given.
COLUMNS, LINES = 96, 40
#: What the folder that a tutorial runs in is called in what it prints.
HOME = "/home/ada/data"


def sh(command: str, expect: int = 0) -> None:
    """Run a command as on a terminal, and print it with what it prints; fail if it ends with another exit code."""
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": str(LINES), "NO_COLOR": "1", "TERM": "dumb"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    reader, writer = pty.openpty()
    errors = Path.cwd() / ".errors"
    with errors.open("wb") as told:  # no terminal: a progress bar would be drawn there
        process = subprocess.Popen(
            command, shell=True, stdout=writer, stderr=told, stdin=subprocess.DEVNULL, env=environment
        )
    os.close(writer)
    output = _read(reader)
    code = process.wait()
    text = errors.read_text("utf-8") + output.replace("\r\n", "\n")
    errors.unlink()
    print(f"$ {command}\n{tidy(text)}".rstrip("\n"))
    if code:
        print(f"(exit code {code})")
    if code != expect:
        raise SystemExit(f"{command}: exit code {code}, not {expect}")


def tidy(text: str) -> str:
    """A text without the name of the folder, and without spaces at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.replace(str(Path.cwd()), HOME).split("\n"))


def _read(reader: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(reader, 1 << 16)
        except OSError:  # how Linux says that the other side is closed
            part = b""
        if not part:
            os.close(reader)
            return b"".join(parts).decode("utf-8")
        parts.append(part)
