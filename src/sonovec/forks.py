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
from typing import Protocol, runtime_checkable


class Inherited(Protocol):
    """Something that a child cannot use as it is."""

    def after_fork(self) -> None:
        """Make it usable in the child, or make its use an error."""


@runtime_checkable
class Prepared(Inherited, Protocol):
    """Something that also has to do with the parent."""

    def before_fork(self) -> None:
        """Called in the parent, while no native code of `unforked` runs."""

    def after_fork_in_parent(self) -> None:
        """Undo what `before_fork` did."""


def watch(thing: Inherited) -> None:
    """Call `thing.after_fork` in every child that is forked while it lives, and what else it has around the fork."""
    _WATCHED.add(thing)


def abandon(thing: object) -> None:
    """Never free something, not even when the interpreter ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


class _Gate:
    """Native code on one side, forks on the other: whichever comes waits for the other to leave."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._forking = 0

    def enter(self) -> None:
        """Begin native code; a fork that waits comes first, or it might wait for ever."""
        with self._changed:
            self._changed.wait_for(lambda: not self._forking)
            self._inside += 1

    def leave(self) -> None:
        """End native code."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Before a fork: wait until nobody is inside, and keep the lock, so that nobody comes in."""
        self._changed.acquire()
        self._forking += 1
        self._changed.wait_for(lambda: not self._inside)

    def open(self) -> None:
        """After a fork, in the parent."""
        self._forking -= 1
        self._changed.notify_all()
        self._changed.release()


@contextmanager
def unforked() -> Iterator[None]:
    """Let no other thread fork meanwhile: native code keeps locks of its own, which would stay held in the child."""
    gate = _gate
    gate.enter()
    try:
        yield
    finally:
        gate.leave()


_WATCHED: weakref.WeakSet[Inherited] = weakref.WeakSet()
_gate = _Gate()


def _prepared() -> list[Prepared]:
    return [thing for thing in list(_WATCHED) if isinstance(thing, Prepared)]


def _before() -> None:
    _gate.close()
    for thing in _prepared():
        thing.before_fork()


def _in_parent() -> None:
    for thing in _prepared():
        thing.after_fork_in_parent()
    _gate.open()


def _in_child() -> None:
    global _gate
    _gate = _Gate()
    for thing in list(_WATCHED):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
