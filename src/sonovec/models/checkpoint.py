"""Files of PyTorch weights: read without running anything that they contain, and fitted to a network with a clear word."""

from __future__ import annotations

import codecs
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sonovec.errors import MissingExtraError, OutOfMemoryError, WeightsError
from sonovec.memory import enough_memory
from sonovec.paths import display

if TYPE_CHECKING:
    from torch import nn

#: Shapes of tensors, by their names.
Shapes = Mapping[str, tuple[int, ...]]


def read_state(file: Path, model: str, content: bytes | None = None) -> dict[str, Any]:
    """Read a state dict: names to tensors.

    Parameters
    ----------
    file : Path
    model : str
        Who needs it, for the message where PyTorch is missing.
    content : bytes, optional
        What is read, where it lies within `file`.

    Raises
    ------
    MissingExtraError
        If PyTorch is not installed.
    WeightsError
        If it is not a file of PyTorch weights, or one that holds more than tensors.
    """
    torch = need_torch(model)
    try:
        with enough_memory(display(file), "read"), torch.serialization.safe_globals(_array_globals()):
            state = torch.load(file if content is None else io.BytesIO(content), map_location="cpu", weights_only=True)
    except OutOfMemoryError:
        raise
    except Exception as error:  # PyTorch raises many kinds for a file that is not its own
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(
            f"{display(file)}: not a file of PyTorch weights ({reason}); fetch {file.name} again"
        ) from error
    if not isinstance(state, dict):
        raise WeightsError(
            f"{display(file)}: holds a {type(state).__name__} and no state dict; fetch {file.name} again"
        )
    return state


def need_torch(model: str) -> Any:
    """PyTorch itself.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError(
            f"{model} needs PyTorch once, to convert its weights: pip install 'sonovec[torch]'"
        ) from None
    return torch


def load_state(network: nn.Module, state: dict[str, Any], file: Path, name: str) -> nn.Module:
    """Put a state dict into a network, in evaluation mode; names and shapes must be the network's own.

    Raises
    ------
    WeightsError
        If they are not; the message has the first names that differ.
    """
    # Older files lack the count of batches that batch normalisation keeps, and nothing but training reads.
    state = {key: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
    expected = {
        key: tuple(tensor.shape)
        for key, tensor in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    found = {key: tuple(getattr(tensor, "shape", ())) for key, tensor in state.items()}
    if found != expected:
        raise WeightsError(
            f"{display(file)}: not weights of {name} (differs in {differing(found, expected)}); give weights= the "
            "published file"
        )
    network.load_state_dict(state, strict=False)
    return network.eval()


def differing(found: Shapes, expected: Shapes) -> str:
    """The first names under which shapes are not the same, for a message; empty where all are.

    Examples
    --------
    >>> differing({"a": (1,), "b": (2,)}, {"b": (2,), "c": ()})
    'a, c'
    """
    return ", ".join(sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))[:4])


def _array_globals() -> list[Any]:
    """What a pickled NumPy array names, under NumPy 1's module names and NumPy 2's; all of it only builds arrays."""
    rebuild = np.empty(0).__reduce__()[0]
    numbers = [type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64)]
    kinds = [np.ndarray, np.dtype, *numbers, codecs.encode]
    return [*kinds, (rebuild, "numpy.core.multiarray._reconstruct"), (rebuild, "numpy._core.multiarray._reconstruct")]
