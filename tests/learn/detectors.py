"""Detectors for the tests of what they hear, fitted in a moment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sonovec.embedding.encoder import Encoder, load
from sonovec.embedding.passport import Passport
from sonovec.learn.detector import Detector, Exemplars
from sonovec.learn.head import Head
from sonovec.vectors import unit

PLAIN = Passport("plain", "1", {}, "", "none", "none", "mean", 16000, 16000, 4000, "pad", "f32")
#: The weight that brings the first number of a vector of length 1 to every probability.
STEEP = 40.0


def answering(classes: Sequence[str] = ("a",), threshold: float = 0.5, name: str = "plain") -> Detector:
    """A detector that gives the probabilities that vectors of `vectors_of` were made of."""
    count = len(classes)
    dim = count + 1
    weights = np.eye(count, dim, dtype=np.float32) * STEEP
    head = Head(
        *(np.zeros(dim, np.float32), np.ones(dim, np.float32), weights),
        *(np.zeros(count, np.float32), np.ones(count, np.float32), np.zeros(count, np.float32)),
    )
    examples = Exemplars(
        np.eye(2, dim, dtype=np.float16),
        np.eye(2, count, dtype=np.int8),
        np.array([[0, 1], [2, 3.5]]),
        ("one.wav", "two.wav"),
    )
    model = {"name": "plain", "options": {}}
    return Detector(name, tuple(classes), np.full(count, threshold, np.float32), head, PLAIN, model, examples)


def vectors_of(probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
    """Vectors of length 1 in which a detector of `answering` sees probabilities, shape (n, n_classes)."""
    logits = np.log(probabilities) - np.log1p(-probabilities)
    first = logits / STEEP
    rest = np.sqrt(1 - np.square(first).sum(axis=1, keepdims=True))
    return np.hstack([first, rest]).astype(np.float32)


def fitted(
    name: str,
    classes: Sequence[str],
    vectors: NDArray[np.float32],
    targets: NDArray[np.int8],
    encoder: Encoder,
    times: NDArray[np.float64] | None = None,
    path: str = "train.wav",
) -> Detector:
    """A detector by logistic regressions, one for each class; targets of -1 are left out."""
    from sklearn.linear_model import LogisticRegression

    seen = unit(vectors)
    center, scale = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    fits = []
    for column in targets.T:
        known = column >= 0
        fits.append(LogisticRegression(max_iter=2000).fit(((seen - center) / scale)[known], column[known]))
    count = len(classes)
    head = Head(
        center.astype(np.float32),
        scale.astype(np.float32),
        np.concatenate([fit.coef_ for fit in fits]).astype(np.float32),
        np.concatenate([fit.intercept_ for fit in fits]).astype(np.float32),
        np.ones(count, np.float32),
        np.zeros(count, np.float32),
    )
    places = np.zeros((len(vectors), 2)) if times is None else times
    examples = Exemplars(seen.astype(np.float16), targets.astype(np.int8), places, (path,) * len(vectors))
    model = {"name": encoder.card.name, "options": dict(encoder.options)}
    return Detector(name, tuple(classes), np.full(count, 0.5, np.float32), head, encoder.passport, model, examples)


RATE = 16_000
BEEP, BUZZ = 2000.0, 300.0


def scene(seconds: float, events: Sequence[tuple[float, float, float]], seed: int = 0) -> NDArray[np.float32]:
    """Hiss in which tones are heard: each from when to when, and at which frequency in Hz."""
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32) / 100
    for start, end, frequency in events:
        first, last = round(start * RATE), min(round(end * RATE), len(samples))
        samples[first:last] += (np.sin(np.arange(last - first) * 2 * np.pi * frequency / RATE) / 5).astype(np.float32)
    return samples


@cache
def tones(name: str = "tones", classes: tuple[str, ...] = ("beep", "buzz")) -> Detector:
    """A detector of beeps and of buzzes on vectors of the encoder `logmel`."""
    encoder = load("logmel").with_hop(0.5)
    marks = {
        "beep": (BEEP, [(5, 5.6), (12, 15), (30, 30.5), (50, 58)]),
        "buzz": (BUZZ, [(20, 20.7), (40, 43), (65, 70)]),
    }
    events = [(start, end, frequency) for frequency, spans in marks.values() for start, end in spans]
    heard = encoder.embed((scene(80, events, seed=1), RATE))
    targets = np.zeros((len(heard.windows), len(classes)), np.int8)
    for place, each in enumerate(classes):
        for start, end in marks[each][1]:
            shared = np.minimum(heard.times[:, 1], end) - np.maximum(heard.times[:, 0], start)
            targets[shared > 0, place] = -1
            targets[shared >= 0.5 * min(1, end - start), place] = 1
    return fitted(name, classes, heard.windows, targets, encoder, heard.times)
