"""Pre-training from folders of sound to the folder of an encoder."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sonovec.errors import TrainingError, UsageError
from sonovec.extras import require
from sonovec.jobs import Job, Watched, running
from sonovec.learn.journal import journal
from sonovec.learn.tuning.folders import check_output, partial_of
from sonovec.models.speech import shortest
from sonovec.paths import absolute, display
from sonovec.speech.pretraining.plan import SUITED, Plan
from sonovec.speech.pretraining.result import PreTrained
from sonovec.speech.pretraining.shelves import Shelves, held_out, measured
from sonovec.speech.pretraining.survey import Chapter, Survey, survey
from sonovec.speech.recogniser import RATE

if TYPE_CHECKING:
    from sonovec.speech.pretraining.network import Start
    from sonovec.speech.pretraining.training import Row, Training

#: What is in the folder beside the encoder's files, and beside it what a run has heard of the sound.
REPORT, SURVEY = "pretrain.json", "survey"
SIZE = "tiny"
NOTHING_HELD_OUT = (
    "nothing is held out, for there is one short file, or held_out is 0; the figures are those of the steps"
)


def pretrain(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    size: str | None = None,
    continue_from: str | os.PathLike[str] | None = None,
    plan: Plan | None = None,
    device: str = "auto",
    progress: Watched = None,
    watch: Callable[[Row], object] = lambda row: None,
) -> PreTrained:
    """Train a wav2vec 2.0 encoder with sound that nobody has labelled, and save it.

    Spans of each crop are masked, and the network tells the quantised sound behind each masked frame from that of other
    masked frames of the same crop (Baevski et al. 2020, https://arxiv.org/abs/2006.11477).

    A call that is ended, or killed, at any moment goes on when it is made again: ``OUTPUT.partial`` holds its last checkpoint
    until the run is complete, and in ``latest`` the encoder as it was last measured, which opens like any other. On a CPU the
    result is the same, to the bit, as that of a run in one piece on the same machine with as many threads.

    Parameters
    ----------
    paths : path or sequence of paths
        Folders and files, of any length and format. Silence of a second and more is skipped.
    output : path
        A new folder: the encoder.
    size : {"tiny", "small", "base"}, optional
        Of random weights that are begun from; "tiny" if nothing is given.
    continue_from : str or path, optional
        A wav2vec 2.0 checkpoint that learns on, by folder or hub id, in place of random weights.
    plan : Plan, optional
        Settings; those that suit the size if it is left out.
    device : {"auto", "cpu", "cuda"}
    progress : Job, callable or True, optional
    watch : callable, optional
        Called with each `Row` that is measured; of a run that goes on, with the earlier ones first.

    Returns
    -------
    PreTrained

    Raises
    ------
    UsageError
        If there is nothing to learn from; if the output is there, or its checkpoint is of another run; if the checkpoint to
        begin from is of another architecture.
    TrainingError
        If the run has collapsed, if numbers are not finite any more, or the disk is full. The message names what is kept.
    MissingExtraError
        If PyTorch or transformers is not installed.
    """
    if size is not None and continue_from is not None:
        raise UsageError(
            f"size={size!r} is of random weights, and continue_from= has a size of its own; give one of them"
        )
    target = absolute(Path(output).expanduser())
    check_output(target)
    _check_packages()
    from sonovec.learn.tuning import generators
    from sonovec.learn.tuning.loop import Diverged
    from sonovec.speech.pretraining import network
    from sonovec.speech.pretraining.collapse import Collapsed
    from sonovec.speech.pretraining.training import told

    plan = plan or Plan(**SUITED.get(size or ("" if continue_from else SIZE), {}))
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    with running(progress) as job, generators.own(), partial_of(target) as partial, journal(partial / SURVEY) as kept:
        began = time.monotonic()
        if continue_from is None:
            start = network.random(size or SIZE, plan.seed)
        else:
            start = network.continued(os.fspath(continue_from), plan.seed)
        least = _least(start)
        found = survey(given, least, kept, job)
        learned, held = held_out(found.chapters, plan)
        notes = (*start.notes, *found.notes(least), *([] if held else [NOTHING_HELD_OUT]))
        with Shelves(learned, plan) as shelves:
            training = _training(start, found, shelves, held, plan, partial, device, job, watch)
            try:
                training.run()
            except (Diverged, Collapsed) as error:
                raise _kept(error, partial) from error
        made = partial / target.name
        start.save(made)
        result = PreTrained(
            encoder=target,
            base=start.name,
            plan=plan,
            weights=sum(each.numel() for each in start.network.parameters()),
            codes=start.network.config.num_codevectors_per_group,
            files=found.files,
            minutes=_minutes(learned),
            held_out_minutes=_minutes(held),
            rows=told(training.history),
            precision=str(training.identity["precision"]),
            device=str(training.identity["device"]),
            resumed_at=training.resumed_at,
            seconds=time.monotonic() - began,
            notes=notes,
        )
        (made / REPORT).write_text(json.dumps(result.to_json(), indent=1), encoding="utf-8")
        made.replace(target)
    shutil.rmtree(partial, ignore_errors=True)
    return result


def _check_packages() -> None:
    for module in ("torch", "transformers"):
        require(module, "pre-training", "transformers")


def _least(start: Start) -> int:
    """Samples of the shortest crop that can be learned from."""
    from sonovec.speech.pretraining.objective import SHORTEST

    config = start.network.config
    return shortest(config.to_dict()) + (SHORTEST - 1) * int(config.inputs_to_logits_ratio)


def _training(
    start: Start,
    found: Survey,
    shelves: Shelves,
    held: Sequence[Chapter],
    plan: Plan,
    partial: Path,
    device: str,
    job: Job,
    watch: Callable[[Row], object],
) -> Training:
    from sonovec.learn.tuning import devices
    from sonovec.speech.pretraining.training import Training

    device, low = devices.settled(device, plan.precision, hears_samples=True)
    identity = {
        **plan.to_json(),
        "encoder": start.name,
        "architecture": start.digest,
        "data": found.digest,
        "device": device,
        "precision": "bf16" if low else "f32",
    }
    start.network.to(device)
    return Training(start, shelves, measured(held, plan), plan, partial, identity, job, low, watch)


def _kept(error: TrainingError, partial: Path) -> TrainingError:
    """The error of a run that learns nothing any more, with where its last good state is."""
    from sonovec.speech.pretraining.training import LATEST

    return TrainingError(
        f"{error}; the last state that was measured is kept as the encoder {display(partial / LATEST)}; to begin anew give "
        "another -o"
    )


def _minutes(chapters: Sequence[Chapter]) -> float:
    return sum(chapter.loud for chapter in chapters) / RATE / 60
