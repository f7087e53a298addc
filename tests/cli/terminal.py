"""Commands on a terminal of their own, into which an answer is typed if one is given."""

from __future__ import annotations

import os
import subprocess
import sys

_PROGRAM = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-m", "sonovec", *sys.argv[2:]])
if sys.argv[1]:
    os.write(terminal, sys.argv[1].encode() + b"\\n")
while True:
    try:
        said = os.read(terminal, 4096)
    except OSError:
        break
    if not said:
        break
    sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def on_terminal(*arguments: object, answer: str = "", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """The command's exit code, and what the terminal was sent."""
    command = [sys.executable, "-c", _PROGRAM, answer, *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, check=False)
