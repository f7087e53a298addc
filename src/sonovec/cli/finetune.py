"""``sonovec finetune``: an encoder trained on with sounds of one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from sonovec.cli.completion import MODEL
from sonovec.cli.log import watched
from sonovec.cli.options import encoder_settings, json_option
from sonovec.cli.output import print_json, print_table, warn
from sonovec.errors import UsageError


@click.command(short_help="Train an encoder on with your own sounds.")
@click.argument("labels", type=click.Path())
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A new folder: the encoder.",
)
@click.option("-m", "--model", type=MODEL, help="Encoder to begin from; `sonovec models` lists them.")
@click.option("--weights", type=click.Path(), help="The model's file, or the folder that holds its files.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Set an option of the model.")
@click.option(
    "--from-scratch", is_flag=True, help="Begin from random weights, without the published ones (VGGish, PANNs)."
)
@click.option("--whole", is_flag=True, help="Train all layers. This is the default.")
@click.option("--head-only", is_flag=True, help="Train only the head, and leave the encoder as it is.")
@click.option(
    "--from-layer",
    metavar="NAME|N",
    help="Train this layer and those behind it; -1 is the last. A wrong name lists them.",
)
@click.option("--epochs", type=int, help="Most passes over the sounds. [default: 20; from scratch 60]")
@click.option(
    "--patience", type=int, help="End after so many epochs without a better result. [default: 6; from scratch 15]"
)
@click.option("--batch", type=int, help="Windows of one step. [default: 16; from scratch 32]")
@click.option(
    "--rate", type=float, help="Highest learning rate of the last layer. [default: 0.00002; from scratch 0.0003]"
)
@click.option(
    "--layer-decay",
    type=float,
    help="Share of its rate that the layer before each layer has. [default: 0.8; from scratch 1]",
)
@click.option("--augment", type=float, help="How often a sound is changed in each way; 0 for never. [default: 0.3]")
@click.option(
    "--class-weights",
    type=click.Choice(["balanced", "none"]),
    help="Whether rare classes weigh more. [default: balanced]",
)
@click.option("--held-out", type=float, help="Share of the sounds that says when to end. [default: 0.2]")
@click.option("--group", metavar="COLUMN|PATTERN", help="What must stay together, such as cuts of one recording.")
@click.option("--background", type=click.Path(), help="Sounds in which none of the classes is heard.")
@click.option("--seed", type=int, help="Of all that is random. [default: 0]")
@click.option(
    "--precision", type=click.Choice(["auto", "f32", "bf16"]), help="Number type of products. [default: auto]"
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where it is trained.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="OUT.png", help="Also draw the curves.")
@json_option
def finetune(
    labels: str,
    output: Path,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    from_scratch: bool,
    whole: bool,
    head_only: bool,
    from_layer: str | None,
    group: str | None,
    background: str | None,
    device: str,
    plot: Path | None,
    as_json: bool,
    **chosen: object,
) -> None:
    """Train an encoder on with LABELS, and save it as FOLDER, with a detector in it.

    LABELS are what `sonovec train` takes: a folder whose sub-folders are the classes, a list, or files of labels. FOLDER is
    an encoder like any other: give it as -m to each command. The detector in it is FOLDER/head.detector.

    Recordings are held out, and the epoch that is best on them is taken. If the command is ended or killed, give it again: it
    goes on from its last checkpoint, in FOLDER.partial.
    """
    from sonovec.embedding.encoder import load
    from sonovec.learn.tuning import curves
    from sonovec.learn.tuning.finetune import finetune as tune
    from sonovec.learn.tuning.plan import FROM_SCRATCH, HEAD, WHOLE, Plan
    from sonovec.models.defaults import ALIAS

    if whole + head_only + (from_layer is not None) > 1:
        raise UsageError("--whole, --head-only and --from-layer are three choices; give one")
    layers = HEAD if head_only else WHOLE if from_layer is None else _layer(from_layer)
    given = {name: value for name, value in chosen.items() if value is not None}
    plan = replace(FROM_SCRATCH if from_scratch else Plan(), layers=layers, **given)  # type: ignore[arg-type]
    if plot is not None:
        curves.check_target(plot)
    name = model or ALIAS
    if from_scratch and (weights or options):
        raise UsageError(
            "--from-scratch begins from random weights, with the default options; leave --weights and --option out"
        )
    encoder = name if from_scratch else load(name, **encoder_settings(options, weights=weights))  # type: ignore[arg-type]
    with watched() as bar:
        result = tune(
            labels,
            output,
            encoder,
            plan=plan,
            group=group,
            background=background,
            from_scratch=from_scratch,
            device=device,
            progress=bar,
        )
    try:
        if plot is not None:
            curves.draw(result, plot)
    finally:
        for note in result.notes:
            warn(note)
        if as_json:
            print_json(result.to_json())
        else:
            _print(result)


def _layer(text: str) -> str | int:
    return int(text) if text.removeprefix("-").isdecimal() else text


def _print(result: object) -> None:
    from sonovec.learn.tuning.result import FineTuned
    from sonovec.paths import display

    assert isinstance(result, FineTuned)
    rows = []
    for epoch in result.epochs:
        held = epoch["held_out"]
        accuracy = "" if held["accuracy"] is None else f"{held['accuracy']:.3f}"
        loss = "" if epoch["loss"] is None else f"{epoch['loss']:.4f}"
        taken = "taken" if epoch["number"] == result.best else ""
        rows.append((epoch["number"], loss, f"{held['loss']:.4f}", f"{held['average_precision']:.3f}", accuracy, taken))
    print_table(["epoch", "loss", "held-out loss", "average precision", "accuracy", ""], rows)
    if result.resumed_at:
        click.echo(f"\nwent on from step {result.resumed_at} of a run that was ended")
    share = f"{result.trained_weights:,} of {result.all_weights:,} weights trained"
    click.echo(f"\n{result.stretches} sounds trained on, {result.held_out} held out; {share}; {result.seconds:.0f} s")
    if not result.best:
        click.echo("no epoch was better than the encoder as it was with a new head, so that is what was saved")
    click.echo(f"encoder: {display(result.encoder)}    detector: {display(result.detector)}")
