"""BLAS computes with one thread as long as any sound is embedded, and as before when none is."""

from __future__ import annotations

import threading
from typing import Any

import threadpoolctl

from sonovec import forks


class _OneBlasThread:
    """The limit, counted: the first of several uses at once takes it, and the last gives it back.

    The threads of an engine are as many as there are cores; more of them inside a small matrix product only get in the
    way, and the last bits of a product depend on how many there are.
    """

    def __init__(self) -> None:
        self._former: list[tuple[Any, int]] | None = None  # the libraries, and how many threads they had
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        """In a child: those who use the limit stayed with the parent; it is given back after the next use."""
        self._lock = threading.RLock()  # a use may end where garbage is collected, in here too
        self._users: set[object] = set()

    def take(self, user: object) -> None:
        """Limit BLAS until `user` gives it back."""
        with self._lock:
            first = not self._users
            self._users.add(user)
            if first:
                with forks.unforked():
                    # Kept before it is changed, and until it is restored: an interrupt may come at any moment.
                    if self._former is None:
                        self._former = [(library, library.get_num_threads()) for library in _blas().lib_controllers]
                    _let_any_thread_set_limits()
                    for library, _ in self._former:
                        library.set_num_threads(1)

    def give_back(self, user: object) -> None:
        """Lift the limit if nobody else needs it; one who does not have it, in a child for example, may call as well."""
        with self._lock:
            if user not in self._users:
                return
            self._users.remove(user)
            if not self._users and self._former is not None:
                with forks.unforked():
                    _let_any_thread_set_limits()
                    for library, threads in self._former:
                        library.set_num_threads(threads)
                    self._former = None
                    _let_any_thread_set_limits()


def _blas() -> threadpoolctl.ThreadpoolController:
    """The libraries of BLAS that count their threads for the whole process.

    Those on OpenMP count for each thread, so that a limit of the caller's does nothing in the threads of an engine, and
    could not be lifted by another caller.
    """
    blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
    layers = {library.info().get("threading_layer") for library in blas.lib_controllers}
    return blas.select(threading_layer=list(layers - {"openmp"}))


def _let_any_thread_set_limits() -> None:
    """Since version 3.7 or so only the thread that was first can; the calls of others do nothing, without a word."""
    if clear := getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None):
        clear(force=True)


ONE_BLAS_THREAD = _OneBlasThread()
