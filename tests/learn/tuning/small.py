"""A run that is small: a network of two layers with dropout, on the log-mel statistics of short sounds."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sonovec
from sonovec.embedding.encoder import Encoder
from sonovec.graph import Graph
from sonovec.jobs import Job
from sonovec.learn.tuning.layers import chosen, layers_of
from sonovec.learn.tuning.lessons import Lessons
from sonovec.learn.tuning.network import Tuned, class_weights
from sonovec.learn.tuning.plan import Plan
from sonovec.learn.tuning.sounds import Sounds
from sonovec.learn.tuning.split import split, stretches_of
from sonovec.learn.tuning.training import HeldOut, Training
from tests.learn.tuning import sounds

PLAN = Plan(epochs=4, batch=4, rate=3e-3, head_rate=3e-3, precision="f32")


def network() -> torch.nn.Module:
    """Of weights that are always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = torch.nn.Linear(192, 32), torch.nn.ReLU(), torch.nn.Dropout(0.3), torch.nn.Linear(32, 16)
        return torch.nn.Sequential(*parts).eval()


def encoder() -> Encoder:
    """The network on the features of the model ``logmel``, which are vectors of 192."""
    base = sonovec.load("logmel").model
    graph = Graph(key="small-1", input_shape=(192,), torch_module=network)
    return Encoder(replace(base, dim=16, graph=graph, finish=lambda rows, coverage: np.asarray(rows, np.float32)))


def training(
    stack: ExitStack, folder: Path, place: Path, plan: Plan = PLAN, job: Job | None = None, **odd: Any
) -> Training:
    """A run over the sounds of a folder, whose checkpoints lie in a place; `odd` are entries of its identity."""
    place.mkdir(parents=True, exist_ok=True)
    base, job = encoder(), job or Job()
    examples = sounds.examples(folder, base)
    kept = stack.enter_context(Sounds(examples, base, place, job))
    stretches = stretches_of(examples)
    train, held_out = split(stretches, plan.held_out, plan.seed)
    tuned = Tuned(base.model, base.module(), len(examples.classes))
    rows, coverage = np.stack([np.zeros(192, np.float32)] * 2), np.ones(2, np.float32)
    tuned.settle_reading(rows, coverage)
    layers = chosen(layers_of(tuned.network, lambda: tuned.vectors(rows, coverage)), plan.layers, "small")
    weights = class_weights(examples.targets, plan.class_weights)
    lessons = Lessons(base.model, kept, examples, stretches, train, plan)
    held = HeldOut(base.model, kept, examples, stretches, held_out)
    identity = {"encoder": "small", **plan.to_json(), **odd}
    return Training(tuned, layers, lessons, held, weights, plan, place, identity, job, low=False)
