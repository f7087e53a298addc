"""Which models there are: one file for each family in this folder, and third parties' by entry point."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

import sonovec.models
from sonovec.errors import UsageError, WeightsError
from sonovec.models import huggingface
from sonovec.models.card import ModelCard
from sonovec.models.defaults import ALIAS, DEFAULT
from sonovec.models.model import Model
from sonovec.paths import display

#: A third party's package names its family module under this entry point group.
GROUP = "sonovec.models"


class Family(Protocol):
    """A module with the cards of a family, and how to build a model from one of them."""

    CARDS: tuple[ModelCard, ...]

    def build(self, card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
        """Build a model; `options` are complete and checked, `weights` is what the user named, if anything."""


class OpenFamily(Family, Protocol):
    """A family whose models cannot be listed: those of a hub, or folders of the user's own."""

    def find(self, name: str, weights: Path | None) -> ModelCard | None:
        """Card of the model of that name, or None if the name is not this family's to read."""


def cards() -> list[ModelCard]:
    """Cards of all models, by name."""
    return [card for _, (_, card) in sorted(_known().models.items())]


def resolve(name: str) -> str:
    """The name of a model; ``"default"`` stands for one.

    Examples
    --------
    >>> resolve("default"), resolve("yamnet")
    ('sonovec-1', 'yamnet')
    """
    return DEFAULT if name == ALIAS else name


def card(name: str, weights: Path | None = None) -> ModelCard:
    """Card of one model: by name, by hub id such as ``"facebook/wav2vec2-base"``, or of a folder or card of one's own.

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
    sonovec.errors.UsageError: model 'vgish' is unknown; did you mean 'vggish'? There are: ...
    """
    return family_of(name, weights)[1]


def is_listed(name: str) -> bool:
    """Whether a model of that name is among `cards`.

    Examples
    --------
    >>> is_listed("default"), is_listed("yamnet"), is_listed("birds")
    (True, True, False)
    """
    return resolve(name) in _known().models


def notes() -> list[str]:
    """What is wrong with third parties' models: one line for each that could not be loaded."""
    return list(_known().broken)


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
    try:
        return _build(name, options, weights)
    except FileNotFoundError as error:  # what is missing from the start has messages of its own
        raise WeightsError(
            f"model {name!r}: {display(error.filename)} vanished while it was loaded; load it again when nothing writes there"
        ) from error


def _build(name: str, options: Mapping[str, object], weights: Path | None) -> Model:
    family, found = family_of(name, weights)
    if weights is not None and resolve(name) in _known().models and not found.weights:
        raise UsageError(f"weights={str(weights)!r}: model {name!r} has no weights; leave weights out")
    settled = _settle(found, options)
    model = family.build(found, settled, weights)

    def check() -> None:
        """The files are read when the model is built, for their hash, and again when its graph is converted or run."""
        again = family_of(name, weights)[1]
        if again != found or family.build(again, settled, weights).weights_hash != model.weights_hash:
            raise WeightsError(
                f"model {name!r}: its files changed while it was loaded; load it again when nothing writes to them"
            )

    graph = model.graph and replace(model.graph, check=check)
    text = model.text and replace(model.text, graph=replace(model.text.graph, check=check))
    return replace(model, graph=graph, text=text)


def family_of(name: str, weights: Path | None = None) -> tuple[Family, ModelCard]:
    """The family of a model, and its card; errors are those of `card`."""
    name, known = resolve(name), _known()
    if name in known.models:
        return known.models[name]
    for family in known.open_families:
        if (found := family.find(name, weights)) is not None:
            return family, found
    if (pretrained := huggingface.locate(name, weights)) is not None:
        types = sorted(kind for family in known.open_families for kind in getattr(family, "TYPES", ()))
        raise UsageError(f"model {name!r} is of type {pretrained.type!r}; give one of: {', '.join(types)}")
    near = difflib.get_close_matches(name, known.models, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"model {name!r} is unknown; {hint}There are: {', '.join(sorted(known.models))}; or give a hub id such as "
        "'facebook/wav2vec2-base', a model's folder, or a card.yaml"
    )


def _settle(card: ModelCard, options: Mapping[str, object]) -> dict[str, object]:
    for name, value in options.items():
        if name not in card.options:
            there_are = ", ".join(f"{n}={o.default}" for n, o in card.options.items()) or "none"
            raise UsageError(f"model {card.name!r} has no option {name!r}; its options and their defaults: {there_are}")
        if not card.options[name].allows(value):
            raise UsageError(f"option {name}={value!r} of model {card.name!r}; give one of: {card.options[name]}")
    return {name: options.get(name, option.default) for name, option in card.options.items()}


@dataclass(frozen=True)
class _Known:
    models: dict[str, tuple[Family, ModelCard]]
    open_families: list[OpenFamily]
    broken: list[str]


@cache
def _known() -> _Known:
    known = _Known({}, [], [])
    for module in pkgutil.iter_modules(sonovec.models.__path__):
        family = import_module(f"sonovec.models.{module.name}")
        if hasattr(family, "CARDS"):
            _add(known.models, cast(Family, family), family.CARDS)
        if hasattr(family, "find"):
            known.open_families.append(cast(OpenFamily, family))
    for point in entry_points(group=GROUP):
        try:
            family = point.load()
            _add(known.models, cast(Family, family), family.CARDS)
        except Exception as error:  # noqa: BLE001 - somebody else's package must not take ours down
            known.broken.append(f"models of {point.value} cannot be used: {type(error).__name__}: {error}")
    return known


def _add(found: dict[str, tuple[Family, ModelCard]], family: Family, cards: Iterable[ModelCard]) -> None:
    for card in cards:
        if card.name in found:
            raise ValueError(f"the name {card.name!r} is taken by the family {found[card.name][1].family!r}")
        found[card.name] = (family, card)
