"""Random weights, to begin from where the published ones are not at hand, or not wanted: in the format of the published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sonovec.errors import UsageError
from sonovec.models import registry
from sonovec.models.checkpoint import need_torch
from sonovec.paths import atomic


def write(name: str, folder: Path, seed: int = 0) -> Path:
    """Write random weights of a model, and give the file, which `sonovec.load` takes as ``weights``.

    Weights are normal, of the deviation that keeps the power of what goes through layers of ReLUs (He et al. 2015, "Delving
    deep into rectifiers"); offsets are zero, and normalisations do nothing. The same seed gives the same file.

    Raises
    ------
    UsageError
        If the model cannot begin so.
    MissingExtraError
        If PyTorch is not installed.
    """
    family, card = registry.family_of(name)
    untrained = getattr(family, "untrained", None)
    if untrained is None:
        others = ", ".join(
            each.name for each in registry.cards() if hasattr(registry.family_of(each.name)[0], "untrained")
        )
        raise UsageError(f"model {name!r} cannot begin from random weights; these can: {others}")
    torch = need_torch(name)
    file = folder / card.weights[0].name
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = untrained(card)
        network.apply(_begin)
    # Into a stream: of a path, PyTorch writes the name into the file, and that of the temporary one is drawn by chance.
    with atomic(file) as temporary, temporary.open("wb") as stream:
        torch.save(network.state_dict(), stream)
    return file


def _begin(module: Any) -> None:
    from torch import nn

    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
