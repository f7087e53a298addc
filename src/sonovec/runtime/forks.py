"""What must be made anew in a child that was forked: locks that were held, and whatever had threads.

Only the thread that forks lives on in the child. Threads of what it inherits are gone, so that to wait for them, or to
free what waits for them, takes for ever.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Inherited(Protocol):
    """Something that a child cannot use as it is."""

    def after_fork(self) -> None:
        """Make it usable in the child, or make its use an error."""


def watch(thing: Inherited) -> None:
    """Call `thing.after_fork` in every child that is forked while it lives."""
    _WATCHED.add(thing)


def abandon(thing: object) -> None:
    """Never free something, not even when the interpreter ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


@contextmanager
def unforked() -> Iterator[None]:
    """Let no other thread fork meanwhile: native code keeps locks of its own, which would stay held in the child."""
    with _GATE:
        _inside.append(None)
    try:
        yield
    finally:
        with _GATE:
            _inside.pop()
            _GATE.notify_all()


_WATCHED: weakref.WeakSet[Inherited] = weakref.WeakSet()
_GATE = threading.Condition(threading.Lock())
_inside: list[None] = []


def _before() -> None:
    _GATE.acquire()
    _GATE.wait_for(lambda: not _inside)


def _in_parent() -> None:
    _GATE.release()


def _in_child() -> None:
    _GATE.release()  # held by the thread that forks, which is this one
    for thing in list(_WATCHED):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
