"""``sonovec finetune``: an encoder trained on with sounds of one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from sonovec.cli import finetune_ctc
from sonovec.cli.completion import MODEL
from sonovec.cli.log import watched
from sonovec.cli.options import encoder_settings, json_option
from sonovec.cli.output import print_table
from sonovec.cli.trained import tell
from sonovec.errors import UsageError

GIVEN = click.core.ParameterSource.COMMANDLINE
#: Options that serve one task alone, by their parameters.
ONLY = {
    "classes": {"weights", "options", "whole", "head_only", "from_layer", "layer_decay", "class_weights", "background"},
    "ctc": {
        "size",
        "vocabulary",
        "test",
        "head_first",
        "front_end",
        "dropout",
        "mask",
        "mask_length",
        "speed",
        "longest",
    },
}


@click.command(short_help="Train an encoder on with your own sounds.")
@click.argument("labels", type=click.Path(), metavar="LABELS")
@click.option(
    "--task",
    type=click.Choice(list(ONLY)),
    default="classes",
    show_default=True,
    help="What is learned: classes of sounds, or to write what is said (ctc).",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A new folder: the encoder, or the recogniser.",
)
@click.option("-m", "--model", type=MODEL, help="Encoder to begin from; `sonovec models` lists them.")
@click.option("--weights", type=click.Path(), help="The model's file, or the folder that holds its files.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Set an option of the model.")
@click.option(
    "--from-scratch", is_flag=True, help="Begin from random weights, without the published ones (VGGish, PANNs; ctc)."
)
@click.option("--size", metavar="NAME", help="ctc: size of a network with random weights. [default: tiny]")
@click.option(
    "--vocabulary",
    metavar="FILE|made",
    help="ctc: a vocab.json, or made: of the transcripts. [default: the model's own, or made]",
)
@click.option("--test", metavar="DATA", help="ctc: recordings and transcripts to measure the result on, once.")
@click.option("--head-first", type=float, help="ctc: share of the steps in which the encoder rests. [default: 0.1]")
@click.option(
    "--front-end",
    type=click.Choice(["frozen", "trained"]),
    help="ctc: what becomes of the convolutions. [default: frozen; from scratch trained]",
)
@click.option("--dropout", type=float, help="ctc: share that the layers leave out. [default: 0.05]")
@click.option("--mask", type=float, help="ctc: share of the frames that SpecAugment masks. [default: 0.05]")
@click.option("--mask-length", type=int, metavar="FRAMES", help="ctc: frames of one mask, of 20 ms. [default: 10]")
@click.option("--speed", type=float, help="ctc: how much faster or slower an utterance is heard at most. [default: 0]")
@click.option("--longest", type=float, metavar="SECONDS", help="ctc: longest utterance. [default: 30]")
@click.option("--whole", is_flag=True, help="Train all layers. This is the default.")
@click.option("--head-only", is_flag=True, help="Train only the head, and leave the encoder as it is.")
@click.option(
    "--from-layer",
    metavar="NAME|N",
    help="Train this layer and those behind it; -1 is the last. A wrong name lists them.",
)
@click.option("--epochs", type=int, help="Most passes over the sounds. [default: 20; from scratch 60]")
@click.option(
    "--patience",
    type=int,
    help="End after so many epochs without a better result. [default: 6; from scratch 15; ctc 10, 20]",
)
@click.option("--batch", type=int, help="Windows, or utterances, of one step. [default: 16; from scratch 32; ctc 16]")
@click.option(
    "--rate",
    type=float,
    help="Highest learning rate of the last layer. [default: 0.00002; from scratch 0.0003; ctc 0.0001, 0.001]",
)
@click.option(
    "--layer-decay",
    type=float,
    help="Share of its rate that the layer before each layer has. [default: 0.8; from scratch 1]",
)
@click.option(
    "--augment", type=float, help="How often a sound is changed in each way; 0 for never. [default: 0.3; ctc 0]"
)
@click.option(
    "--class-weights",
    type=click.Choice(["balanced", "none"]),
    help="Whether rare classes weigh more. [default: balanced]",
)
@click.option("--held-out", type=float, help="Share of the sounds that says when to end. [default: 0.2; ctc 0.1]")
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
    task: str,
    output: Path,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    from_scratch: bool,
    size: str | None,
    vocabulary: str | None,
    test: str | None,
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

    With --task ctc, LABELS are recordings with transcripts: a table, LibriSpeech's or Common Voice's layout, a text file
    beside each recording, or FSDD's file names. FOLDER is a recogniser, which sonovec transcribe and transformers take.
    """
    _check_task(click.get_current_context(), task)
    given = {name: value for name, value in chosen.items() if value is not None}
    if task == "ctc":
        finetune_ctc.run(
            labels,
            output,
            model=model,
            from_scratch=from_scratch,
            size=size,
            vocabulary=vocabulary,
            group=group,
            test=test,
            device=device,
            plot=plot,
            as_json=as_json,
            **given,
        )
        return
    from sonovec.charts import check_target
    from sonovec.embedding.encoder import load
    from sonovec.learn.tuning import curves
    from sonovec.learn.tuning.finetune import finetune as tune
    from sonovec.learn.tuning.plan import FROM_SCRATCH, HEAD, WHOLE, Plan
    from sonovec.models.defaults import ALIAS

    if whole + head_only + (from_layer is not None) > 1:
        raise UsageError("--whole, --head-only and --from-layer are three choices; give one")
    layers = HEAD if head_only else WHOLE if from_layer is None else _layer(from_layer)
    plan = replace(FROM_SCRATCH if from_scratch else Plan(), layers=layers, **given)  # type: ignore[arg-type]
    if plot is not None:
        check_target(plot)
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
    tell(result, curves.draw, plot, _print, as_json)


def _check_task(context: click.Context, task: str) -> None:
    """Refuse options of the other task."""
    for other, names in ONLY.items():
        for parameter in context.command.params:
            if other != task and parameter.name in names and context.get_parameter_source(parameter.name) == GIVEN:
                raise UsageError(f"{parameter.opts[0]} serves --task {other}, and the task is {task}; leave it out")


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
