"""``sonovec detect``: what detectors of one's own hear in files, in a stream, or in what a library stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli import detect_live, tag_files
from sonovec.cli.completion import LIBRARY
from sonovec.cli.detection_rows import as_row, as_stretch, example_text
from sonovec.cli.index import left_out_lines
from sonovec.cli.log import watched
from sonovec.cli.look_up import look_up
from sonovec.cli.options import (
    add_options,
    cleaning_options,
    files_from_options,
    given_paths,
    hop_option,
    json_option,
    part_options,
    running_options,
    token_option,
    weights_option,
)
from sonovec.cli.output import fail_of, print_json, print_table, seconds_text, warn, warn_of

if TYPE_CHECKING:
    from sonovec.learn.detection import Detected
    from sonovec.learn.detector import Detector
    from sonovec.learn.events import Rules

#: Examples that an event names with --explain.
EXAMPLES = 3


@click.command(short_help="What your own detectors hear, and when.")
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="[FILE...|-]")
@add_options(files_from_options)
@click.option(
    "-d",
    "--detector",
    "folders",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A detector that sonovec train wrote; repeatable.",
)
@click.option("--threshold", type=float, help="Lowest probability of an event.  [default: that of each class]")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Report only this class; repeatable.")
@click.option(
    "--min-duration", type=float, default=0.0, help="Report only events that last at least this many seconds."
)
@click.option(
    "--gap", type=float, default=0.0, help="Join events of a class with a pause of at most this many seconds."
)
@click.option("--explain", is_flag=True, help="Name the training examples that are nearest to each event.")
@add_options(tag_files.files_options)
@add_options(part_options("Hear only a part of each sound"))
@add_options(detect_live.stream_options)
@click.option(
    "-l",
    "--library",
    type=LIBRARY,
    help="Hear no files, but the vectors that a library stores, and write labels into it: fast, and coarse in time.",
)
@token_option
@click.option("-m", "--model", type=click.Path(), help="Where the encoder of the detectors lies, if it was moved.")
@add_options([weights_option, hop_option, *running_options])
@add_options(cleaning_options)
@json_option
def detect(
    arguments: tuple[str, ...],
    files_from: str | None,
    null: bool,
    folders: tuple[Path, ...],
    threshold: float | None,
    classes: tuple[str, ...],
    min_duration: float,
    gap: float,
    explain: bool,
    targets: tuple[Path, ...],
    folder: Path | None,
    format: str | None,
    start: float,
    end: float | None,
    rate: int | None,
    channels: int | None,
    encoding: str | None,
    begins: bool,
    library: str | None,
    token: str | None,
    hop: float | None,
    as_json: bool,
    **settings: Any,
) -> int:
    """Report what detectors hear in FILE, and from when to when.

    FILE may be a folder, which is searched for audio as by `sonovec index`. `-` is a stream on the standard input: WAV,
    samples without a header (--rate), or what FFmpeg reads from a pipe; each event is printed as it ends.

    All detectors of one encoder share one decode and one embedding of each sound. A window begins every eighth of its length;
    with a longer --hop it takes less time, and short sounds are missed more often.
    """
    from sonovec.errors import UsageError
    from sonovec.learn.detection import loaded, panels
    from sonovec.learn.events import Rules
    from sonovec.library.sound_tags import chosen

    detectors = loaded(folders)
    wanted = chosen(classes, [name for each in detectors for name in each.classes], "the detectors")
    rules = Rules(threshold, wanted, min_duration, gap, EXAMPLES if explain else 0, begins)
    if library is not None:
        if arguments or files_from:
            raise UsageError(f"-l {library} hears what the library stores; leave the files out, or index them first")
        return _of_library(library, token, detectors, rules, as_json)
    used = {name: value for name, value in settings.items() if value}
    live = detect_live.Stream.of(rate, channels, encoding, begins)
    if "-" in arguments:
        if arguments != ("-",) or files_from:
            raise UsageError("- is a stream of sound, which is heard alone; give the paths of files by --files-from -")
        of_files = {"--start": start, "--end": end, "--out-folder": folder, "--trim": settings["trim"]}
        for name, given in of_files.items():
            if given:
                raise UsageError(f"{name} is of files; leave it out for a stream")
        return detect_live.listen(panels(detectors, rules, hop, **used), live, targets, format, as_json)
    if live != detect_live.Stream():
        raise UsageError("--rate, --channels, --encoding and --begins are of a stream; give - in place of files")
    tag_files.check(targets, folder, format)
    return _of_files(
        given_paths(arguments, files_from, null),
        detectors,
        rules,
        hop,
        used,
        (start, end),
        targets,
        folder,
        format,
        as_json,
    )


def _of_files(
    paths: list[str],
    detectors: list[Detector],
    rules: Rules,
    hop: float | None,
    settings: dict[str, Any],
    part: tuple[float, float | None],
    targets: tuple[Path, ...],
    folder: Path | None,
    format: str | None,
    as_json: bool,
) -> int:
    from sonovec.embedding.embedding import Failure
    from sonovec.learn.detection import listened, panels
    from sonovec.paths import from_text, to_text

    roots = [from_text(path) for path in paths]
    seen = look_up(roots)
    used = panels(detectors, rules, hop, **settings)
    heard: list[dict[str, Any]] = []
    failures = seen.failures
    with watched() as bar:
        for file, result in zip(seen.found, listened(used, seen.found, *part, progress=bar), strict=True):
            if isinstance(result, Failure):
                failures.append((to_text(file), result.reason))
            else:
                heard.append(_sound(result))
    try:
        tag_files.write(heard, roots, targets, folder, format, as_stretch)
    finally:  # the work is not lost where a file cannot be written
        left_out = [(to_text(item.path), item.reason) for item in seen.skipped if item.by_custom]
        _report(detectors, rules, heard, failures, left_out, as_json)
    return 1 if failures else 0


def _sound(result: Detected) -> dict[str, Any]:
    from sonovec.paths import to_text

    return {
        "path": to_text(result.path or ""),
        "duration": result.duration,
        "events": [as_row(each) for each in result.detections],
        "notes": list(result.notes),
    }


def _report(
    detectors: list[Detector],
    rules: Rules,
    heard: list[dict[str, Any]],
    failures: list[tuple[str, str]],
    left_out: list[tuple[str, str]],
    as_json: bool,
) -> None:
    """Print what was heard; notes and failures become lines on the error stream."""
    for sound in heard:
        if not as_json:
            _print(sound, several=len(detectors) > 1)
        for note in sound["notes"]:
            warn_of(sound["path"], note)
    for line in left_out_lines(left_out):
        warn(line)
    for path, reason in failures:
        fail_of(path, reason)
    if as_json:
        print_json(
            {
                "detectors": [
                    {
                        "name": each.name,
                        "version": each.version,
                        "classes": list(each.classes),
                        "model": each.passport.model,
                    }
                    for each in detectors
                ],
                "threshold": rules.threshold,
                "classes": sorted(rules.classes),
                "min_duration": rules.min_duration,
                "gap": rules.gap,
                "sounds": heard,
                "failures": [{"path": path, "reason": reason} for path, reason in failures],
                "left_out": [{"path": path, "reason": reason} for path, reason in left_out],
            }
        )


def _print(sound: dict[str, Any], *, several: bool) -> None:
    from sonovec.paths import printable

    click.echo(f"{printable(sound['path'])} ({sound['duration']:.1f} s)")
    names = ["seconds", "class", "probability", *(["detector"] if several else [])]
    explained = any("examples" in event for event in sound["events"])
    rows = [
        [
            seconds_text(event["start"], event["end"]),
            event["class"],
            event["probability"],
            *([event["detector"]] if several else []),
            *([example_text(event["examples"][0]) if event.get("examples") else ""] if explained else []),
        ]
        for event in sound["events"]
    ]
    if rows:
        print_table([*names, *(["nearest example"] if explained else [])], rows)
    else:
        click.echo("  nothing was detected; try a lower --threshold")
    click.echo()


def _of_library(library: str, token: str | None, detectors: list[Detector], rules: Rules, as_json: bool) -> int:
    """Let detectors hear the segments that a library stores."""
    from sonovec.learn.analyser import analyser
    from sonovec.library.library import Library
    from sonovec.paths import to_text

    with Library(library, token=token) as opened:
        kinds = [analyser(each, "segments", rules) for each in detectors]
        with watched() as bar:
            report = opened.analyse(kinds, progress=bar)
        sources = [f"{kind.name}@{kind.version}" for kind in kinds]
        counted = [
            {"detector": kind.name, "version": kind.version, "labels": len(opened.labels.get(source=source))}
            for kind, source in zip(kinds, sources, strict=True)
        ]
        seconds = opened.config.segment_seconds if opened.config else 0.0
    for path, note in report.notes:
        warn_of(path, note)
    warn(
        f"heard from stored vectors of parts of {seconds:g} s: short sounds may be missed, and times are as coarse as that; "
        f"sonovec index PATH -l {library} --detector FOLDER hears the sounds themselves"
    )
    if as_json:
        print_json({"library": to_text(library), "heard": report.heard, "detectors": counted})
    else:
        print_table(["detector", "version", "labels"], [list(each.values()) for each in counted])
        click.echo(f"{report.heard} tracks were heard")
    return 1 if report.notes else 0
