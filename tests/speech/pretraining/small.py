"""A run that is small: a checkpoint of one layer on disk, in the real format, and a folder of short sounds that differ."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from sonovec.jobs import Job
from sonovec.learn.journal import journal
from sonovec.models import huggingface as hf
from sonovec.speech.pretraining import network
from sonovec.speech.pretraining.objective import SHORTEST
from sonovec.speech.pretraining.plan import Plan
from sonovec.speech.pretraining.shelves import Shelves, held_out, measured
from sonovec.speech.pretraining.survey import Survey, survey
from sonovec.speech.pretraining.training import Training

PLAN = Plan(steps=12, every=4, batch=3.0, longest=1.0, rate=1e-3, held_out=0.2, precision="f32")
LEAST = 400 + (SHORTEST - 1) * 320
CONFIG: dict[str, Any] = {
    "conv_dim": (8,) * 7,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "num_codevectors_per_group": 8,
    "codevector_dim": 8,
    "proj_codevector_dim": 8,
    "num_negatives": 10,
}


def checkpoint(folder: Path, kind: str = "Wav2Vec2ForPreTraining", seed: int = 0, **settings: Any) -> Path:
    """Write a checkpoint of random weights, of a class of transformers'."""
    import transformers

    with torch.random.fork_rng(devices=[]), hf.quiet():
        torch.manual_seed(seed)
        config = getattr(transformers, kind).config_class(**{**CONFIG, **settings})
        getattr(transformers, kind)(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    return folder


def sounds(folder: Path, count: int = 8, seed: int = 0) -> Path:
    """Files of half a second to two, of tones that glide."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        time = np.arange(round(rng.uniform(0.5, 2.0) * 16000)) / 16000
        glide = np.sin(2 * np.pi * (rng.uniform(100, 400) * time + rng.uniform(-80, 300) * time**2))
        sound = 0.2 * glide + 0.02 * rng.standard_normal(len(time))
        soundfile.write(folder / f"{number}.wav", sound.astype(np.float32), 16000)
    return folder


def surveyed(folder: Path, place: Path, least: int = LEAST) -> Survey:
    """What a folder holds."""
    with journal(place) as kept:
        return survey([folder], least, kept, Job())


def training(
    stack: ExitStack, start: Path, folder: Path, place: Path, plan: Plan = PLAN, job: Job | None = None, **odd: Any
) -> Training:
    """A run over the sounds of a folder, whose checkpoints lie in a place; `odd` are entries of its identity."""
    place.mkdir(parents=True, exist_ok=True)
    found = surveyed(folder, place / "survey")
    learned, held = held_out(found.chapters, plan)
    begun = network.continued(str(start), plan.seed)
    identity = {"encoder": "small", "data": found.digest, **plan.to_json(), **odd}
    shelves = stack.enter_context(Shelves(learned, plan))
    rows = measured(held, plan)
    return Training(begun, shelves, rows, plan, place, identity, job or Job(), low=False, watch=lambda row: None)
