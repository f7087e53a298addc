"""The jobs of a library in its ledger: what runs and how far it is, what ran and how it ended, also by a kill."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from sonovec.errors import LibraryError
from sonovec.jobs import Job, Pace, Progress, State, outcome, reason

if TYPE_CHECKING:
    from sonovec.library.ledger import Ledger

#: Seconds between two notes in the ledger of how far a job is; each costs a sync of the disk.
NOTE_SECONDS = 1.0
#: Why a job failed that is said to be running by nobody.
ENDED = "its process ended before it did"


@dataclass(frozen=True)
class Process:
    """A process, told from others that had its number before."""

    host: str
    pid: int
    started: float

    def is_gone(self) -> bool:
        """Whether it has ended for sure: of another host nothing is known."""
        import psutil

        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            another = abs(process.create_time() - self.started) > 1
            return bool(another or process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False


@dataclass(frozen=True)
class JobRecord:
    """A job as the ledger has it.

    Attributes
    ----------
    id : int
        Later jobs have higher ones.
    kind : str
        ``"index"``, ``"space"``, ``"drop-space"``, ``"move-root"``, ``"rename-root"``, ``"repair"``,
        ``"analyse"``, ``"fill"`` or ``"write-tags"``, and others.
    state : {"queued", "running", "done", "failed", "cancelled"}
    started : float
        Seconds since 1970.
    ended : float or None
        The same; None for one that is running, or whose process was killed before anybody else ran a job.
    progress : Progress
        The last that was written, about once a second.
    error : str or None
        Why it failed or was cancelled.
    process : Process
        Where it ran.
    """

    id: int
    kind: str
    state: State
    started: float
    ended: float | None
    progress: Progress
    error: str | None
    process: Process

    @property
    def settled(self) -> JobRecord:
        """The same, failed where it is said to be running and its process is gone."""
        if self.state in ("queued", "running") and self.process.is_gone():
            return replace(self, state="failed", error=ENDED)
        return self


@contextmanager
def recorded(ledger: Ledger, kind: str, job: Job) -> Iterator[None]:
    """Keep a job in the ledger while the block runs, and how it ended; the caller holds the library's lock."""
    number = ledger.begin_job(kind, this_process())
    pace, stage = Pace(NOTE_SECONDS), ""

    def note(progress: Progress) -> None:
        nonlocal stage
        if pace.due() or progress.stage != stage:
            stage = progress.stage
            ledger.note_job(number, progress)

    try:
        with job.followed(note):
            yield
    except BaseException as error:
        with suppress(LibraryError):  # the first error is the one to know of
            ledger.end_job(number, outcome(error), job.progress, reason(error))
        raise
    ledger.end_job(number, "done", job.progress, None)


def this_process() -> Process:
    """The process that runs this."""
    return _process(os.getpid())


@cache
def _process(pid: int) -> Process:
    import psutil

    return Process(socket.gethostname(), pid, psutil.Process(pid).create_time())
