"""The layers of a network in the order in which sound goes through them, and which of them are trained, and how fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonovec.errors import UsageError
from sonovec.learn.tuning.plan import HEAD, WHOLE

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """Modules whose weights are used one after the other and belong together.

    Attributes
    ----------
    name : str
    modules : tuple of str
        Those that hold weights of their own, by their names in the network.
    """

    name: str
    modules: tuple[str, ...]


def layers_of(network: nn.Module, run: Callable[[], Tensor]) -> list[Layer]:
    """The layers of a network, in the order in which they are used.

    Parameters
    ----------
    network : torch.nn.Module
    run : callable
        Runs the network once, and gives the vectors. What does not shape them, such as scores of classes, is no layer.

    Examples
    --------
    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    >>> [layer.name for layer in layers_of(network, lambda: network(torch.ones(1, 2)))]
    ['0', '2']
    """
    used: dict[str, None] = {}
    hooks = [
        module.register_forward_pre_hook(lambda module, inputs, name=name: used.setdefault(name))
        for name, module in network.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    try:
        run().sum().backward()
    finally:
        for hook in hooks:
            hook.remove()
    modules = dict(network.named_modules())
    shaping = [name for name in used if _is_moved(modules[name])]
    network.zero_grad()
    found: dict[str, list[str]] = {}
    for name in shaping:
        found.setdefault(_block(name), []).append(name)
    return [Layer(name, tuple(modules)) for name, modules in found.items()]


def _is_moved(module: nn.Module) -> bool:
    """Whether a gradient came to its own weights; to those of a part that is cut off come zeros."""
    return any(each.grad is not None and bool(each.grad.any()) for each in module.parameters(recurse=False))


def _block(name: str) -> str:
    """The block that a module belongs to: its name up to the first number in it, as of a list of blocks.

    Examples
    --------
    >>> _block("network.encoder.layers.3.attention.k_proj"), _block("features.0"), _block("head")
    ('network.encoder.layers.3', 'features.0', 'head')
    """
    parts = name.split(".")
    numbers = [place for place, part in enumerate(parts) if part.isdecimal()]
    return ".".join(parts[: numbers[0] + 1]) if numbers else name


def chosen(layers: Sequence[Layer], wanted: str | int, model: str) -> list[Layer]:
    """The layers that are trained: all, none, or those from one on.

    Raises
    ------
    UsageError
        If there is no such layer; the message lists them.

    Examples
    --------
    >>> layers = [Layer("a", ()), Layer("b", ()), Layer("c", ())]
    >>> [[layer.name for layer in chosen(layers, wanted, "m")] for wanted in ("whole", "head", "b", -1)]
    [['a', 'b', 'c'], [], ['b', 'c'], ['c']]
    """
    if wanted in (WHOLE, HEAD):
        return list(layers) if wanted == WHOLE else []
    names = [layer.name for layer in layers]
    if isinstance(wanted, int) and -len(layers) <= wanted < len(layers):
        return list(layers[wanted:])
    if wanted in names:
        return list(layers[names.index(str(wanted)) :])
    raise UsageError(
        f"from_layer={wanted!r}: model {model!r} has no such layer; give a number from {-len(layers)} to {len(layers) - 1}, "
        f"or one of: {', '.join(names)}"
    )


def rates(trained: Sequence[Layer], rate: float, decay: float) -> list[float]:
    """The learning rate of each layer: the last has the whole, and each one before it a share of the next one's.

    Examples
    --------
    >>> rates([Layer("a", ()), Layer("b", ()), Layer("c", ())], 1.0, 0.5)
    [0.25, 0.5, 1.0]
    """
    return [rate * decay ** (len(trained) - 1 - place) for place in range(len(trained))]
