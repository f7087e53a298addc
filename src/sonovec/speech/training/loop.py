"""The loop in which a recogniser learns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sonovec.jobs import Job
from sonovec.learn.tuning.loop import Loop, optimiser_of
from sonovec.speech.training import network as networks
from sonovec.speech.training.lessons import Batch, Features, Lessons
from sonovec.speech.training.measure import Figures, errors
from sonovec.speech.training.plan import Plan
from sonovec.speech.training.sounds import Sounds
from sonovec.speech.training.vocabulary import Vocabulary, least_frames

#: Utterances whose features are made at once while they are measured.
MEASURED = 64


class Training(Loop[Batch, Figures]):
    """A run.

    Parameters
    ----------
    network : a model of ``transformers`` for CTC
    vocabulary : Vocabulary
    features : callable
        Samples (n,) to what the network takes.
    sounds : Sounds
    said : sequence of str
        The spelled transcript of each sound.
    learned, held_out : sequence of int
        The sounds that are trained on, and those that are measured.
    plan : Plan
    folder, identity, job, low
        See `Loop`.
    """

    def __init__(
        self,
        network: Any,
        vocabulary: Vocabulary,
        features: Features,
        sounds: Sounds,
        said: Sequence[str],
        learned: Sequence[int],
        held_out: Sequence[int],
        plan: Plan,
        folder: Path,
        identity: Mapping[str, Any],
        job: Job,
        low: bool,
    ) -> None:
        self.plan, self.vocabulary, self.model = plan, vocabulary, network
        self._features, self._sounds, self._said, self._held_out = features, sounds, said, held_out
        wanted = [[] if vocabulary.unknown(text) else vocabulary.encoded(text) for text in said]
        self._wanted: list[list[int]] = wanted
        self._blank = vocabulary.numbers[vocabulary.blank]
        lessons = Lessons(features, sounds, learned, wanted, plan)
        self._head_steps = round(plan.head_first * plan.epochs * lessons.per_epoch)
        super().__init__(network, _optimiser(network, plan), lessons, plan, folder, identity, job, low)

    def loss(self, batch: Batch) -> float:
        """Mean of the losses of a batch, with its gradients; each part of it runs, and is let go, on its own."""
        is_whole = self.step >= self._head_steps
        self.model.train()
        self.model.base_model.train(is_whole)
        total = 0.0
        for part in networks.parts(self.model, batch.rows):
            rows, wanted = [batch.rows[row] for row in part], [batch.wanted[row] for row in part]
            with self.autocast():
                scores, frames = networks.scores(self.model, rows, self.plan.mask_length, is_whole)
            loss = networks.losses(scores, frames, wanted, self._blank).sum() / len(batch.rows)
            loss.backward()
            total += float(loss.detach())
        return total

    def measure(self) -> Figures:
        """Measure it on what is held out."""
        said = [self._said[number] for number in self._held_out]
        written, losses = [""] * len(said), []
        for place, text, loss in self._written(self._held_out):
            written[place] = text
            losses += [] if loss is None else [loss]
        words, characters = (errors(said, written, of).sum() for of in ("words", "characters"))
        return Figures(
            wer=float(words / sum(len(text.split()) for text in said)),
            cer=float(characters / sum(map(len, said))),
            loss=float(np.mean(losses)) if losses else 0.0,
            silent=float(np.mean([not text for text in written])),
        )

    def write(self, numbers: Sequence[int]) -> list[str]:
        """What it writes for some of the sounds."""
        found = [""] * len(numbers)
        for place, text, _ in self._written(numbers):
            found[place] = text
        return found

    def figures(self, values: Mapping[str, Any]) -> Figures:
        """Figures of their values."""
        return Figures(**values)

    def _written(self, numbers: Sequence[int]) -> Iterator[tuple[int, str, float | None]]:
        """The place of each sound in the list, its text, and its loss where it can be written."""
        self.model.eval()
        order = sorted(range(len(numbers)), key=lambda place: self._sounds.lengths[numbers[place]])
        for first in range(0, len(order), MEASURED):
            self.job.check()
            places = order[first : first + MEASURED]
            rows = [self._features(self._sounds[numbers[place]]) for place in places]
            for part in networks.parts(self.model, rows):
                yield from self._heard([places[row] for row in part], [rows[row] for row in part], numbers)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _heard(
        self, places: list[int], rows: list[NDArray[np.float32]], numbers: Sequence[int]
    ) -> list[tuple[int, str, float | None]]:
        with self.autocast():
            scores, frames = networks.scores(self.model, rows)
        wanted = [self._wanted[numbers[place]] for place in places]
        losses = networks.losses(scores, frames, wanted, self._blank).tolist()
        best = scores.argmax(-1).tolist()
        fits = [bool(each) and least_frames(each) <= n for each, n in zip(wanted, frames, strict=True)]
        return [
            (place, self.vocabulary.decoded(best[row][: frames[row]]), losses[row] if fits[row] else None)
            for row, place in enumerate(places)
        ]


def _optimiser(network: Any, plan: Plan) -> torch.optim.Optimizer:
    """The head learns at a rate of its own; what is frozen is in no group."""
    head = list(network.lm_head.parameters())
    known = set(map(id, head))
    body = [each for each in network.parameters() if each.requires_grad and id(each) not in known]
    return optimiser_of([(body, plan.rate), (head, plan.head_rate)], plan.weight_decay)
