"""Fill a compressed space with what it lacks of its source."""

from __future__ import annotations

from dataclasses import dataclass

from sonovec.jobs import Job, Progress
from sonovec.library.backend import BATCH
from sonovec.library.batches import batches
from sonovec.library.store import Store
from sonovec.library.tables import vectors_of


@dataclass(frozen=True)
class CompressedReport:
    """How many tracks were compressed, and how many were `present` already."""

    compressed: int
    present: int


def fill(store: Store, name: str, job: Job) -> CompressedReport:
    """Compress what the source holds and the space lacks, a batch at a time; then build indices where they are worth it."""
    space = store.space(name)
    source = store.table(vectors_of(store.space(str(space.source))))
    total = source.count()
    compressed = present = 0
    for ids in batches(source.ids(None), BATCH):
        job.report(Progress("compressing", compressed + present, total, "tracks"))
        held = store.holds(ids, name)
        store.compress([id for id in ids if id not in held], name)
        compressed, present = compressed + len(ids) - len(held), present + len(held)
    store.optimize(
        lambda table: job.report(Progress("bringing indices up to date", total, total, "tracks", note=table))
    )
    return CompressedReport(compressed, present)
