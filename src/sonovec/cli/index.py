"""``sonovec index``: files and folders into a library."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.log import watched
from sonovec.cli.options import (
    add_options,
    cleaning_options,
    encoder_options,
    encoder_settings,
    files_from_options,
    given_paths,
    json_option,
    library_options,
)
from sonovec.cli.output import fail_of, print_json, print_table, shown_path, warn, warn_of
from sonovec.cli.recogniser_options import parted, recogniser_options, refuse
from sonovec.errors import UsageError
from sonovec.paths import display, from_text, printable, to_text
from sonovec.words import counted

if TYPE_CHECKING:
    from sonovec.analysis.analyser import Analyser
    from sonovec.library.library import Library
    from sonovec.library.report import Prune, Report
    from sonovec.library.tag_writing import TagsWritten

#: The analysers of ``--music``.
MUSIC = ("loudness", "music", "mood")


class _Command(click.Command):
    """``--prune=all`` beside ``--prune``; an option whose value may be missing would take the path after it for that."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with ``--prune=all`` as an option of its own."""
        options = len(list(takewhile(lambda arg: arg != "--", args)))
        args[:options] = ["--prune-all" if arg == "--prune=all" else arg for arg in args[:options]]
        return super().parse_args(ctx, args)


@click.command(cls=_Command, short_help="Sounds into a library.")
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="PATH...")
@add_options(files_from_options)
@add_options(library_options)
@click.option("--metadata", type=click.Path(path_type=Path), help="CSV with a column `path` and columns of your own.")
@click.option(
    "--prune",
    is_flag=True,
    help="Remove files that were under PATH and no longer exist. If nothing is left of a folder (its disk may not be "
    "mounted), sonovec names it and asks you on a terminal; --prune=all removes it without asking.",
)
@click.option("--prune-all", is_flag=True, hidden=True)
@click.option("--reread", is_flag=True, help="Read all files again, even if their size and times have not changed.")
@click.option(
    "--retag", is_flag=True, help="Embed again, for their tags in time, the tracks that an earlier version indexed."
)
@click.option("--show-skipped", is_flag=True, help="Name every file that was skipped, with the reason.")
@click.option(
    "--segment", "segment_seconds", type=float, help="Length of a segment in seconds, for a new library (default 10)."
)
@click.option(
    "--space",
    default="main",
    show_default=True,
    help="Add the vectors of a second encoder (-m MODEL) for the tracks under PATH that the library has; `voice`, which "
    "knows who speaks, needs no MODEL.",
)
@click.option("--loudness", is_flag=True, help="Measure loudness as well: columns loudness, loudness_range, true_peak.")
@click.option("--music", is_flag=True, help="Hear tempo, key, mood and more as well, as recommendations need them.")
@click.option(
    "--write-tags",
    is_flag=True,
    help="With --music: write a tempo and a key that were heard surely into the tags of files that have none. This is the "
    "only option that writes into your files.",
)
@click.option(
    "--analyser", "analysers", multiple=True, metavar="NAME", help="Run an analyser too, by its name; repeatable."
)
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Let a detector hear the sounds, too: its labels and a column of its name; repeatable.",
)
@click.option(
    "--transcribe",
    metavar="MODEL",
    help="Write down what is said, too, which `sonovec search --said` finds: a model such as tiny.en, or a folder. --device "
    "and --jobs are also for this model; --precision and --weights are for the encoder alone.",
)
@add_options(recogniser_options("--transcribe"))
@add_options(encoder_options)
@add_options(cleaning_options)
@json_option
def index(
    arguments: tuple[str, ...],
    files_from: str | None,
    null: bool,
    library: str,
    token: str | None,
    metadata: Path | None,
    prune: bool,
    prune_all: bool,
    reread: bool,
    retag: bool,
    show_skipped: bool,
    segment_seconds: float | None,
    space: str,
    loudness: bool,
    music: bool,
    write_tags: bool,
    analysers: tuple[str, ...],
    detectors: tuple[Path, ...],
    transcribe: str | None,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    as_json: bool,
    **settings: Any,
) -> int:
    """Put sounds into a library, so that they can be searched.

    PATH is a file or a folder, or `-` for the paths on the standard input, one a line.

    Run it again at any time: what is there is left alone, what changed is replaced, and a run that was interrupted goes
    on where it was.
    """
    from sonovec.library.library import Library

    paths = tuple(map(from_text, given_paths(arguments, files_from, null)))
    recognising, settings = parted(settings)
    made = Library(
        library,
        token=token,
        model=model,
        weights=weights,
        segment_seconds=segment_seconds,
        **encoder_settings(options, **settings),  # type: ignore[arg-type]
    )
    wanted: Prune = "all" if prune_all else prune
    asks = not as_json and sys.stdin.isatty() and sys.stderr.isatty()
    listening = [
        *(["loudness"] if loudness else []),
        *(MUSIC if music else []),
        *analysers,
        *_detecting(detectors),
        *_transcribing(transcribe, recognising, {name: settings[name] for name in ("device", "jobs")}),
    ]
    if write_tags and not music:
        raise UsageError("--write-tags writes what --music hears; add --music")
    if retag and (listening or metadata or wanted or reread or space != "main"):
        raise UsageError("--retag hears tags again and does nothing else; run it alone")
    with made:
        if retag:
            report = retag_with_progress(made, paths)
        else:
            report = add_with_progress(
                made, paths, asks, metadata=metadata, prune=wanted, reread=reread, space=space, analysers=listening
            )
        tracks = len(made)
        advice = made.advice if model is None else None
        skipped = made.outcomes("skipped", report.run) if show_skipped and report.run is not None else []
        tags = _write_tags(made, paths) if write_tags else None
    named = [(to_text(entry.path), entry.reason or "") for entry in skipped]
    if as_json:
        more = {"skipped_files": [{"path": path, "reason": reason} for path, reason in named]} if show_skipped else {}
        print_json({**report_json(report, library, tracks), **more, **({} if tags is None else tags_json(tags))})
    else:
        print_report(report, library, tracks)
        for path, reason in named:
            click.echo(f"skipped: {shown_path(path)} ({reason})")
        if tags is not None:
            click.echo(tags_line(tags))
    if advice:
        warn(advice)
    return 1 if report.failures or (wanted and report.withheld) else 0


def _detecting(folders: tuple[Path, ...]) -> list[type[Analyser]]:
    """Analysers that hear with detectors."""
    if not folders:
        return []
    from sonovec.learn.analyser import analyser
    from sonovec.learn.detection import loaded

    return [analyser(detector) for detector in loaded(folders)]


def _transcribing(model: str | None, given: dict[str, Any], running: dict[str, Any]) -> list[type[Analyser]]:
    """The analyser that writes down what is said, if that is asked for; its network is loaded once for all tracks."""
    if model is None:
        refuse(given, "--transcribe", "MODEL")
        return []
    from sonovec.speech.analyser import analyser
    from sonovec.speech.loading import load

    recogniser = load(model, **given, **{name: value for name, value in running.items() if value is not None})
    return [analyser(recogniser, given.get("language"))]


def add_with_progress(library: Library, paths: tuple[Path, ...], asks: bool = False, **arguments: object) -> Report:
    """`Library.add` with a progress bar on a terminal; failures and notes become lines on the error stream.

    With `asks`, the user is asked whether to remove what a prune withholds.
    """
    with watched() as bar:

        def ask(place: Path, files: int) -> bool:
            if bar is not None:
                bar.close()  # it would write over the question
            warn(_missing(display(place), files))
            return click.confirm(
                f"Remove {counted(files, 'file')} from the library, with the columns of your own?", err=True
            )

        report = library.add(
            paths,
            progress=bar,  # only who looks at a bar has the files counted ahead
            confirm=ask if asks else None,
            **arguments,  # type: ignore[arg-type]
        )
    return _told(report)


def _write_tags(library: Library, paths: tuple[Path, ...]) -> TagsWritten:
    """`Library.write_tags` with a progress bar on a terminal; files that were left alone become lines on the error stream."""
    with watched() as bar:
        tags = library.write_tags(paths, progress=bar)
    for path, note in tags.left:
        warn_of(path, f"no tags written: {note}")
    return tags


def tags_json(tags: TagsWritten) -> dict[str, object]:
    """What was written into the tags of files, as plain JSON values."""
    return {
        "tags_written": [{"path": path, "tempo": tempo, "key": key} for path, tempo, key in tags.written],
        "tags_left": [{"path": path, "note": note} for path, note in tags.left],
        "tags_unsure": tags.unsure,
        "tags_there": tags.there,
    }


def tags_line(tags: TagsWritten) -> str:
    """What was written into the tags of files, for people.

    Examples
    --------
    >>> from sonovec.library.tag_writing import TagsWritten
    >>> tags_line(TagsWritten([("a.mp3", 128.0, "F#m")], unsure=2))
    'tags: written into 1 file; 0 files had them; 2 files were left alone: what was heard is not sure'
    """
    parts = [f"tags: written into {counted(len(tags.written), 'file')}", f"{counted(tags.there, 'file')} had them"]
    if tags.unsure:
        were = "was" if tags.unsure == 1 else "were"
        parts.append(f"{counted(tags.unsure, 'file')} {were} left alone: what was heard is not sure")
    if tags.left:
        parts.append(f"{counted(len(tags.left), 'file')} could not be written")
    return "; ".join(parts)


def retag_with_progress(library: Library, paths: tuple[Path, ...]) -> Report:
    """`Library.retag` with a progress bar on a terminal; failures become lines on the error stream."""
    with watched() as bar:
        report = library.retag(paths, progress=bar)
    return _told(report)


def _told(report: Report) -> Report:
    """A report whose failures and notes became lines on the error stream."""
    for path, text in report.notes:
        warn_of(path, text)
    for path, text in report.failures:
        fail_of(path, text)
    for line in left_out_lines(report.left_out):
        warn(line)
    for path, original in report.metadata_copies:
        copy, first = shown_path(path), shown_path(original)
        warn(
            f"metadata: {copy} is a copy of {first}: its row is kept with the copy, and filters see the row of {first}"
        )
    for row in report.metadata_unused:
        warn(f"metadata: no file of this run for {printable(row)}")
    return report


#: Names that are listed for one reason.
LISTED = 3


def left_out_lines(left_out: list[tuple[str, str]]) -> list[str]:
    """A line for each reason for which files and folders were left out.

    Examples
    --------
    >>> left_out_lines([("a.mp3.part", "an unfinished download"), (".git", "hidden: kept by version control")])
    ['left out: a.mp3.part (an unfinished download)', 'left out: .git (hidden: kept by version control)']
    """
    lines = []
    for reason, count in Counter(reason for _, reason in left_out).items():
        names = [shown_path(path) for path, each in left_out if each == reason][:LISTED]
        more = f" and {count - LISTED} more" if count > LISTED else ""
        lines.append(f"left out: {', '.join(names)}{more} ({reason})")
    return lines


def _missing(place: str, files: int) -> str:
    return f"{place}: {counted(files, 'file')} that the library holds there cannot be found; check that the disk is mounted"


def report_json(report: Report, library: str, tracks: int) -> dict[str, object]:
    """A report as plain JSON values."""
    return {
        "library": to_text(library),
        "tracks": tracks,
        "found": report.counts.found,
        **asdict(report.counts),
        "copies": report.copies,
        "skipped_by_reason": dict(report.skipped.most_common()),
        "moved": report.moved,
        "left_out": [{"path": path, "reason": reason} for path, reason in report.left_out],
        "vanished": report.vanished,
        "pruned": report.pruned,
        "withheld": [{"path": path, "files": files} for path, files in report.withheld],
        "heard": report.heard,
        "audio_seconds": report.audio_seconds,
        "seconds": report.seconds,
        "failures": [{"path": path, "reason": reason} for path, reason in report.failures],
        "notes": [{"path": path, "note": note} for path, note in report.notes],
        "metadata_applied": report.metadata_applied,
        "metadata_unused": report.metadata_unused,
        "metadata_copies": [{"path": path, "copy_of": original} for path, original in report.metadata_copies],
    }


def print_report(report: Report, library: str, tracks: int) -> None:
    """Print a report for people."""
    counts = {"found": report.counts.found, **asdict(report.counts)}
    print_table(list(counts), [list(counts.values())], title=f"{library}: {tracks} tracks")
    if report.skipped:
        ordered = sorted(report.skipped.items(), key=lambda pair: (-pair[1], pair[0]))
        reasons = "; ".join(f"{reason} ({count})" for reason, count in ordered)
        click.echo(f"skipped: {reasons}; --show-skipped names the files")
    if report.moved:
        click.echo(
            f"{counted(report.moved, 'file')} {'was' if report.moved == 1 else 'were'} moved; the vectors were kept"
        )
    if report.metadata_applied or report.metadata_unused:
        click.echo(f"metadata: {report.metadata_applied} rows applied, {len(report.metadata_unused)} not matched")
    if report.heard:
        click.echo(f"analysers heard {report.heard} tracks that were there already")
    if report.audio_seconds:
        speed = report.audio_seconds / report.seconds
        click.echo(f"{report.audio_seconds / 60:.1f} min of sound in {report.seconds:.1f} s ({speed:.0f} x real time)")
    if report.vanished:
        removed = "removed from the library" if report.pruned else "still in the library; --prune removes them"
        are = "is" if report.vanished == 1 else "are"
        click.echo(f"{counted(report.vanished, 'file')} {are} gone from disk and {removed}")
    for place, files in report.withheld:
        missing = _missing(shown_path(place), files)
        click.echo(f"{missing}. Kept in the library; if you deleted what was there, --prune=all removes it")
