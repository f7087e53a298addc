"""What a run has reached, on disk: written whole or not at all, and read back only by the run that wrote it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sonovec.errors import TrainingError, UsageError, WeightsError
from sonovec.paths import atomic, display

CHECKPOINT, BEST = "checkpoint.pt", "best.pt"
FORMAT = 1
#: How an entry of a run's identity is told.
MEANINGS = {
    "encoder": "the encoder",
    "architecture": "the network",
    "classes": "the list of classes",
    "vocabulary": "the vocabulary",
    "data": "what the labelled sounds hold",
    "device": "the device",
    "precision": "the precision",
}


def write(file: Path, state: Mapping[str, Any], step: int) -> None:
    """Write a state.

    Raises
    ------
    TrainingError
        If the disk is full, or does not take it for another reason; what was there before is still there.
    """
    try:
        with atomic(file) as temporary, temporary.open("wb") as stream:
            torch.save({"format": FORMAT, **state}, stream)
    except (OSError, RuntimeError) as error:  # PyTorch wraps what the stream raises
        reason = getattr(error, "strerror", None) or _reason(error)
        before = f"; it goes on from the state before, {display(file)}" if file.exists() else ""
        raise TrainingError(
            f"{display(file)}: step {step} cannot be written ({reason}; {_free(file)} are free there); free some space "
            f"and run the same command again{before}"
        ) from error


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__
    return getattr(cause, "strerror", None) or " ".join(str(error).split())[:120]


def _free(file: Path) -> str:
    try:
        return f"{shutil.disk_usage(file.parent).free / 2**20:.0f} MiB"
    except OSError:
        return "?"


def read(file: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a state that a run of the same identity wrote; None where there is none.

    Raises
    ------
    WeightsError
        If it is damaged.
    UsageError
        If another run wrote it: of another encoder, other sounds or other settings. The message names what differs.
    """
    if not file.exists():
        return None
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        found, known = state["identity"], state["format"]
    except Exception as error:  # PyTorch raises many kinds for a file that is not its own
        raise WeightsError(
            f"{display(file)}: cannot be read as a checkpoint ({' '.join(str(error).split())[:120]}); delete "
            f"{display(file.parent)} to begin anew"
        ) from error
    remedy = f"give what that run was given, another -o, or delete {display(file.parent)} to begin anew"
    if known != FORMAT:
        raise UsageError(f"{display(file)}: has format {known}, and this version reads {FORMAT}; {remedy}")
    for name, mine in identity.items():
        if found.get(name) != mine:
            values = f"{_short(found.get(name))} there, {_short(mine)} now"
            raise UsageError(
                f"{display(file)}: is of another run: {MEANINGS.get(name, name)} differs ({values}); {remedy}"
            )
    return dict(state)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
