"""Where the program ``sonovec`` starts: what must hold before anything that takes time is imported."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line; while it is imported, Ctrl-C ends the process at once and quietly."""
    _open_standard_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, as under nohup
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sonovec.cli.main import main as run

    run()


def _open_standard_streams() -> None:
    """Let closed standard streams lead nowhere; else the next file that is opened would take the place of one."""
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= 2:
        opened = os.dup(opened)
    os.close(opened)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - it stays open
