"""``sonovec doctor --recall``: how much a library's index misses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sonovec import __version__
from sonovec.cli.log import watched
from sonovec.cli.output import print_json, print_table, warn
from sonovec.cli.tables import Column
from sonovec.paths import to_text

if TYPE_CHECKING:
    from sonovec.evaluation.metrics import Score
    from sonovec.explore.live_recall import LiveRecall, Recalled


def show(library: str, token: str | None, space: str, queries: int, k: int, as_json: bool) -> int:
    """Measure, print, and return the exit code: 1 where recall is low."""
    from sonovec.explore.live_recall import LOW, recall
    from sonovec.library.library import Library

    with Library(library, token=token) as opened, watched() as bar:
        found = recall(opened, space=space, queries=queries, k=k, progress=bar)
    if as_json:
        print_json({"version": __version__, "library": to_text(library), **found.to_json()})
    else:
        _print(found, k)
    return 1 if found.lowest < LOW else 0


def _print(found: LiveRecall, k: int) -> None:
    columns = [
        Column("search"),
        Column("filter"),
        Column("queries", spare=3),
        Column("recall@1", spare=1),
        Column(f"recall@{k}"),
        Column("ms", spare=2),
        Column("exact ms", spare=2),
    ]
    print_table(columns, [_row(row) for row in found.rows], _title(found))
    for line in found.advice:
        warn(line)


def _title(found: LiveRecall) -> str:
    parts = [
        f"{vectors} vectors of {level}s, "
        + ("no index: every one is compared" if known is None else f"{known} in the index")
        for level, (vectors, known) in found.vectors.items()
    ]
    return f"space {found.space}: " + "; ".join(parts)


def _row(row: Recalled) -> list[object]:
    share = "none" if row.selectivity is None else f"{row.selectivity:.1%} of the tracks"
    times = f"{row.milliseconds:.1f}", f"{row.exact_milliseconds:.1f}"
    return [f"{row.level}s", share, row.at_k.n, _score(row.at_1), _score(row.at_k), *times]


def _score(score: Score) -> str:
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"
