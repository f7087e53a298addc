"""What models keep on this machine: fetched weights, pins of hub ids, and converted graphs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sonovec.errors import UsageError
from sonovec.models import hub, registry, weights
from sonovec.models.card import ModelCard
from sonovec.paths import cache_dir


@dataclass(frozen=True)
class Stored:
    """Files and folders of one model, and how many bytes they take."""

    name: str
    paths: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(_size(path) for path in self.paths)


def stored(name: str) -> Stored:
    """What is kept of a model: nothing, if it was never fetched or converted.

    Raises
    ------
    UsageError
        If no model has that name, and no hub id was ever fetched under it.

    Examples
    --------
    >>> stored("logmel").paths
    ()
    """
    pin = hub.pin_of(name)
    if pin.exists():
        return Stored(name, (*hub.files_of(name), *_graphs([hub.digest_of(name)])))
    if hub.HUB_ID.fullmatch(name):
        raise UsageError(f"model {name!r}: nothing of it is kept here; kept are: {', '.join(all_names()) or 'none'}")
    return _of_card(registry.card(name))


def is_here(name: str) -> bool:
    """Whether a model can be built from what is on this machine, without fetching anything.

    Raises
    ------
    UsageError
        If no model has that name.

    Examples
    --------
    >>> is_here("default")
    True
    """
    if hub.HUB_ID.fullmatch(name):
        return hub.pin_of(name).exists()
    return all((weights.folder() / file.name).exists() for file in registry.card(name).weights)


def _of_card(card: ModelCard) -> Stored:
    files = [weights.folder() / file.name for file in card.weights]
    there = [file for file in files if file.exists()]
    records = [record for file in files if (record := weights.record_of(file)).exists()]
    # A file that was changed since has another hash now than its graphs were named by.
    sums = [*map(weights.sha256_of, there), *(record.read_text().strip() for record in records)]
    begun = [weights.part_of(file) for file in files]
    parts = [part for part in (*begun, *map(weights.source_of, begun)) if part.exists()]
    return Stored(card.name, (*there, *records, *parts, *_graphs(sums)))


def _graphs(digests: Iterable[str]) -> list[Path]:
    """Converted graphs, whose names hold the beginning of the weights' hash."""
    folder = cache_dir() / "graphs"
    heads = [digest[:32] for digest in digests if digest]
    return sorted(path for path in folder.glob("*") if any(head in path.name for head in heads))


def all_names() -> list[str]:
    """Models that something is kept of: those of the registry, and hub ids."""
    listed = [card.name for card in registry.cards() if _of_card(card).paths]
    return [*listed, *hub.pinned_names()]


def remove(name: str) -> Stored:
    """Delete what is kept of a model; a file of the user's own, given by ``weights=``, is never touched.

    Returns
    -------
    Stored
        What is gone; its size was taken before.
    """
    found = stored(name)
    for path in found.paths:
        delete(path)
    return found


def rest() -> Stored:
    """Converted networks that belong to no name: of files and folders of the user's own, or of weights that are gone."""
    named = {path for name in all_names() for path in stored(name).paths}
    graphs = sorted((cache_dir() / "graphs").glob("*"))
    return Stored("networks of your own", tuple(path for path in graphs if path not in named))


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(_size(inside) for inside in path.iterdir())
    return path.lstat().st_size if path.exists() or path.is_symlink() else 0
