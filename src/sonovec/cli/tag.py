"""``sonovec tag``: what is heard in sounds, and from when to when."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli import tag_files
from sonovec.cli.index import left_out_lines
from sonovec.cli.log import watched
from sonovec.cli.look_up import look_up
from sonovec.cli.options import (
    add_options,
    cleaning_options,
    encoder_options,
    encoder_settings,
    files_from_options,
    given_paths,
    json_option,
    part_options,
)
from sonovec.cli.output import (
    fail_of,
    print_json,
    print_table,
    seconds_text,
    warn,
    warn_of,
    warn_of_nothing_written,
)

if TYPE_CHECKING:
    from sonovec.bars import Bar
    from sonovec.embedding.embedding import Embedding
    from sonovec.embedding.encoder import Encoder
    from sonovec.embedding.events import Event

COLUMNS = ("path", "start", "end", "tag", "score")


@click.command(short_help="What is heard in sounds, and when.")
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="FILE...")
@add_options(files_from_options)
@click.option("--top", default=5, show_default=True, help="Tags of a whole sound.")
@click.option("--threshold", default=0.2, show_default=True, help="Lowest score of a tag in the list over time.")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Report only this class over time; repeatable.")
@click.option(
    "--min-duration", type=float, default=0.0, help="Report only events over time that last at least this many seconds."
)
@add_options(tag_files.files_options)
@click.option(
    "--csv", "table", type=click.Path(path_type=Path), metavar="OUT.csv", help="Also write what is heard when."
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="OUT.txt",
    help="Also write the tags over time of one sound as Audacity labels.",
)
@click.option("--windows", is_flag=True, help="With --json: the tags of every window, too.")
@add_options(part_options("Hear only a part of each sound"))
@add_options(encoder_options)
@add_options(cleaning_options)
@json_option
def tag(
    arguments: tuple[str, ...],
    files_from: str | None,
    null: bool,
    top: int,
    threshold: float,
    classes: tuple[str, ...],
    min_duration: float,
    targets: tuple[Path, ...],
    folder: Path | None,
    format: str | None,
    table: Path | None,
    labels: Path | None,
    windows: bool,
    start: float,
    end: float | None,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    as_json: bool,
    **settings: object,
) -> int:
    """Name what is heard in FILE, on the whole and over time.

    FILE may be a folder, which is searched for audio as by `sonovec index`, or `-` for the paths on the standard input. The
    names are AudioSet's, and the scores the model's own. Windows overlap by half, so that a short sound is not cut in two;
    --hop 2 takes half the time with the built-in encoder, whose windows have 2 s.
    """
    from sonovec.embedding.encoder import load
    from sonovec.errors import UsageError
    from sonovec.library.sound_tags import chosen
    from sonovec.models.defaults import ALIAS
    from sonovec.paths import check_output, from_text, to_text

    _check(top, threshold, min_duration, start, end)
    tag_files.check(targets, folder, format)
    for target in filter(None, (table, labels)):
        check_output(target)
    if windows and not as_json:
        raise UsageError("--windows works only with --json; add --json")
    encoder = load(model or ALIAS, **encoder_settings(options, weights=weights, **settings))  # type: ignore[arg-type]
    if not encoder.classes:
        raise UsageError(
            f"model {encoder.card.name!r} scores no classes; leave --model out, or give one such as yamnet"
        )
    if settings["hop"] is None:
        encoder = _overlapping(encoder)
    wanted = _Wanted(threshold, chosen(classes, encoder.classes, repr(encoder.card.name)), min_duration)
    paths = [from_text(path) for path in given_paths(arguments, files_from, null)]
    seen = look_up(paths)
    found, failures = seen.found, seen.failures
    if labels and len(found) > 1:
        raise UsageError(f"--labels {labels}: {len(found)} sounds; give one, or --csv for many")
    heard: list[dict[str, Any]] = []
    with watched() as bar:
        results = _listen(encoder, found, start, end, bar, lambda sound: _as_json(sound, top, wanted, windows))
        for result in results:
            if isinstance(result, tuple):
                failures.append(result)
            else:
                heard.append(result)
    try:
        if table:
            _write(table, heard, _write_csv)
        if labels:
            _write(labels, heard, _write_labels)
        tag_files.write(heard, paths, targets, folder, format)
    finally:  # the work is not lost where a file cannot be written
        asked = {"threshold": threshold, "classes": sorted(wanted.classes), "min_duration": min_duration}
        left_out = [(to_text(item.path), item.reason) for item in seen.skipped if item.by_custom]
        told = {"sounds": heard, "failures": failures, "left_out": left_out}
        _report({"model": encoder.card.name, **asked, **told}, as_json)
    return 1 if failures else 0


def _overlapping(encoder: Encoder) -> Encoder:
    """An encoder whose windows overlap by half, or by more where its model wants that.

    A short sound that lies on the edge between two windows may score too little in both; so it lies well within another.
    """
    window = encoder.window
    return encoder if window.hop < window.length else encoder.with_hop(window.length // 2 / encoder.rate)


@dataclass(frozen=True)
class _Wanted:
    """Which events are told: from a score on, of some classes or of all, and from a length in seconds on."""

    threshold: float
    classes: frozenset[str]
    min_duration: float

    def events(self, sound: Embedding) -> list[Event]:
        return [
            event
            for event in sound.events(self.threshold)
            if (not self.classes or event.tag in self.classes) and event.end - event.start >= self.min_duration
        ]


def _listen(
    encoder: Encoder,
    files: Sequence[Path],
    start: float,
    end: float | None,
    bar: Bar | None,
    tell: Callable[[Embedding], dict[str, Any]],
) -> Iterator[dict[str, Any] | tuple[str, str]]:
    """What is heard in each file; its path and the reason in place of what went wrong."""
    from sonovec.embedding.embedding import Failure
    from sonovec.log import as_failure
    from sonovec.paths import display, to_text

    for file, result in zip(files, encoder.embed_many(files, start, end, progress=bar), strict=True):
        if isinstance(result, Failure):
            yield to_text(file), result.reason
            continue
        try:
            row = tell(result)
        except Exception as error:  # noqa: BLE001 - it is this file's alone
            yield to_text(file), str(as_failure(display(file), error))
        else:
            yield row


def _check(top: int, threshold: float, min_duration: float, start: float, end: float | None) -> None:
    from sonovec.errors import UsageError

    if top < 1:
        raise UsageError(f"--top {top}: give 1 or more")
    if not 0 <= threshold <= 1:
        raise UsageError(f"--threshold {threshold} is not a score; give a number from 0 to 1")
    if not 0 <= min_duration < math.inf:
        raise UsageError(f"--min-duration {min_duration} is not a length; give seconds, such as 0.5")
    if start < 0 or (end is not None and end <= start):
        raise UsageError(f"--start {start} --end {end} is not a range of seconds; give 0 <= start < end")


def _as_json(sound: Embedding, top: int, wanted: _Wanted, windows: bool) -> dict[str, Any]:
    from sonovec.paths import to_text

    row: dict[str, Any] = {
        "path": to_text(sound.path or ""),
        "duration": sound.duration,
        "tags": [{"tag": name, "score": score} for name, score in sound.top_tags(top)],
        "events": [
            {"start": event.start, "end": event.end, "tag": event.tag, "score": event.score}
            for event in wanted.events(sound)
        ],
        "notes": list(sound.notes),
    }
    if windows:
        row["windows"] = [
            {"start": float(start), "end": float(end), "tags": _best(sound, row, top)}
            for row, (start, end) in enumerate(sound.times)
        ]
    return row


def _best(sound: Embedding, row: int, top: int) -> list[dict[str, Any]]:
    best = sorted(zip(sound.scores[row].tolist(), sound.classes, strict=True), key=lambda pair: -pair[0])[:top]
    return [{"tag": name, "score": score} for score, name in best]


def _report(report: dict[str, Any], as_json: bool) -> None:
    """Print what was heard; notes and failures become lines on the error stream."""
    for sound in report["sounds"]:
        if not as_json:
            _print(sound, only_some=bool(report["classes"] or report["min_duration"]))
        for note in sound["notes"]:
            warn_of(sound["path"], note)
    for line in left_out_lines(report["left_out"]):
        warn(line)
    for path, reason in report["failures"]:
        fail_of(path, reason)
    if as_json:
        named = ("failures", "left_out")
        rows = {name: [{"path": path, "reason": reason} for path, reason in report[name]] for name in named}
        print_json({**report, **rows})


def _print(sound: dict[str, Any], *, only_some: bool) -> None:
    from sonovec.paths import printable

    click.echo(f"{printable(sound['path'])} ({sound['duration']:.1f} s)")
    click.echo("  " + "; ".join(f"{each['tag']} {each['score']:.2f}" for each in sound["tags"]))
    rows = [(seconds_text(each["start"], each["end"]), each["tag"], each["score"]) for each in sound["events"]]
    if rows:
        print_table(["seconds", "tag", "score"], rows)
    else:
        what = "nothing that was asked for" if only_some else "nothing"
        click.echo(f"  {what} reaches the threshold at any time; try a lower --threshold")
    click.echo()


def _write(
    target: Path, heard: Sequence[dict[str, Any]], writer: Callable[[Path, Sequence[dict[str, Any]]], None]
) -> None:
    from sonovec.paths import output

    if not heard:
        warn_of_nothing_written(target, "no sound could be heard")
        return
    with output(target) as (temporary,):
        writer(temporary, heard)


def _write_csv(path: Path, heard: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for sound in heard:
            writer.writerows({"path": sound["path"], **event} for event in sound["events"])


def _write_labels(path: Path, heard: Sequence[dict[str, Any]]) -> None:
    lines = [f"{each['start']:.6f}\t{each['end']:.6f}\t{each['tag']}\n" for each in heard[0]["events"]]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
