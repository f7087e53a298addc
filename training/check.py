"""How good the vectors are on held-out recordings: against the teachers, and by the kinds that names tell."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sonovec.evaluation.metrics import knn, retrieval
from sonovec.models.networks.sonovec_1 import mean_of_steps
from training.corpus import Corpus
from training.labels import kind
from training.lessons import Batch, batch
from training.loss import Student, Targets, steps_of
from training.mixes import Lessons


class HeldOut:
    """The held-out recordings and what the teachers said of them."""

    def __init__(self, lessons: Lessons, corpus: Corpus, device: torch.device) -> None:
        rows = np.arange(len(lessons.mel))
        self._batch = batch(lessons, rows, np.zeros_like(rows), device)
        clips = corpus.part(held_out=True)
        kinds = [kind(clip.path) for clip in clips[:: max(1, len(clips) // len(rows))]]
        counts = {name: kinds.count(name) for name in kinds if name}
        self._labelled = [row for row, name in enumerate(kinds) if name and counts[name] > 1]
        self._kinds = [kinds[row] for row in self._labelled]

    def teachers(self, targets: Targets) -> dict[str, float]:
        """The same figures for the teachers' own features: what there is to reach."""
        wanted = mean_of_steps(targets.normal("steps", self._batch.steps), self._batch.weights)
        both = torch.cat(
            [functional.normalize(wanted), functional.normalize(targets.normal("yamnet", self._batch.yamnet))], 1
        )
        return {
            **{f"mn04 {name}": value for name, value in self._told_apart(wanted).items()},
            **{f"both {name}": value for name, value in self._told_apart(both).items()},
        }

    @torch.no_grad()
    def check(self, student: Student, targets: Targets) -> dict[str, float]:
        """Cosine to mn04, shared nearest neighbours with it, error of the scores, and how well kinds are told apart."""
        told: Batch = self._batch
        student.eval()
        vectors = torch.cat([mean_of_steps(steps_of(student.encoder, mel), weights) for mel, weights in self._parts()])
        wanted = mean_of_steps(targets.normal("steps", told.steps), told.weights)
        _, logits = student.encoder.scores(vectors)
        _, wanted_logits = targets.scores(told.steps.mean(1))
        student.train()
        return {
            "cosine": float(functional.cosine_similarity(student.to_mn04(vectors), wanted).mean()),
            "neighbours": _shared(vectors, wanted),
            "top tag": float((logits.argmax(1) == wanted_logits.argmax(1)).float().mean()),
            **self._told_apart(vectors),
        }

    def _parts(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self._batch.mel.split(64), self._batch.weights.split(64), strict=True))

    def _told_apart(self, vectors: Tensor) -> dict[str, float]:
        rows = vectors[self._labelled].cpu().double().numpy()
        average, first = retrieval(rows, self._kinds)
        return {"5-NN": knn(rows, self._kinds).value, "mAP": average.value, "P@10": first.value}


def _shared(vectors: Tensor, wanted: Tensor, k: int = 10) -> float:
    """Share of the k nearest that two kinds of vectors have in common."""
    near = [_nearest(each, k) for each in (vectors, wanted)]
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*near, strict=True)]))


def _nearest(vectors: Tensor, k: int) -> list[list[int]]:
    unit = functional.normalize(vectors, dim=1)
    cosines = unit @ unit.T
    cosines.fill_diagonal_(-2)
    nearest: list[list[int]] = cosines.topk(k, dim=1).indices.tolist()
    return nearest
