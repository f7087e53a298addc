"""Which models there are: one file for each family in this folder, and third parties' by entry point."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

import sonovec.models
from sonovec.errors import UsageError
from sonovec.models.card import ModelCard
from sonovec.models.model import Model

#: What an encoder is when nobody says which.
DEFAULT = "logmel"
#: A third party's package names its family module under this entry point group.
GROUP = "sonovec.models"


class Family(Protocol):
    """A module with the cards of a family, and how to build a model from one of them."""

    CARDS: tuple[ModelCard, ...]

    def build(self, card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
        """Build a model; `options` are complete and checked, `weights` is what the user named, if anything."""


def cards() -> list[ModelCard]:
    """Cards of all models, by name."""
    return [card for _, (_, card) in sorted(_known()[0].items())]


def card(name: str) -> ModelCard:
    """Card of one model.

    Raises
    ------
    UsageError
        If there is none of that name; the message has the nearest and all names.

    Examples
    --------
    >>> card("vggish").dim
    128
    >>> card("vgish")
    Traceback (most recent call last):
    sonovec.errors.UsageError: model 'vgish' is unknown; did you mean 'vggish'? There are: logmel, vggish
    """
    return _find(name)[1]


def notes() -> list[str]:
    """What is wrong with third parties' models: one line for each that could not be loaded."""
    return list(_known()[1])


def build(name: str, options: Mapping[str, object], weights: Path | None = None) -> Model:
    """Build a model by name.

    Parameters
    ----------
    name : str
    options : mapping
        The model's own options; the others take their defaults.
    weights : Path, optional
        A file, or the folder that holds the model's files; without it the cache and then a download serve.

    Raises
    ------
    UsageError
        If the name, an option or its value is unknown.
    WeightsError
        If weights are missing and cannot be fetched, or are not the right ones.
    """
    family, found = _find(name)
    if weights is not None and not found.weights:
        raise UsageError(f"weights={str(weights)!r}: model {name!r} has no weights; leave weights out")
    return family.build(found, _settle(found, options), weights)


def _find(name: str) -> tuple[Family, ModelCard]:
    known = _known()[0]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"model {name!r} is unknown; {hint}There are: {', '.join(sorted(known))}")
    return known[name]


def _settle(card: ModelCard, options: Mapping[str, object]) -> dict[str, object]:
    for name, value in options.items():
        if name not in card.options:
            there_are = ", ".join(f"{n}={o.default}" for n, o in card.options.items()) or "none"
            raise UsageError(f"model {card.name!r} has no option {name!r}; its options and their defaults: {there_are}")
        allowed = card.options[name].allowed
        if not any(type(value) is type(choice) and value == choice for choice in allowed):
            raise UsageError(
                f"option {name}={value!r} of model {card.name!r}; give one of: {', '.join(map(str, allowed))}"
            )
    return {name: options.get(name, option.default) for name, option in card.options.items()}


@cache
def _known() -> tuple[dict[str, tuple[Family, ModelCard]], tuple[str, ...]]:
    found: dict[str, tuple[Family, ModelCard]] = {}
    broken: list[str] = []
    for module in pkgutil.iter_modules(sonovec.models.__path__):
        family = import_module(f"sonovec.models.{module.name}")
        if hasattr(family, "CARDS"):
            _add(found, cast(Family, family), family.CARDS)
    for point in entry_points(group=GROUP):
        try:
            family = point.load()
            _add(found, cast(Family, family), family.CARDS)
        except Exception as error:  # noqa: BLE001 - somebody else's package must not take ours down
            broken.append(f"models of {point.value} cannot be used: {type(error).__name__}: {error}")
    return found, tuple(broken)


def _add(found: dict[str, tuple[Family, ModelCard]], family: Family, cards: Iterable[ModelCard]) -> None:
    for card in cards:
        if card.name in found:
            raise ValueError(f"the name {card.name!r} is taken by the family {found[card.name][1].family!r}")
        found[card.name] = (family, card)
