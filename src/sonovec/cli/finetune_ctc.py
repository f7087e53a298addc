"""``sonovec finetune --task ctc``: a recogniser, trained with recordings and their transcripts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.log import watched
from sonovec.cli.output import print_table
from sonovec.cli.trained import tell
from sonovec.errors import UsageError

if TYPE_CHECKING:
    from sonovec.speech.training.measure import Scores
    from sonovec.speech.training.result import Trained

#: Mistakes that are printed; JSON has more.
SHOWN = 5


def run(
    data: str,
    output: Path,
    *,
    model: str | None,
    from_scratch: bool,
    size: str | None,
    vocabulary: str | None,
    group: str | None,
    test: str | None,
    device: str,
    plot: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a recogniser, and print what is known of it; `chosen` are settings of its plan."""
    from sonovec.charts import check_target
    from sonovec.speech.training import curves
    from sonovec.speech.training.plan import FROM_SCRATCH, Plan
    from sonovec.speech.training.train import train

    if from_scratch == (model is not None):
        raise UsageError(
            "give what to begin from: a Transformer, such as -m facebook/wav2vec2-base, or --from-scratch --size tiny"
        )
    plan = replace(FROM_SCRATCH if from_scratch else Plan(), **chosen)
    if plot is not None:
        check_target(plot)
    with watched() as bar:
        result = train(
            data,
            output,
            model,
            plan=plan,
            size=(size or "tiny") if from_scratch else None,
            vocabulary=vocabulary,
            group=group,
            test=test,
            device=device,
            progress=bar,
        )
    tell(result, curves.draw, plot, _print, as_json)


def _print(result: Trained) -> None:
    from sonovec.paths import display

    rows = []
    for epoch in result.epochs:
        held = epoch["held_out"]
        loss = "" if epoch["loss"] is None else f"{epoch['loss']:.3f}"
        errors = f"{100 * held['wer']:.1f}", f"{100 * held['cer']:.1f}"
        taken = "taken" if epoch["number"] == result.best else ""
        rows.append((epoch["number"], loss, f"{held['loss']:.3f}", *errors, taken))
    print_table(["epoch", "loss", "held-out loss", "WER %", "CER %", ""], rows)
    if result.resumed_at:
        click.echo(f"\nwent on from step {result.resumed_at} of a run that was ended")
    minutes = f"{result.seconds_heard / 60:.1f} minutes"
    share = f"{result.trained_weights:,} of {result.all_weights:,} weights trained"
    click.echo(f"\n{result.utterances} utterances trained on, {minutes}; {share}; {result.seconds:.0f} s")
    _print_scores("held out", result.held_out_scores)
    if result.test_scores is not None:
        _print_scores("test", result.test_scores)
    click.echo(f"recogniser: {display(result.recogniser)}")


def _print_scores(name: str, scores: Scores) -> None:
    rates = [
        f"{of} {100 * each.value:.1f} % ({100 * each.low:.1f} to {100 * each.high:.1f})"
        for of, each in (("WER", scores.wer), ("CER", scores.cer))
    ]
    click.echo(f"{name}: {', '.join(rates)}, {scores.utterances} utterances in {scores.groups} groups")
    if scores.worst:
        print_table(["said", "written"], scores.worst[:SHOWN])
