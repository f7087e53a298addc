"""``sonovec pretrain``: an encoder trained with sound that nobody has labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.log import watched
from sonovec.cli.options import json_option
from sonovec.cli.output import print_table
from sonovec.cli.trained import tell
from sonovec.errors import UsageError

if TYPE_CHECKING:
    from sonovec.speech.pretraining.result import PreTrained
    from sonovec.speech.pretraining.training import Row

#: The table: what stands above a column, and how it is written.
HEADER = ("step", "loss", "right", "codes", "held-out loss", "right", "codes", "gradient", "rate")
#: Rows that are printed at the end.
ROWS = 20


@click.command(short_help="Train an encoder without labels.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A new folder: the encoder.",
)
@click.option("--size", type=click.Choice(["tiny", "small", "base"]), help="Begin from random weights. [default: tiny]")
@click.option("--continue-from", metavar="MODEL", help="Begin from a wav2vec 2.0 checkpoint: a folder or a hub id.")
@click.option("--steps", type=int, help="Changes of the weights. [default: 20000]")
@click.option("--every", type=int, help="Steps between two measurements. [default: 100]")
@click.option("--batch", type=float, help="Seconds of sound in a step. [default: 40; tiny 20]")
@click.option("--longest", type=float, help="Seconds of the longest crop. [default: 10; tiny 8]")
@click.option("--rate", type=float, help="Highest learning rate. [default: 0.0005; tiny 0.001]")
@click.option("--feature-rate", type=float, help="Share of it that the convolutions have. [default: 0.1]")
@click.option("--warmup", type=float, help="Share of the steps in which the rate rises. [default: 0.08]")
@click.option(
    "--mask", type=float, help="Share of the frames that is masked, overlaps aside. [default: 0.65; tiny 0.5]"
)
@click.option("--span", type=int, help="Frames of a masked span. [default: 10; tiny 5]")
@click.option("--diversity", type=float, help="Weight of the loss that wants all codes used. [default: 0.1; tiny 0.05]")
@click.option("--penalty", type=float, help="Weight of the mean square of the features. [default: 0]")
@click.option("--tolerance", type=int, help="Steps behind the warm-up after which a collapsed run ends. [default: 500]")
@click.option("--held-out", type=float, help="Share of the sound that is measured on. [default: 0.05]")
@click.option("--seed", type=int, help="Of all that is random. [default: 0]")
@click.option(
    "--precision", type=click.Choice(["auto", "f32", "bf16"]), help="Number type of products. [default: auto]"
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where it is trained.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="OUT.png", help="Also draw the curves.")
@json_option
def pretrain(
    folders: tuple[Path, ...],
    output: Path,
    size: str | None,
    continue_from: str | None,
    device: str,
    plot: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train an encoder with all sound in FOLDERS, by the objective of wav2vec 2.0, and save it as FOLDER.

    Parts of the sound are masked, and the network learns to tell what was there from other moments of the same sound. Nobody
    has to label anything. FOLDER is an encoder like any other: give it as -m to each command. `transformers` opens it too.

    A table shows how it goes. If the command is ended or killed, give it again: it goes on from its last checkpoint, in
    FOLDER.partial. FOLDER.partial/latest is the encoder as it was last measured.
    """
    from sonovec.charts import check_target
    from sonovec.speech.pretraining import curves
    from sonovec.speech.pretraining.plan import SUITED, Plan
    from sonovec.speech.pretraining.pretrain import SIZE
    from sonovec.speech.pretraining.pretrain import pretrain as train

    if size is not None and continue_from is not None:
        raise UsageError("--size is of random weights, and --continue-from has a size of its own; give one of them")
    given = {name: value for name, value in chosen.items() if value is not None}
    plan = replace(Plan(), **{**SUITED.get(size or ("" if continue_from else SIZE), {}), **given})
    if plot is not None:
        check_target(plot)
    with watched() as bar:
        result = train(
            folders,
            output,
            size=size,
            continue_from=continue_from,
            plan=plan,
            device=device,
            progress=bar,
            watch=_live if bar is not None else lambda row: None,
        )
    tell(result, curves.draw, plot, _print, as_json)


def _live(row: Row) -> None:
    """A line of the table, above the bar."""
    from dataclasses import asdict

    if not row.step:
        click.echo("  ".join(f"{name:>13}" for name in HEADER), err=True)
    click.echo("  ".join(f"{cell:>13}" for cell in _cells(asdict(row))), err=True)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{row['step']:,}",
        _written(row["learned_contrastive"], ".3f"),
        _written(row["learned_accuracy"], ".1%"),
        _codes(row["learned_perplexity"]),
        _written(row["contrastive"], ".3f"),
        _written(row["accuracy"], ".1%"),
        _codes(row["perplexity"]),
        _written(row["gradient"], ".2f"),
        f"{row['rate']:.1e}",
    )


def _written(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _codes(perplexity: tuple[float, ...]) -> str:
    return " ".join(f"{each:.0f}" for each in perplexity)


def _print(result: PreTrained) -> None:
    from sonovec.paths import display

    rows = result.rows
    stride = -(-(len(rows) - 1) // ROWS) or 1
    shown = [row for number, row in enumerate(rows) if number % stride == 0 or row is rows[-1]]
    print_table(list(HEADER), [_cells(row) for row in shown])
    if result.resumed_at:
        click.echo(f"\nwent on from step {result.resumed_at:,} of a run that was ended")
    heard = f"{result.minutes:.1f} minutes of {result.files} files learned from, {result.held_out_minutes:.1f} held out"
    click.echo(f"\n{heard}; {result.weights:,} weights; {result.codes} codes in each group; {result.seconds:.0f} s")
    if (chance := rows[-1]["chance"]) is not None:
        click.echo(f"by guessing, {chance:.1%} of the held-out frames would be right")
    click.echo(f"encoder: {display(result.encoder)}")
