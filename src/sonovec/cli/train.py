"""``sonovec train``: a detector of one's own sounds, and how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli.completion import LIBRARY
from sonovec.cli.log import watched
from sonovec.cli.options import (
    add_options,
    cleaning_options,
    encoder_settings,
    json_option,
    model_options,
    running_options,
)
from sonovec.cli.output import fail, fail_of, position_text, print_json, print_table, shown_path

if TYPE_CHECKING:
    from sonovec.learn.false_alarms import FalseAlarms
    from sonovec.learn.report import Report
    from sonovec.learn.training import Training

#: Suspects, mistakes and alarms that are printed; JSON has more.
SHOWN = 10


@click.command(short_help="Train a detector of your own sounds.")
@click.argument("labels", required=False, type=click.Path(path_type=Path), metavar="LABELS")
@click.option("-l", "--library", type=LIBRARY, help="Train on the labels in this library, instead of LABELS.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="NAME.detector",
    help="The folder of the detector (default: the name of LABELS with the ending .detector).",
)
@click.option(
    "--group",
    metavar="COLUMN|REGEX",
    help="What belongs together, beside the recording: a column of the list, or a regular expression for file names.",
)
@click.option("--audio", type=click.Path(path_type=Path), metavar="FOLDER", help="Where the recordings of a list lie.")
@click.option(
    "--min-score",
    type=float,
    metavar="SCORE",
    help="Leave out labels of detectors that score less; of a library, train on those that score as much.",
)
@click.option(
    "--rest/--no-rest",
    default=None,
    help="Whether what no label covers is background (default: where stretches were marked, and not whole sounds).",
)
@click.option(
    "--background", metavar="FOLDER|LIBRARY", help="Sounds in which none of the classes is heard, to train against."
)
@click.option(
    "--precision",
    type=float,
    metavar="SHARE",
    help="Choose thresholds at this precision, such as 0.95 (default: at the best F1).",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the folds and the intervals.")
@click.option(
    "--false-alarms",
    metavar="FOLDER|LIBRARY",
    help="Count false alarms per hour in these sounds, in which none of the classes is heard.",
)
@click.option("--plot", type=click.Path(path_type=Path), metavar="OUT.png", help="Also draw the report.")
@add_options(model_options)
@add_options(cleaning_options)
@add_options(running_options)
@json_option
def train(
    labels: Path | None,
    library: str | None,
    output: Path | None,
    group: str | None,
    audio: Path | None,
    min_score: float | None,
    rest: bool | None,
    background: str | None,
    precision: float | None,
    seed: int,
    false_alarms: str | None,
    plot: Path | None,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    as_json: bool,
    **settings: object,
) -> int:
    """Train a detector on LABELS, and report how good it is on recordings that it has not heard.

    LABELS is a folder whose sub-folders are the classes, a CSV file, labels of Audacity or Raven, an export of Label Studio,
    results of BirdNET, or a library with labels. Recordings are never split over training and test. A run that was killed
    goes on where it stopped: give the same command again.
    """
    from sonovec.charts import check_target
    from sonovec.embedding.encoder import load
    from sonovec.errors import UsageError
    from sonovec.learn import chart, training
    from sonovec.models.defaults import ALIAS
    from sonovec.paths import display

    if (labels is None) == (library is None):
        raise UsageError("give LABELS, or a library with labels: sonovec train LABELS, or sonovec train -l LIBRARY")
    source = labels if library is None else library
    chosen = training.Settings(group, audio, min_score, rest, background, precision, seed, false_alarms)
    target = output or training.default_folder(source)  # type: ignore[arg-type]  # one of them is given
    if plot:
        check_target(plot)
    encoder = load(model or ALIAS, **encoder_settings(options, weights=weights, **settings))  # type: ignore[arg-type]
    with watched() as bar:
        result = training.train_into(target, source, encoder, chosen, progress=bar)  # type: ignore[arg-type]
    try:
        if plot:
            chart.draw(result.report, f"{result.detector.name}: {display(str(source))}, {encoder.card.name}", plot)
    finally:  # the detector is there, and so is what is known of it
        if as_json:
            print_json(result.to_json(target))
        else:
            _print(result, target)
    return _failures(result)


def _failures(result: Training) -> int:
    """Name files that failed, and return the exit code."""
    alarms = result.report.false_alarms
    unheard = alarms.failures if alarms else ()
    for line in result.failures:
        fail(line)
    for path, reason in unheard:
        fail_of(path, reason)
    return 1 if result.failures or unheard else 0


def _print(result: Training, target: Path) -> None:
    from sonovec.learn import report as reports
    from sonovec.paths import display

    report, detector = result.report, result.detector
    click.echo(
        f"{display(target)}: version {detector.version}, {detector.passport.model}, {len(detector.classes)} classes; "
        f"{report.stretches} examples in {report.groups} groups, {report.background} of them background\n"
    )
    print_table(reports.COLUMNS, reports.rows(report))
    for line in reports.summary(report):
        click.echo(line)
    if report.mistakes:
        click.echo()
        print_table(["heard", "detected", "examples"], report.mistakes[:SHOWN])
    _print_suspects(report)
    if report.false_alarms:
        _print_alarms(report.false_alarms)
    for title, lines in (
        ("Chosen for you", report.choices),
        ("What cannot be known", report.unknown),
        ("Notes", report.notes),
    ):
        if lines:
            click.echo(f"\n{title}:")
        for line in lines:
            click.echo(f"- {line}")


def _print_suspects(report: Report) -> None:
    if report.label_suspects:
        click.echo(f"\n{report.suspects['labels']} labels that the sound contradicts; listen to them:")
        print_table(
            ["path", "start", "end", "label", "sounds like", "probability"],
            [
                (shown_path(each.path), *_span(each.start, each.end), each.label, each.suggested, each.probability)
                for each in report.label_suspects[:SHOWN]
            ],
        )
    if report.leaks:
        click.echo(
            f"\n{report.suspects['leaks']} pairs of examples in different groups are nearly one sound, which makes figures "
            "too good; remove one of each, or give them one group:"
        )
        print_table(
            ["path", "start", "end", "is nearly", "start", "end", "cosine"],
            [
                (
                    *(shown_path(each.paths[0]), *_span(*each.times[0])),
                    *(shown_path(each.paths[1]), *_span(*each.times[1])),
                    f"{each.cosine:.6f}",
                )
                for each in report.leaks[:SHOWN]
            ],
        )


def _span(start: float, end: float) -> tuple[str, str]:
    return position_text(start), position_text(end)


def _print_alarms(found: FalseAlarms) -> None:
    from sonovec.learn import report as reports

    click.echo(f"\nFalse alarms in {shown_path(found.pool)} ({found.hours:.2f} hours, {found.sounds} sounds):")
    print_table(reports.ALARM_COLUMNS, reports.alarm_rows(found))
    for line in found.notes:
        click.echo(f"- {line}")
