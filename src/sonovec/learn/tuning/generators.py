"""Random numbers of a step: every generator begins anew with it, so that a resumed run draws what the first would have."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def own() -> Iterator[None]:
    """Use the generators of Python, NumPy and PyTorch (CUDA's too) within the block, and put them back as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def begin(seed: int, step: int) -> None:
    """Begin all generators anew, for one step of a run."""
    drawn = int(np.random.SeedSequence([seed, step]).generate_state(1)[0])
    random.seed(drawn)
    np.random.seed(drawn)  # some networks of Transformers mask by it
    torch.manual_seed(drawn)  # and CUDA's
