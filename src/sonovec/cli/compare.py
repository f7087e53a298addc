"""``sonovec models compare``: which encoder serves a folder of sounds best, and what each costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli.log import watched
from sonovec.cli.options import isolate_option, json_option
from sonovec.cli.output import fail_of, print_json, print_table
from sonovec.errors import UsageError

if TYPE_CHECKING:
    from sonovec.evaluation.compare import Comparison
    from sonovec.evaluation.metrics import Score


@click.command(short_help="Which encoder serves a folder of sounds best.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-m", "--models", "names", required=True, help="Encoders, separated by commas.")
@click.option("--weights", multiple=True, metavar="NAME=PATH", help="Weights of one of them; may be given again.")
@click.option(
    "--folds", metavar="PATTERN", help="Regular expression for file names; sounds with the same match are one fold."
)
@click.option("--precision", type=click.Choice(["auto", "f32", "bf16"]), default="auto", help="Arithmetic of networks.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where networks run.")
@isolate_option
@click.option("--picture", type=click.Path(path_type=Path), metavar="OUT.png", help="Also draw the comparison.")
@json_option
def compare(
    folder: Path,
    names: str,
    weights: tuple[str, ...],
    folds: str | None,
    precision: str,
    device: str,
    isolate: bool,
    picture: Path | None,
    as_json: bool,
) -> int:
    """Compare encoders on the sounds of FOLDER, whose sub-folders are the classes.

    Accuracy of a linear probe and of 5 nearest neighbours, retrieval mAP and P@10, neighbours that encoders agree on, seconds
    for an hour of audio, and bytes per track. Without sub-folders, agreement and cost alone.
    """
    from sonovec.evaluation import compare as evaluation

    if picture:
        from sonovec.charts import check_target

        check_target(picture)
    models = [name.strip() for name in names.split(",") if name.strip()]
    with watched() as bar:
        result = evaluation.compare(
            folder,
            models,
            weights=dict(_weights(weights)),
            folds=folds,
            precision=precision,
            device=device,
            isolate=isolate,
            progress=bar,
        )
    try:
        if picture:
            from sonovec.evaluation.chart import draw

            draw(result, picture)
    finally:  # the work is not lost where the picture cannot be written
        for path, reason in result.failures:
            fail_of(path, reason)
        if as_json:
            print_json(result.to_json())
        else:
            _print(result)
    return 1 if result.failures else 0


def _weights(given: Iterable[str]) -> Iterable[tuple[str, str]]:
    for text in given:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise UsageError(
                f"--weights {text!r} is not of the form NAME=PATH; give, for example, --weights vggish=folder"
            )
        yield name, path


def _print(result: Comparison) -> None:
    heading = f"{result.sounds} sounds, {result.audio_seconds / 60:.1f} min" + (
        f", {len(result.classes)} classes" if result.classes else ""
    )
    names = [row.model for row in result.rows]
    columns = _columns(result)
    print_table(["model", *columns], list(zip(names, *columns.values(), strict=True)), title=heading)
    if len(names) > 1:
        click.echo()
        print_table(
            [f"shared of {result.agreement_k} nearest", *names],
            [(name, *(f"{share:.2f}" for share in row)) for name, row in zip(names, result.agreement, strict=True)],
        )
    click.echo()
    for line in [*result.notes, "", *result.advice]:
        click.echo(line)


def _columns(result: Comparison) -> dict[str, Sequence[str]]:
    """Columns of the table, without those that hold nothing."""
    rows = result.rows
    columns = {
        "dim": [str(row.dim) for row in rows],
        "probe %": [_percent(row.probe) for row in rows],
        "5-NN %": [_percent(row.knn) for row in rows],
        "mAP": [_share(row.mean_average_precision) for row in rows],
        "P@10": [f"{row.p10.value:.3f}" if row.p10 else "" for row in rows],
        "agreement": [f"{row.agreement:.2f}" if row.agreement is not None else "" for row in rows],
        "s per hour": [f"{row.seconds_per_hour:.3g}" for row in rows],
        "bytes per track": [f"{row.bytes_per_track:.0f}" for row in rows],
    }
    return {name: cells for name, cells in columns.items() if any(cells)}


def _percent(score: Score | None) -> str:
    return f"{100 * score.value:.1f} ({100 * score.low:.1f}-{100 * score.high:.1f})" if score else ""


def _share(score: Score | None) -> str:
    return f"{score.value:.3f} ({score.low:.3f}-{score.high:.3f})" if score else ""
