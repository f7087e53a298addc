"""Jobs: how far a long call is, how it is ended early, and what became of it; the same for every long call.

What a long call takes as `progress` becomes its `Job`. The call reports to the job and asks it at every safe point whether
it should end; both happen in the thread of the call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from sonovec.errors import Cancelled, UsageError

#: Seconds between two looks at whether a job was cancelled, while something is waited for.
TICK = 0.1

State = Literal["queued", "running", "done", "failed", "cancelled"]

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    stage : str
        What is being done, such as ``"indexing"``.
    done : int
    total : int or None
        Of what `unit` counts; None where it is not known. It may grow while folders are still being looked through.
    unit : str
        Such as ``"files"`` or ``"bytes"``.
    audio_seconds : float
        Sound that was heard so far; it grows within long files too.
    note : str
        What else is worth a line, such as the name of a file.
    """

    stage: str
    done: int = 0
    total: int | None = None
    unit: str = ""
    audio_seconds: float = 0.0
    note: str = ""


Tell = Callable[[Progress], object]


class Job:
    """One long call: give it as `progress`, watch it, and cancel it, from any thread.

    Parameters
    ----------
    tell : callable or True, optional
        Called with each `Progress`, in the thread of the call; what it raises ends the call. True draws a bar, where
        somebody can see it: on a terminal, or in a notebook.

    Attributes
    ----------
    state : {"queued", "running", "done", "failed", "cancelled"}
    progress : Progress or None
        The latest report.
    error : str or None
        Why it failed or was cancelled.

    Examples
    --------
    >>> import numpy as np, sonovec
    >>> job = sonovec.Job(lambda progress: progress.done == 2 and job.cancel())
    >>> sounds = [(np.zeros(8000, np.float32), 16000)] * 5
    >>> try:
    ...     for result in sonovec.load("logmel").embed_many(sounds, progress=job):
    ...         pass
    ... except sonovec.Cancelled as error:
    ...     print(error)
    cancelled while embedding: 2 of 5 sounds were done
    >>> job.state, job.progress.done
    ('cancelled', 2)
    """

    def __init__(self, tell: Tell | Literal[True] | None = None) -> None:
        self._listeners: list[Tell] = []
        self._close: Callable[[], None] | None = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self.state: State = "queued"
        self.progress: Progress | None = None
        self.error: str | None = None
        #: Whether anybody wants to know how much there is to do: to count it may take time.
        self.counts = True
        if tell is True:
            from sonovec.bars import visible_bar

            bar = visible_bar()
            tell, self._close = bar, None if bar is None else bar.close
            self.counts = bar is not None
        if tell is not None:
            self._listeners.append(tell)

    def __repr__(self) -> str:
        return f"Job(state={self.state!r}, progress={self.progress!r})"

    def cancel(self) -> None:
        """Ask the call to end at its next safe point, where it raises `Cancelled`; what was complete by then stays."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise `Cancelled` if the job was cancelled."""
        if self._cancelled.is_set():
            raise Cancelled(_told(self.progress))

    def report(self, progress: Progress) -> None:
        """Tell who listens how far the job is, then `check`; for the thread of the call alone."""
        self.progress = progress
        token = _CURRENT.set(None)  # what a listener calls is no part of this job
        try:
            for tell in self._listeners:
                tell(progress)
        finally:
            _CURRENT.reset(token)
        self.check()

    def part(self, stage: str) -> Tell:
        """What to give as `progress` to a call that is a part of this job: its reports are this job's, of a stage."""
        return lambda progress: self.report(replace(progress, stage=stage))

    def wait_for(self, future: Future[T], tell: Callable[[], None]) -> T:
        """The result of a future; meanwhile `tell` is called again and again, to report."""
        while True:
            try:
                return future.result(TICK)
            except TimeoutError:
                if future.done():  # the error is its own
                    raise
            tell()

    @contextmanager
    def followed(self, tell: Tell) -> Iterator[None]:
        """Let another listen within the block."""
        self._listeners.append(tell)
        try:
            yield
        finally:
            self._listeners.remove(tell)

    def begin(self) -> None:
        """Note that the call begins.

        Raises
        ------
        UsageError
            The job was given to another call before.
        """
        with self._lock:
            if self.state != "queued":
                raise UsageError(
                    f"this job is {self.state} already; give each call one of its own: progress=sonovec.Job()"
                )
            self.state = "running"

    def end(self, error: BaseException | None) -> None:
        """Note that the call has ended, and with what error."""
        self.state = outcome(error)
        self.error = None if error is None else reason(error)
        if self._close is not None:
            self._close()


#: What long calls take as `progress`: nothing, True for a bar, a callable that is given each `Progress`, or a `Job`.
Watched = Job | Tell | bool | None

_CURRENT: ContextVar[Job | None] = ContextVar("sonovec_job", default=None)


def job_of(progress: Watched) -> Job:
    """The job of a call that was given `progress`.

    Raises
    ------
    UsageError
        It is none of what can be given.
    """
    if isinstance(progress, Job):
        return progress
    if progress is None or progress is False:
        job = Job()
        job.counts = False
        return job
    if progress is True or callable(progress):
        return Job(progress)
    raise UsageError(f"progress={progress!r}; give True for a bar, a callable that takes a Progress, or a sonovec.Job")


def current() -> Job:
    """The job of the long call that this is a part of, or else one that nobody watches.

    For what is called through code that knows no jobs, such as the `build` of a model's family, which fetches weights.
    """
    return _CURRENT.get() or job_of(None)


@contextmanager
def running(progress: Watched) -> Iterator[Job]:
    """The job of a call, while it runs."""
    job = job_of(progress)
    job.begin()
    token, error = _CURRENT.set(job), None
    try:
        job.check()
        yield job
    except BaseException as raised:
        error = raised
        raise
    finally:
        _CURRENT.reset(token)
        job.end(error)


def outcome(error: BaseException | None) -> State:
    """The state of a job that ended with an error, or with none; an interrupt, and a loop that was left, cancel it."""
    if error is None:
        return "done"
    return "cancelled" if isinstance(error, Cancelled | KeyboardInterrupt | GeneratorExit) else "failed"


def reason(error: BaseException) -> str:
    """What a job keeps of the error that it ended with: one line."""
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        return "interrupted"
    return " ".join(str(error).split()) or type(error).__name__


def _told(progress: Progress | None) -> str:
    if progress is None:
        return "cancelled before it began"
    of = "" if progress.total is None else f" of {progress.total}"
    return f"cancelled while {progress.stage}: {progress.done}{of} {progress.unit or 'steps'} were done"


class Pace:
    """Says when something that costs is due again, `seconds` after the last time.

    Examples
    --------
    >>> pace = Pace(60)
    >>> pace.due(), pace.due()
    (True, False)
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
