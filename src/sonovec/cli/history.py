"""``sonovec history``: what ran on a library, and what failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import print_json, print_table, shown_path, time_text
from sonovec.cli.tables import Column
from sonovec.errors import UsageError
from sonovec.paths import display, to_text

if TYPE_CHECKING:
    from sonovec.library.outcomes import Entry, Run


@click.command(short_help="What ran, and what failed.")
@add_options(library_options)
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the latest runs, so many.")
@click.option("--run", "number", type=int, metavar="N", help="What failed in run N, and why.")
@click.option("--failed", is_flag=True, help="All files that failed in the latest run that met them, and why.")
@json_option
def history(
    library: str, token: str | None, limit: int | None, number: int | None, failed: bool, as_json: bool
) -> None:
    """List the runs on a library from this machine, the latest first: when, what, and how many files had which outcome."""
    from sonovec.library.library import Library

    if failed and number is not None:
        raise UsageError("--run and --failed ask for different files; give one of them")
    with Library(library, token=token) as opened:
        runs = opened.history()
        entries = opened.outcomes("failed", number) if failed or number is not None else []
    if number is not None:
        run = next((each for each in runs if each.id == number), None)
        if run is None:
            raise UsageError(f"--run {number}: no such run; see them with: sonovec history -l {library}")
        _tell_failures(library, entries[:limit], run, as_json)
    elif failed:
        _tell_failures(library, entries[:limit], None, as_json)
    else:
        _tell_runs(library, runs[:limit], as_json)


def _tell_runs(library: str, runs: list[Run], as_json: bool) -> None:
    if as_json:
        print_json({"library": to_text(library), "runs": [_json(run) for run in runs]})
        return
    rows = [(run.id, *time_text(run.started).split(), _took(run), _what(run), *_counts(run).values()) for run in runs]
    when = [Column("date"), Column("time", spare=2), Column("took", spare=2)]
    spare = {"found": 1, "indexed": 1, "unchanged": 3, "skipped": 3, "failed": 0}
    counts = [Column(name, spare=number) for name, number in spare.items()]
    print_table([Column("run"), *when, Column("what", cut="end"), *counts], rows)


def _tell_failures(library: str, entries: list[Entry], run: Run | None, as_json: bool) -> None:
    others = 0 if run is None else run.counts.failed - len(entries)
    if as_json:
        failures = [
            {"path": to_text(each.path), "reason": each.reason, "run": each.run, "recorded": each.updated}
            for each in entries
        ]
        told: dict[str, Any] = {"library": to_text(library)}
        if run is not None:
            told |= {"run": _json(run), "met_again": others}
        print_json({**told, "failures": failures})
        return
    for reason, count in Counter(each.reason for each in entries).most_common(1):
        if count > 1 and count == len(entries):
            click.echo(f"all {count}: {reason}")
    if entries:
        # Most reasons begin with the path, which stands beside them already.
        rows = [
            (each.run, display(each.path), (each.reason or "").removeprefix(f"{display(each.path)}: "))
            for each in entries
        ]
        print_table([Column("run"), Column("path", cut="middle", least=36), Column("why")], rows)
    elif not others:
        click.echo("nothing failed")
    if others > 0:
        click.echo(f"{others} more failed in this run; a later run met these files again, and tells of them now")


def _json(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "started": run.started,
        "finished": run.finished,
        "options": dict(run.options),
        **_counts(run),
    }


def _counts(run: Run) -> dict[str, int]:
    return {"found": run.counts.found, **asdict(run.counts)}


def _took(run: Run) -> str:
    """How long a run took; one without an end was killed, or is still running."""
    return "not finished" if run.finished is None else f"{run.finished - run.started:.1f} s"


def _what(run: Run) -> str:
    """What a run did, by the options that it was begun with."""
    options = run.options
    paths = options.get("paths")
    if isinstance(paths, list):
        return f"index {' '.join(map(shown_path, paths))}"
    if "remove" in options:
        return f"remove {options['remove']} tracks"
    if "import" in options:
        return f"import {shown_path(str(options['import']))}"
    return f"root {options['root']}" if "root" in options else ""
