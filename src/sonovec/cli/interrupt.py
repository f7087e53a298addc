"""Ctrl-C ends the process, whatever it does at that moment.

Python raises `KeyboardInterrupt` in the main thread, and that can fail in two ways. Code between, such as a callback out of a
native library, can swallow it; then it is raised again. A native call can take long, and Python's handler waits for its end;
then a thread hears the second Ctrl-C, and ends the process.
"""

from __future__ import annotations

import _thread
import os
import signal
import socket
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

#: The exit code, as of a shell: 128 and the number of the signal.
CODE = 128 + signal.SIGINT
#: Seconds after which the user is told that a second Ctrl-C ends the process at once.
PATIENCE = 2.0
_SWALLOWED = b"\0"


class Interrupt(KeyboardInterrupt):
    """One that can be watched: it is known when nobody holds it any more."""


class _Watch:
    """Raises an `Interrupt` for each Ctrl-C, and hears from a thread of its own what became of it."""

    def __init__(self) -> None:
        self.ended = False
        self._hears, self._tells = socket.socketpair()
        self._tells.setblocking(False)
        self.raised: weakref.ref[Interrupt] | None = None
        threading.Thread(target=self._listen, name="sonovec-interrupt", daemon=True).start()

    def fileno(self) -> int:
        """Where Python writes the number of each signal as it comes."""
        return self._tells.fileno()

    def close(self) -> None:
        """End the thread."""
        self.ended = True
        self._tells.close()

    def raise_it(self, signum: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        error = Interrupt()
        self.raised = weakref.ref(error, self._is_gone)
        raise error

    def _is_gone(self, raised: weakref.ref[Interrupt]) -> None:
        if not self.ended and raised is self.raised:
            self._tells.send(_SWALLOWED)

    def _listen(self) -> None:
        presses = own = 0
        told = False
        while True:
            self._hears.settimeout(PATIENCE if presses and not told else None)
            try:
                heard = self._hears.recv(1)
            except TimeoutError:
                told = True
                if not self.ended:
                    click.echo("sonovec: ending; press Ctrl-C again to end at once", err=True)
                continue
            if not heard:
                self._hears.close()
                return
            if heard == _SWALLOWED:
                own += 1
                _thread.interrupt_main()
            elif heard[0] == signal.SIGINT and own:
                own -= 1
            elif heard[0] == signal.SIGINT:
                presses += 1
                if presses > 1:
                    _end_at_once()


def _end_at_once() -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # a bar hides the cursor
    os._exit(CODE)


#: That of the command that runs.
_watch: _Watch | None = None


@contextmanager
def heard() -> Iterator[None]:
    """Let Ctrl-C end what the block does; where it is ignored, as under nohup, it stays ignored."""
    global _watch
    former = signal.getsignal(signal.SIGINT)
    if former in (signal.SIG_IGN, None) or threading.current_thread() is not threading.main_thread():
        yield
        return
    _watch = _Watch()
    hook = sys.unraisablehook
    sys.unraisablehook = lambda told: None if isinstance(told.exc_value, Interrupt) else hook(told)
    signal.signal(signal.SIGINT, _watch.raise_it)
    fd = signal.set_wakeup_fd(_watch.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(fd)
        signal.signal(signal.SIGINT, former)
        sys.unraisablehook = hook
        _watch.close()
        _watch = None


def came() -> bool:
    """Whether Ctrl-C has ended the command; from here on it is not raised again where it is swallowed."""
    if _watch is None or not _watch.raised:
        return False
    _watch.ended = True
    return True
