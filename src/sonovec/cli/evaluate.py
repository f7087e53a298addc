"""``sonovec evaluate``: how good an encoder is on labelled sounds, and how robust."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sonovec.cli.log import watched
from sonovec.cli.options import add_options, cleaning_options, encoder_options, encoder_settings, json_option
from sonovec.cli.output import fail_of, print_json, print_table


@click.command(short_help="How good an encoder is on labelled sounds.")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--folds", metavar="PATTERN", help="Regular expression for file names; sounds with the same match are one fold."
)
@click.option(
    "--robustness",
    default="all",
    show_default=True,
    metavar="KINDS",
    help="all, none, or some of: noise, telephone, mp3, gain, reverberation, start; separated by commas.",
)
@click.option(
    "--seed", default=0, show_default=True, help="Seed for noise, rooms and intervals, and for folds if you give none."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="OUT.json", help="Also write the JSON to a file."
)
@click.option(
    "--markdown", type=click.Path(path_type=Path), metavar="OUT.md", help="Also write tables, for a model card."
)
@click.option("--picture", type=click.Path(path_type=Path), metavar="OUT.png", help="Also draw it.")
@add_options(encoder_options)
@add_options(cleaning_options)
@json_option
def evaluate(
    dataset: Path,
    folds: str | None,
    robustness: str,
    seed: int,
    output: Path | None,
    markdown: Path | None,
    picture: Path | None,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    as_json: bool,
    **settings: object,
) -> int:
    """Evaluate an encoder on DATASET: a folder whose sub-folders are the classes, or a CSV file.

    A linear probe and 5 nearest neighbours, cross-validated; retrieval mAP and P@10; each with its 95 % interval, and again
    with sounds that suffered noise, a telephone, mp3, another level, a room or a late start. A CSV file has the columns path
    (relative to it), label and, if there are folds, fold.
    """
    from sonovec.charts import check_target
    from sonovec.embedding.encoder import load
    from sonovec.evaluation import dataset as datasets
    from sonovec.evaluation import evaluate as evaluation
    from sonovec.evaluation import report
    from sonovec.evaluation.perturb import PERTURBATIONS
    from sonovec.models.defaults import ALIAS
    from sonovec.paths import check_output
    from sonovec.paths import output as writing

    if output:
        check_output(output)
    if markdown:
        report.check_markdown(markdown)
    if picture:
        check_target(picture)
    found = datasets.read(dataset, folds)
    encoder = load(model or ALIAS, **encoder_settings(options, weights=weights, **settings))  # type: ignore[arg-type]
    named = {"all": list(PERTURBATIONS), "none": []}
    kinds = named.get(robustness, [name.strip() for name in robustness.split(",") if name.strip()])
    with watched() as bar:
        result = evaluation.evaluate(
            found,
            encoder,
            perturbations=kinds,
            seed=seed,
            progress=bar,
        )
    try:
        if output:
            with writing(output) as (temporary,):
                temporary.write_text(json.dumps(result.to_json(), ensure_ascii=False, indent=1), encoding="utf-8")
        if markdown:
            report.write_markdown(result, markdown)
        if picture:
            report.draw(result, picture)
    finally:  # the work is not lost where a file cannot be written
        for path, reason in result.failures:
            fail_of(path, reason)
        if as_json:
            print_json(result.to_json())
        else:
            _print(result)
    return 1 if result.failures else 0


def _print(result: object) -> None:
    from sonovec.evaluation import report
    from sonovec.evaluation.evaluate import Evaluation

    assert isinstance(result, Evaluation)
    title = f"{result.model}: {result.sounds} sounds, {len(result.classes)} classes, folds {result.folds}"
    scores = report.headline(result)
    print_table([f"{name} %" for name in scores], [[report.percent(score) for score in scores.values()]], title=title)
    click.echo()
    print_table(
        ["class", "sounds", "probe %"],
        [(name, result.classes[name], f"{100 * share:.1f}") for name, share in result.by_class.items()],
    )
    if result.confusions:
        click.echo()
        print_table(["class", "taken for", "sounds"], result.confusions)
    if result.robustness:
        click.echo()
        print_table(report.COLUMNS, report.rows(result))
    click.echo(
        f"\n{result.audio_seconds / 60:.1f} min of sound in {result.seconds:.1f} s "
        f"({result.audio_seconds / result.seconds:.0f} x real time)"
    )
