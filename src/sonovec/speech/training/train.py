"""From recordings with transcripts to the folder of a recogniser."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import TrainingError, UsageError
from sonovec.extras import require
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.learn.tuning.folders import LAST_GOOD, check_output, partial_of
from sonovec.learn.tuning.result import told
from sonovec.learn.tuning.split import Stretches, split
from sonovec.paths import absolute, display, from_text
from sonovec.speech.corpus import Corpus, Utterance, read
from sonovec.speech.training import start as starts
from sonovec.speech.training import vocabulary as vocabularies
from sonovec.speech.training.measure import Scores, scores
from sonovec.speech.training.plan import FROM_SCRATCH, Plan
from sonovec.speech.training.result import Trained
from sonovec.speech.training.sounds import Sounds
from sonovec.speech.training.start import MADE, Start
from sonovec.speech.training.vocabulary import Vocabulary
from sonovec.words import counted, listed

if TYPE_CHECKING:
    from sonovec.speech.training.loop import Training

#: In the folder of the recogniser: what is known of the run. In the folder of what is not complete: random weights.
REPORT, START = "finetune.json", "start"
#: The seed of a head, and of whatever else a network lacks, beside that of the run.
HEAD = 2**31


def train(
    data: str | os.PathLike[str] | Corpus,
    output: str | os.PathLike[str],
    model: str | None = None,
    *,
    plan: Plan | None = None,
    size: str | None = None,
    vocabulary: str | os.PathLike[str] | None = None,
    group: str | None = None,
    test: str | os.PathLike[str] | Corpus | None = None,
    device: str = "auto",
    progress: Watched = None,
) -> Trained:
    """Train a recogniser with recordings and their transcripts: CTC (Graves et al. 2006) on top of a Transformer.

    Whole speakers are held out; after each epoch they say how good it is, and the best epoch is taken. A call that is
    ended, or killed, at any moment goes on when it is made again: ``OUTPUT.partial`` holds its last checkpoint until the run
    is complete. On a CPU the result is the same, to the bit, as that of a run in one piece on the same machine with as many
    threads.

    Parameters
    ----------
    data : path or Corpus
        See `sonovec.speech.corpus.read`.
    output : path
        A new folder, in the layout of Hugging Face: `sonovec.transcribe` and ``transformers`` take it, and `sonovec.load` as
        an encoder.
    model : str, optional
        The Transformer to begin from: a folder or a hub id.
    plan : Plan, optional
        How it is trained; without it `Plan`'s own values, or `FROM_SCRATCH`.
    size : str, optional
        Instead of `model`: begin from random weights of this size; see `sonovec.speech.sizes`.
    vocabulary : path or "made", optional
        A ``vocab.json``, or "made" for one of the transcripts; without it that of the model's own head, or else "made".
    group : str, optional
        A regular expression on file names: what stays together when some is held out.
    test : path or Corpus, optional
        Recordings that have no part in the training, on which the result is measured once.
    device : {"auto", "cpu", "cuda"}
    progress : True, callable or Job, optional
        See `sonovec.Job`.

    Returns
    -------
    Trained

    Raises
    ------
    UsageError
        If the output is there; if the model cannot be trained so; if there is too little to hear; or if the output's
        checkpoint is of another run. The message names what differs.
    TrainingError
        If numbers are not finite any more, or the disk is full. The message names what is kept.
    MissingExtraError
        If a package is missing.
    """
    plan = plan or (Plan() if size is None else FROM_SCRATCH)
    target = absolute(Path(output).expanduser())
    if (model is None) == (size is None):
        raise UsageError("give one of two: the model to begin from, or the size of random weights, such as size='tiny'")
    check_output(target)
    _check_packages()
    from sonovec.learn.tuning import generators
    from sonovec.learn.tuning.loop import Diverged

    corpus, tested = _corpus(data, group), None if test is None else _corpus(test, group)
    with running(progress) as job, generators.own(), partial_of(target) as partial:
        began = time.monotonic()
        start = starts.pretrained(str(model)) if size is None else starts.from_scratch(size, partial / START, plan.seed)
        own = start.vocabulary if vocabulary is None else None
        words = own or _vocabulary(vocabulary, corpus)
        heard = _Heard.of(corpus, tested, words)
        with Sounds(heard.utterances, start.rate, partial, job) as sounds:
            run = _begun(start, words, own is not None, heard, sounds, plan, partial, device, size, job)
            try:
                run.training.run()
            except Diverged as error:
                raise _kept(error, run, partial) from error
            made = partial / target.name
            result = _finished(run, made, target, time.monotonic() - began)
        made.replace(target)
    shutil.rmtree(partial, ignore_errors=True)
    return result


def _check_packages() -> None:
    for module in ("torch", "transformers", "jiwer"):
        require(module, "training a recogniser", "transformers,speech")


def _corpus(data: str | os.PathLike[str] | Corpus, group: str | None) -> Corpus:
    if isinstance(data, Corpus):
        return data if group is None else data.grouped(group)
    return read(data, group)


def _vocabulary(given: str | os.PathLike[str] | None, corpus: Corpus) -> Vocabulary:
    if given is None or given == MADE:
        return vocabularies.made(each.text for each in corpus.utterances)
    return vocabularies.read(Path(given).expanduser())


@dataclass(frozen=True)
class _Heard:
    """All that is decoded: what is trained on or held out, and behind it what is tested."""

    utterances: tuple[Utterance, ...]
    said: tuple[str, ...]
    n_trained: int
    notes: tuple[str, ...]

    @classmethod
    def of(cls, corpus: Corpus, tested: Corpus | None, vocabulary: Vocabulary) -> _Heard:
        """Spell the transcripts, and leave out those of which nothing is left."""
        trained = [(each, vocabulary.spelled(each.text)) for each in corpus.utterances]
        test = [(each, vocabulary.spelled(each.text)) for each in (tested.utterances if tested else ())]
        notes = [*corpus.notes, *(tested.notes if tested else ())]
        empty = [display(from_text(each.path)) for each, text in (*trained, *test) if not text]
        if empty:
            notes.append(f"{counted(len(empty), 'transcript')} without a letter or figure, left out ({listed(empty)})")
        both = {each.path for each, _ in trained} & {each.path for each, _ in test}
        if both:
            names = listed(sorted(display(from_text(each)) for each in both))
            raise UsageError(
                f"{counted(len(both), 'recording')} to be tested on are among those to be trained on ({names}); take them "
                "out of one of the two"
            )
        kept = [(each, text) for each, text in (*trained, *test) if text]
        return cls(
            tuple(each for each, _ in kept),
            tuple(text for _, text in kept),
            sum(bool(text) for _, text in trained),
            tuple(notes),
        )


@dataclass(frozen=True, eq=False)
class _Run:
    """A run that is ready to begin, or to go on."""

    start: Start
    training: Training
    heard: _Heard
    sounds: Sounds
    learned: list[int]
    held_out: list[int]
    tested: list[int]
    device: str
    precision: str
    notes: tuple[str, ...]


def _begun(
    start: Start,
    vocabulary: Vocabulary,
    is_own: bool,
    heard: _Heard,
    sounds: Sounds,
    plan: Plan,
    folder: Path,
    device: str,
    size: str | None,
    job: Job,
) -> _Run:
    from sonovec.learn.tuning import devices, generators
    from sonovec.speech.training import network as networks
    from sonovec.speech.training.loop import Training

    device, low = devices.settled(device, plan.precision, hears_samples=True)
    generators.begin(plan.seed, HEAD)
    notes = list(heard.notes)
    tokens = int(start.pretrained.config.get("vocab_size", len(vocabulary)))
    keeps_head = is_own and tokens == len(vocabulary)
    if start.has_head and not keeps_head:
        notes.append(
            f"{start.name} writes with {tokens} tokens, and the vocabulary is another one, of {len(vocabulary)}: its head is "
            "made anew"
        )
    network = networks.build(start.pretrained, vocabulary, plan, keeps_head).to(device)
    hearable = _hearable(heard, sounds, plan, notes)
    train, held_out = _split(heard, [each for each in hearable if each < heard.n_trained], plan, notes)
    frames = _frames(start, network, sounds, 1 + plan.speed)
    learned = _learnable(train, heard, vocabulary, frames, notes)
    identity = {
        **plan.to_json(),
        "encoder": start.name if size else start.pretrained.weights_hash,
        "architecture": ", ".join(f"{name} {tuple(each.shape)}" for name, each in network.state_dict().items()),
        "vocabulary": json.dumps(dict(vocabulary.numbers), ensure_ascii=False),
        "data": _digest(heard, sounds),
        "device": device,
        "precision": "bf16" if low else "f32",
    }
    training = Training(
        network,
        vocabulary,
        start.features,
        sounds,
        heard.said,
        learned,
        held_out,
        plan,
        folder,
        identity,
        job,
        low,
    )
    tested = [each for each in hearable if each >= heard.n_trained]
    return _Run(start, training, heard, sounds, learned, held_out, tested, device, identity["precision"], tuple(notes))


def _hearable(heard: _Heard, sounds: Sounds, plan: Plan, notes: list[str]) -> list[int]:
    """The utterances that hold sound, and not too much of it."""
    if sounds.unreadable:
        notes.append(f"{counted(len(sounds.unreadable), 'recording')} not read, left out ({listed(sounds.unreadable)})")
    silent = int((sounds.lengths == 0).sum()) - len(sounds.unreadable)
    if silent:
        notes.append(f"{counted(silent, 'recording')} without a sample, left out")
    limit = plan.longest * sounds.rate
    long = [display(from_text(heard.utterances[each].path)) for each in np.flatnonzero(sounds.lengths > limit)]
    if long:
        notes.append(
            f"{counted(len(long), 'utterance')} longer than {plan.longest:g} s, left out ({listed(long)}); cut them, or give "
            "--longest"
        )
    return [int(each) for each in np.flatnonzero((sounds.lengths > 0) & (sounds.lengths <= limit))]


def _split(heard: _Heard, numbers: list[int], plan: Plan, notes: list[str]) -> tuple[list[int], list[int]]:
    """What is trained on and what is held out: whole groups, or, of one speaker, recordings."""
    groups = [heard.utterances[each].group for each in numbers]
    if len(set(groups)) == 1:
        groups = [heard.utterances[each].path for each in numbers]
        notes.append("all utterances are of one speaker, so that recordings are held out; other voices may do worse")
    if len(set(groups)) < 2:
        raise UsageError(
            f"{counted(len(numbers), 'utterance')} in {counted(len(set(groups)), 'recording')}: nothing can be held out to "
            "stop training in time; give more recordings"
        )
    rows = tuple(np.array([each]) for each in numbers)
    kept, out = split(Stretches(rows, np.zeros((len(rows), 0), np.int8), tuple(groups)), plan.held_out, plan.seed)
    return [numbers[each] for each in kept], [numbers[each] for each in out]


def _frames(start: Start, network: Any, sounds: Sounds, fastest: float) -> NDArray[np.int64]:
    """Frames of each utterance that has sound, where it is heard at its fastest."""
    from sonovec.speech.training.network import frames_of

    lengths = [len(start.features(sounds[each])) if length else 0 for each, length in enumerate(sounds.lengths)]
    return np.array(frames_of(network, [int(length / fastest) for length in lengths]))


def _learnable(
    numbers: Sequence[int], heard: _Heard, vocabulary: Vocabulary, frames: NDArray[np.int64], notes: list[str]
) -> list[int]:
    """The utterances that can be written with the vocabulary, in as many frames as the network gives for them."""
    found, long, unknown, odd = [], [], Counter[str](), 0
    for each in numbers:
        missing = vocabulary.unknown(heard.said[each])
        if missing:
            unknown += missing
            odd += 1
        elif vocabularies.least_frames(vocabulary.encoded(heard.said[each])) > frames[each]:
            long.append(display(from_text(heard.utterances[each].path)))
        else:
            found.append(each)
    if odd:
        notes.append(vocabularies.told_unknown(unknown, odd))
    if long:
        notes.append(
            f"{counted(len(long), 'transcript')} with more characters than the sound has frames for, whose loss would be "
            f"infinite, not trained on ({listed(long)}); see whether they belong to the sound"
        )
    if not found:
        raise UsageError(f"nothing is left to train on: {'; '.join(notes)}")
    return found


def _digest(heard: _Heard, sounds: Sounds) -> str:
    """Of all that a run hears and is told."""
    digest = hashlib.blake2b(sounds.digest.encode(), digest_size=16)
    digest.update(json.dumps([heard.said, [each.group for each in heard.utterances], heard.n_trained]).encode())
    return digest.hexdigest()


def _kept(error: TrainingError, run: _Run, partial: Path) -> TrainingError:
    """The error of a run that diverged, with its last good state saved as a recogniser."""
    best = run.training.best
    run.training.take_best()
    folder = partial / LAST_GOOD
    _save(run, folder)
    return TrainingError(
        f"{error}; the last good state, of epoch {best.number}, is kept as the recogniser {display(folder)}; give a lower "
        f"rate, such as --rate {run.training.plan.rate / 10:g}, and another -o"
    )


def _save(run: _Run, folder: Path) -> None:
    """Write a recogniser as ``transformers`` reads it: network, tokenizer, front end."""
    from sonovec.models import huggingface as hf

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    network = run.training.model
    network.config.mask_time_length = run.training.plan.mask_length
    with hf.quiet():
        network.save_pretrained(folder)
        vocabularies.save(run.training.vocabulary, folder)
        starts.front_end(run.start.pretrained).save_pretrained(folder)


def _scores(run: _Run, numbers: Sequence[int]) -> Scores:
    said, groups = ([values[each] for each in numbers] for values in (run.heard.said, _groups(run)))
    return scores(said, run.training.write(numbers), groups, run.training.plan.seed)


def _groups(run: _Run) -> list[str]:
    return [each.group for each in run.heard.utterances]


def _finished(run: _Run, made: Path, target: Path, seconds: float) -> Trained:
    """Measure what was trained, and save it with the report."""
    training, groups = run.training, _groups(run)
    training.job.report(Progress("measuring", note=target.name))
    tested = _scores(run, run.tested) if run.tested else None
    held_out = _scores(run, run.held_out)
    _save(run, made)
    weights = [(each.numel(), each.requires_grad) for each in training.model.parameters()]
    tokens = sorted(training.vocabulary.numbers, key=lambda token: training.vocabulary.numbers[token])
    result = Trained(
        recogniser=target,
        base=run.start.name,
        vocabulary=tuple(tokens),
        plan=training.plan,
        trained_weights=sum(count for count, learns in weights if learns),
        all_weights=sum(count for count, _ in weights),
        utterances=len(run.learned),
        held_out=len(run.held_out),
        held_out_groups=tuple(sorted({groups[each] for each in run.held_out})),
        seconds_heard=float(run.sounds.lengths[run.learned].sum() / run.sounds.rate),
        epochs=told(training.history),
        best=training.best.number,
        held_out_scores=held_out,
        test_scores=tested,
        precision=run.precision,
        device=run.device,
        resumed_at=training.resumed_at,
        seconds=seconds,
        notes=run.notes,
    )
    result = replace(result, notes=(*result.notes, *_collapse(result)))
    (made / REPORT).write_text(json.dumps(result.to_json(), indent=1), encoding="utf-8")
    return result


def _collapse(result: Trained) -> list[str]:
    """A note where a recogniser writes nothing: CTC begins with blanks everywhere, and some runs stay there."""
    last = result.epochs[-1]
    if result.epochs[result.best]["held_out"]["silent"] < 1:
        return []
    return [
        f"it writes nothing: after {counted(last['number'], 'epoch')} there are only blanks in all {result.held_out} "
        "utterances held out; begin from a pre-trained encoder, or give more --epochs, more --patience, or another --rate "
        f"than {result.plan.rate:g}"
    ]
