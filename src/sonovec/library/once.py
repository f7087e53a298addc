"""What is made when it is first needed, once, whichever threads need it at the same time."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any, Self, TypeVar, overload

from sonovec import forks

T = TypeVar("T")


class Opening:
    """Has a lock, under which `once` makes what the object needs; a forked child has another."""

    def __init__(self) -> None:
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        """In a child the lock may be held by a thread that stayed with the parent."""
        self.opening = threading.RLock()


class once(cached_property[T]):
    """A cached property of an `Opening`; Python's own has no lock from 3.12 on, and two threads would make two.

    Examples
    --------
    >>> class Place(Opening):
    ...     @once
    ...     def made(self):
    ...         return object()
    >>> place = Place()
    >>> place.made is place.made
    True
    """

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        with instance.opening:
            found = instance.__dict__.get(self.attrname)
            return super().__get__(instance, owner) if found is None else found
