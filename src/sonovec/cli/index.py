"""``sonovec index``: files and folders into a library."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli.options import add_options, encoder_options, encoder_settings, json_option, library_options
from sonovec.cli.output import print_json, print_table, progress_bar, warn, warn_of
from sonovec.paths import printable, to_text

if TYPE_CHECKING:
    from sonovec.library.ingest import Progress, Report
    from sonovec.library.library import Library


@click.command(short_help="Sounds into a library.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@add_options(library_options)
@click.option("--metadata", type=click.Path(path_type=Path), help="CSV with a column `path` and columns of your own.")
@click.option("--prune", is_flag=True, help="Remove files that lay under PATH and are gone.")
@click.option("--segment", "segment_seconds", type=float, help="Seconds of a part, for a new library (default 10).")
@add_options(encoder_options)
@json_option
def index(
    paths: tuple[Path, ...],
    library: str,
    token: str | None,
    metadata: Path | None,
    prune: bool,
    segment_seconds: float | None,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    as_json: bool,
    **settings: object,
) -> int:
    """Put sounds into a library, so that they can be searched.

    Run it again at any time: what is there is left alone, what changed is replaced, and a run that was interrupted goes
    on where it was.
    """
    from sonovec.library.library import Library

    made = Library(
        library,
        token=token,
        model=model,
        weights=weights,
        segment_seconds=segment_seconds,
        **encoder_settings(options, **settings),  # type: ignore[arg-type]
    )
    with made:
        report = add_with_progress(made, paths, metadata=metadata, prune=prune)
        tracks = len(made)
        advice = made.advice if model is None else None
    if as_json:
        print_json(report_json(report, library, tracks))
    else:
        print_report(report, library, tracks)
    if advice:
        warn(advice)
    return 1 if report.failures else 0


def add_with_progress(library: Library, paths: tuple[Path, ...], **arguments: object) -> Report:
    """`Library.add` with a progress bar on a terminal; failures and notes become lines on the error stream."""
    with progress_bar("indexing") as update:

        def tell(progress: Progress) -> None:
            if update:
                update(progress.done, progress.found, f"{progress.audio_seconds / 60:.1f} min of sound")

        report = library.add(paths, progress=tell, **arguments)  # type: ignore[arg-type]
    for path, text in [*report.notes, *report.failures]:
        warn_of(path, text)
    for row in report.metadata_unused:
        warn(f"metadata: no file of this run for {printable(row)}")
    return report


def report_json(report: Report, library: str, tracks: int) -> dict[str, object]:
    """A report as plain JSON values."""
    return {
        "library": to_text(library),
        "tracks": tracks,
        "found": report.counts.found,
        **asdict(report.counts),
        "copies": report.copies,
        "vanished": report.vanished,
        "pruned": report.pruned,
        "audio_seconds": report.audio_seconds,
        "seconds": report.seconds,
        "failures": [{"path": path, "reason": reason} for path, reason in report.failures],
        "notes": [{"path": path, "note": note} for path, note in report.notes],
        "metadata_unused": report.metadata_unused,
    }


def print_report(report: Report, library: str, tracks: int) -> None:
    """Print a report for people."""
    counts = {"found": report.counts.found, **asdict(report.counts)}
    print_table(list(counts), [list(counts.values())], title=f"{library}: {tracks} tracks")
    if report.audio_seconds:
        speed = report.audio_seconds / report.seconds
        click.echo(f"{report.audio_seconds / 60:.1f} min of sound in {report.seconds:.1f} s ({speed:.0f} x real time)")
    if report.vanished:
        removed = "removed from the library" if report.pruned else "still in the library; --prune removes them"
        click.echo(f"{report.vanished} files are gone from disk and {removed}")
