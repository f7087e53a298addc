"""Fine-tuning from labels to a folder: the encoder, a detector in it, and what is known of the run."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.embedding.encoder import Encoder, load
from sonovec.errors import PassportError, TrainingError, UsageError
from sonovec.extras import require
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.learn import thresholds
from sonovec.learn.calibration import platt
from sonovec.learn.detector import ENCLOSING, Detector, Exemplars
from sonovec.learn.examples import Examples
from sonovec.learn.labels import LabelSet
from sonovec.learn.tuning.folders import LAST_GOOD, check_output, partial_of
from sonovec.learn.tuning.plan import FROM_SCRATCH, Plan
from sonovec.learn.tuning.result import FineTuned, told
from sonovec.learn.tuning.sounds import Sounds
from sonovec.learn.tuning.split import Stretches, split, stretches_of
from sonovec.models import scratch
from sonovec.models.defaults import ALIAS
from sonovec.models.registry import resolve
from sonovec.paths import absolute, display
from sonovec.vectors import unit

if TYPE_CHECKING:
    from sonovec.learn.tuning.training import Training

#: What is beside the encoder's own files in its folder.
DETECTOR, REPORT = "head.detector", "finetune.json"
#: In the folder of what is not complete: random weights that were begun from.
START = "start"
#: Windows that the encoder embeds at once.
EMBEDDED = 64


def finetune(
    labels: str | os.PathLike[str] | LabelSet | Examples,
    output: str | os.PathLike[str],
    encoder: str | Encoder = ALIAS,
    *,
    plan: Plan | None = None,
    group: str | None = None,
    background: str | os.PathLike[str] | None = None,
    from_scratch: bool = False,
    device: str = "auto",
    progress: Watched = None,
) -> FineTuned:
    """Train an encoder on with labelled sounds, and save it with a detector.

    The head is fitted first, to the vectors of the encoder as it is; then the chosen layers are trained with it, on windows
    whose sound is changed as `sonovec.augment` says. Whole groups are held out, and after each epoch they say how good it is:
    the best epoch is taken, and that may be the 0th, the encoder as it was.

    A call that is ended, or killed, at any moment goes on when it is made again: ``OUTPUT.partial`` holds its last checkpoint
    until the run is complete. On a CPU the result is the same, to the bit, as that of a run in one piece on the same machine
    with as many threads.

    Parameters
    ----------
    labels : path, LabelSet or Examples
        What `sonovec.learn.labels.read` reads, or what it gave; or examples of this encoder.
    output : path
        A new folder, which `sonovec.load` takes. The detector is in it, as ``head.detector``.
    encoder : str or Encoder
        A name, or an encoder; its network must be one that PyTorch can train.
    plan : Plan, optional
        How it is trained; without it `Plan`'s own values, or `FROM_SCRATCH`.
    group : str, optional
        See `sonovec.learn.labels.read`.
    background : path, optional
        Sounds in which none of the classes is heard.
    from_scratch : bool
        Begin from random weights, for which no published file is needed; some models can.
    device : {"auto", "cpu", "cuda"}
    progress : True, callable or Job, optional
        See `sonovec.Job`.

    Returns
    -------
    FineTuned

    Raises
    ------
    PassportError
        If examples are of another encoder.
    UsageError
        If the output is there; if the encoder cannot be trained so; if labels are too few; or if the output's checkpoint
        is of another run. The message names what differs.
    TrainingError
        If numbers are not finite any more, or the disk is full. The message names what is kept.
    MissingExtraError
        If PyTorch is not installed.
    """
    plan = plan or (FROM_SCRATCH if from_scratch else Plan())
    target = absolute(Path(output).expanduser())
    check_output(target)
    for module in ("torch", "sklearn"):
        require(module, "fine-tuning", "torch,learn")
    from sonovec.learn.tuning import generators
    from sonovec.learn.tuning.training import Diverged

    with running(progress) as job, generators.own(), partial_of(target) as partial:
        began = time.monotonic()
        base = _encoder(encoder, partial / START, from_scratch, plan.seed, job)
        examples = windows_of(_examples(labels, base, group, background, job), base)
        with Sounds(examples, base, partial, job) as sounds:
            run = _begun(base, examples, sounds, plan, partial, device, from_scratch, job)
            try:
                run.training.run()
            except Diverged as error:
                raise _kept(error, run, partial) from error
            result = _finished(run, examples, sounds, partial / target.name, target, time.monotonic() - began, job)
        (partial / target.name).replace(target)
    shutil.rmtree(partial, ignore_errors=True)
    return result


def _encoder(encoder: str | Encoder, start: Path, from_scratch: bool, seed: int, job: Job) -> Encoder:
    """The encoder that is begun from, with windows of the model's own."""
    if from_scratch:
        if isinstance(encoder, Encoder):
            raise UsageError("from_scratch=True takes the name of a model, such as 'vggish', and not an encoder")
        job.report(Progress("drawing random weights", note=encoder))
        return load(encoder, weights=scratch.write(resolve(encoder), start, seed))
    return encoder if isinstance(encoder, Encoder) else load(encoder, progress=job.part("loading the encoder"))


def _examples(labels: Any, encoder: Encoder, group: str | None, background: Any, job: Job) -> Examples:
    if isinstance(labels, Examples):
        if labels.passport != encoder.passport:
            name, theirs, mine = labels.passport.differences(encoder.passport)[0]
            raise PassportError(
                f"these examples have vectors with {name}={theirs!r}, and the encoder gives {mine!r}; embed again"
            )
        return labels
    from sonovec.learn import labels as sources
    from sonovec.learn.examples import embed

    found = labels if isinstance(labels, LabelSet) else sources.read(labels, group=group)
    return embed(found, encoder, background=background, progress=job.part("embedding"))


def windows_of(examples: Examples, encoder: Encoder) -> Examples:
    """The rows of examples that are windows, and not means of several."""
    longest = (encoder.window.length + 1) / encoder.rate
    keep = np.flatnonzero(examples.times[:, 1] - examples.times[:, 0] <= longest)
    arrays = {name: getattr(examples, name)[keep] for name in ("vectors", "targets", "stretches", "times", "weights")}
    texts = {name: tuple(getattr(examples, name)[row] for row in keep) for name in ("groups", "paths")}
    kept: dict[str, Any] = {**arrays, **texts}
    return replace(examples, **kept)


@dataclass(frozen=True, eq=False)
class _Run:
    """A run that is ready to begin, or to go on."""

    base: Encoder
    training: Training
    stretches: Stretches
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    layers: tuple[str, ...]
    device: str
    precision: str

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of some stretches."""
        return np.concatenate([self.stretches.rows[number] for number in numbers])


def _begun(
    base: Encoder,
    examples: Examples,
    sounds: Sounds,
    plan: Plan,
    folder: Path,
    device: str,
    from_scratch: bool,
    job: Job,
) -> _Run:
    from sonovec.learn.tuning import devices
    from sonovec.learn.tuning.layers import chosen, layers_of
    from sonovec.learn.tuning.lessons import Lessons
    from sonovec.learn.tuning.network import Tuned, class_weights
    from sonovec.learn.tuning.training import HeldOut, Training

    stretches = stretches_of(examples)
    train, held_out = split(stretches, plan.held_out, plan.seed)
    probe = [sounds.row(row) for row in range(min(4, len(examples.paths)))]
    coverage = np.array([share for _, share in probe], np.float32)
    features = base.model.features(np.stack([samples for samples, _ in probe]), coverage)
    device, low = devices.settled(device, plan.precision, hears_samples=features[0].ndim == 1)
    tuned = Tuned(base.model, base.module(), len(examples.classes), from_scratch).to(device)
    tuned.settle_reading(features, coverage)
    layers = layers_of(tuned.network, lambda: tuned.vectors(features, coverage))
    trained = chosen(layers, plan.layers, base.card.name)
    weights = class_weights(examples.targets[np.concatenate([stretches.rows[n] for n in train])], plan.class_weights)
    if not from_scratch:
        rows = np.concatenate([stretches.rows[number] for number in train])
        tuned.fit_head(examples.vectors[rows], examples.targets[rows], weights.to(device))
    identity = {
        **plan.to_json(),
        "encoder": base.passport.fingerprint,
        "architecture": ", ".join(f"{name} {tuple(each.shape)}" for name, each in tuned.state_dict().items()),
        "classes": [str(name) for name in examples.classes],
        "data": _digest(examples, sounds),
        "device": device,
        "precision": "bf16" if low else "f32",
    }
    training = Training(
        tuned,
        trained,
        Lessons(base.model, sounds, examples, stretches, train, plan),
        HeldOut(base.model, sounds, examples, stretches, held_out),
        weights,
        plan,
        folder,
        identity,
        job,
        low,
    )
    return _Run(
        base,
        training,
        stretches,
        train,
        held_out,
        tuple(layer.name for layer in trained),
        device,
        identity["precision"],
    )


def _digest(examples: Examples, sounds: Sounds) -> str:
    """Of all that a run hears and is told."""
    import hashlib

    digest = hashlib.blake2b(sounds.digest.encode(), digest_size=16)
    for array in (examples.targets, examples.stretches, np.round(examples.times, 6)):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(json.dumps(examples.groups).encode())
    return digest.hexdigest()


def _kept(error: TrainingError, run: _Run, partial: Path) -> TrainingError:
    """The error of a run that diverged, with its last good state saved as an encoder."""
    best = run.training.best
    run.training.take_best()
    folder = partial / LAST_GOOD
    shutil.rmtree(folder, ignore_errors=True)
    run.base.save(folder, run.training.tuned.network)
    return TrainingError(
        f"{error}; the last good state, of epoch {best.number}, is kept as the encoder {display(folder)}; give a lower rate, "
        f"such as --rate {run.training.plan.rate / 10:g}, and another -o"
    )


def _finished(
    run: _Run, examples: Examples, sounds: Sounds, made: Path, target: Path, seconds: float, job: Job
) -> FineTuned:
    """Save the encoder, convert it, and put the detector and the report into its folder."""
    training = run.training
    job.report(Progress("converting", note=target.name))
    shutil.rmtree(made, ignore_errors=True)
    run.base.save(made, training.tuned.network)
    encoder = load(made)
    vectors = _embedded(encoder, sounds, len(examples.paths), job)
    network = training.tuned.network
    trained = {name for name, each in network.named_parameters() if each.requires_grad}
    result = FineTuned(
        encoder=target,
        detector=target / DETECTOR,
        base=run.base.card.name,
        classes=examples.classes,
        plan=training.plan,
        layers=run.layers,
        trained_weights=sum(each.numel() for name, each in network.named_parameters() if name in trained),
        all_weights=sum(each.numel() for each in network.parameters()),
        stretches=len(run.train),
        held_out=len(run.held_out),
        held_out_groups=tuple(sorted({run.stretches.groups[number] for number in run.held_out})),
        epochs=told(training.history),
        best=training.best.number,
        precision=run.precision,
        device=run.device,
        resumed_at=training.resumed_at,
        seconds=seconds,
        notes=examples.notes,
    )
    detector = _detector(target.name, encoder, run, examples, vectors, result)
    replace(detector, model={**detector.model, "name": ENCLOSING}).save(made / DETECTOR)
    (made / REPORT).write_text(json.dumps(result.to_json(), indent=1), encoding="utf-8")
    return result


def _embedded(encoder: Encoder, sounds: Sounds, count: int, job: Job) -> NDArray[np.float32]:
    """Vectors of all rows, as the saved encoder gives them."""
    network, model, found = encoder.network, encoder.model, []
    assert network is not None
    for first in range(0, count, EMBEDDED):
        job.report(Progress("embedding with the new weights", first, count, "windows"))
        heard = [sounds.row(row) for row in range(first, min(count, first + EMBEDDED))]
        coverage = np.array([share for _, share in heard], np.float32)
        features = model.features(np.stack([samples for samples, _ in heard]), coverage)
        found.append(model.finish(network.run(list(features)), coverage)[:, : encoder.dim])
    return np.concatenate(found)


def _detector(
    name: str, encoder: Encoder, run: _Run, examples: Examples, vectors: NDArray[np.float32], result: FineTuned
) -> Detector:
    """The head as a detector, calibrated on what was held out: of the rest the encoder is surer than it should be."""
    held = run.rows(run.held_out)
    heard, known, weights = vectors[held], examples.targets[held], examples.weights[held]
    head = run.training.tuned.as_head()
    slope, offset = platt(head.scores(heard), known, weights)
    head = replace(head, slope=slope.astype(np.float32), offset=offset.astype(np.float32))
    said = head.probabilities(heard)
    chosen = [thresholds.choose(said[:, row], known[:, row], weights=weights) for row in range(len(examples.classes))]
    return Detector(
        name=name,
        classes=examples.classes,
        thresholds=np.array([each.value for each in chosen], np.float32),
        head=head,
        passport=encoder.passport,
        model={"name": name, "options": dict(encoder.options)},
        exemplars=Exemplars(unit(vectors).astype(np.float16), examples.targets, examples.times, examples.paths),
        settings={"finetune": run.training.plan.to_json()},
        report={
            "finetune": {"epochs": list(result.epochs), "best": result.best, "held_out": result.held_out},
            "thresholds": {name: each.to_json() for name, each in zip(examples.classes, chosen, strict=True)},
        },
    )
