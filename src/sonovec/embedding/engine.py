"""One engine embeds for many callers at once: its threads decode, and the network runs in batches filled across callers.

`sonovec.embedding.pipeline` is what its threads do, and `sonovec.embedding.results` what a loop over many sounds is given.
All that waits is bounded, but for single sounds: rows for the network, and the sources of an iterator that are begun and
not yet handed over.

What ends the caller's loop over many is an error of the caller's own iterator, or one that the network raises on purpose: no
other source would fare better.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterable, Sized
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self, TypeVar

from sonovec.embedding.embedding import Embedding
from sonovec.embedding.gather import Heard, Whole
from sonovec.embedding.pipeline import RUNNING, THREADS, Pipeline, Task
from sonovec.embedding.results import FEEDS, Feed, Results, SinkOf, Watch
from sonovec.embedding.source import Source, check_many, check_range, source_of
from sonovec.jobs import Job, Progress, Watched, job_of, running
from sonovec.runtime.network import settle_jobs

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.embedding.source import Sound

#: Seconds that the end of the program waits for an iterator of the caller's that gives nothing.
PATIENCE = 1.0

#: What is told of sounds that are embedded.
STAGE, UNIT = "embedding", "sounds"

T = TypeVar("T")


class Engine:
    """Embeds for many callers at once through one network, in batches that are filled across callers.

    Every encoder has one, `Encoder.engine`, and `Encoder.embed`, `Encoder.embed_many` and `Encoder.submit` are its
    methods; one of your own has a number of threads of its own. It may be used from any thread. In a forked child it
    begins anew: what was submitted before fails there with a `UsageError`.

    Parameters
    ----------
    encoder : Encoder
    jobs : int, optional
        Threads that decode, and calls of the network at once; without it the encoder's.

    Raises
    ------
    UsageError
        If `jobs` is not a positive whole number.

    Examples
    --------
    >>> import numpy as np
    >>> import sonovec
    >>> noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32) / 10
    >>> with Engine(sonovec.load("default"), jobs=2) as engine:
    ...     futures = [engine.submit((noise, 16000)) for _ in range(20)]
    ...     {future.result().vector.shape for future in futures}
    {(512,)}
    """

    def __init__(self, encoder: Encoder, jobs: int | None = None) -> None:
        self.jobs = encoder.jobs if jobs is None else settle_jobs(jobs)
        self._pipeline = Pipeline(encoder, self.jobs)

    def submit(self, sound: Sound, start: float = 0.0, end: float | None = None) -> Future[Embedding]:
        """Begin to embed one sound, or the seconds `start` to `end` of it, and return at once.

        Parameters and errors are those of `Encoder.embed`; the errors are raised by the future's `result`, but for a
        range that is none, and an engine that is closed. ``await asyncio.wrap_future(engine.submit(...))`` waits for it
        in a coroutine. ``cancel`` of the future ends what has not begun.
        """
        return self._begin(source_of(sound, start, end)).future

    def embed(
        self, sound: Sound, start: float = 0.0, end: float | None = None, *, progress: Watched = None
    ) -> Embedding:
        """Embed one sound; see `Encoder.embed`."""
        source = source_of(sound, start, end)
        with running(progress) as run:
            task = self._begin(source)
            try:
                found = run.wait_for(task.future, lambda: run.report(Progress(STAGE, 0, 1, UNIT, task.seconds)))
            except BaseException:
                self._pipeline.give_up([task])  # an interrupt comes at any moment
                raise
            run.report(Progress(STAGE, 1, 1, UNIT, task.seconds))
            return found

    def embed_many(
        self, sounds: Iterable[Sound], start: float = 0.0, end: float | None = None, *, progress: Watched = None
    ) -> Results[Embedding]:
        """Embed many sounds; see `Encoder.embed_many`."""
        check_many(sounds)
        check_range(start, end)
        sources = (source_of(sound, start, end) for sound in sounds)
        if progress is None:
            return self.run_many(sources, self._whole)
        job, total = job_of(progress), len(sounds) if isinstance(sounds, Sized) else None
        return self.run_many(
            sources, self._whole, lambda done, seconds: job.report(Progress(STAGE, done, total, UNIT, seconds)), job
        )

    def run_many(
        self, sources: Iterable[Source], sink_of: SinkOf[T], watch: Watch | None = None, job: Job | None = None
    ) -> Results[T]:
        """What sinks make of many sources, in their order; see `sonovec.embedding.gather`, and `Results` for the rest."""
        return Results(self, Feed(self._pipeline, sources, sink_of), watch, job)

    @property
    def heard(self) -> Heard:
        """What sinks have to know of the model."""
        return self._pipeline.heard

    def _begin(self, source: Source) -> Task[Embedding]:
        return self._pipeline.begin(source, self._whole(source), quick=True)

    def _whole(self, source: Source) -> Whole:
        return Whole(source, self._pipeline.heard)

    def is_of(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of the engine's."""
        return self._pipeline.has(thread)

    def close(self, *, cancel: bool = False) -> None:
        """Take no more sounds, wait for what was submitted, and end the threads; safe to call twice.

        Parameters
        ----------
        cancel : bool
            Give up what is not done: its futures are cancelled.
        """
        self._pipeline.close(cancel=cancel)
        self._pipeline.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.close(cancel=kind is not None)

    def __del__(self) -> None:
        if pipeline := getattr(self, "_pipeline", None):
            pipeline.close(cancel=False)


def _stop_running() -> None:
    """Before the interpreter ends: a thread that comes back from native code afterwards aborts the process."""
    feeds, pipelines = list(FEEDS), list(RUNNING)
    for feed in feeds:
        feed.end()
    for pipeline in pipelines:
        pipeline.close(cancel=True)
    for feed in feeds:
        feed.join(PATIENCE)
    # Not of these engines alone: the threads of one that was dropped a moment ago may be freeing its network.
    for thread in list(THREADS):
        thread.join()


atexit.register(_stop_running)
