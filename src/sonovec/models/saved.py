"""Encoders that were saved: a folder with a card, the files that the model was made of, and its network if it was trained.

``encoder.json`` is the card: the model by its name, its options, its windows, and the SHA-256 of every other file.
``weights/`` holds the files as their family reads them, and ``network.pt`` the state of a network that was trained, under its
own names. Nothing in it says where it lies, so that the folder can be moved, and what it loads has the passport of what was
saved.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sonovec.audio.windows import WindowSpec
from sonovec.errors import UsageError, WeightsError
from sonovec.models.card import ModelCard, Option
from sonovec.models.checkpoint import differing, load_state, need_torch, read_state
from sonovec.models.hub import HUB_ID
from sonovec.models.huggingface import REMOTE_CODE
from sonovec.models.model import Model
from sonovec.models.pretrained import read_json
from sonovec.models.side_files import inside
from sonovec.models.weights import sha256_of
from sonovec.paths import absolute, display

CARD, FILES, STATE = "encoder.json", "weights", "network.pt"
FORMAT = 1
#: A model that can be trained on without fetching anything.
BUILTIN = "sonovec-1"
#: Fields of the card, and what each may be.
FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "format": int, "name": str, "revision": str, "model": str, "weights": (str, type(None)), "options": dict,
    "packaged": str, "hop": int, "tail": str, "files": dict,
}  # fmt: skip


def find(name: str, weights: Path | None) -> ModelCard | None:
    """Card of a saved encoder, or None if `name` is not the folder of one."""
    folder = absolute(Path(name).expanduser())
    if not (folder / CARD).is_file():
        return None
    entries = _read(folder)
    model, files = _places(folder, entries)
    from sonovec.models import registry

    base = registry.card(model, files)
    return replace(
        base,
        name=entries["name"],
        revision=entries["revision"],
        place=str(folder),
        hop_seconds=entries["hop"] / base.rate,
        options={key: _as_saved(folder, key, option, entries["options"]) for key, option in base.options.items()},
    )


def _as_saved(folder: Path, name: str, option: Option, saved: Mapping[str, Any]) -> Option:
    """An option whose default is what the encoder was saved with."""
    # Code that comes with a model is never run because a file says so.
    if name not in saved or option is REMOTE_CODE:
        return option
    if not option.allows(saved[name]):
        raise WeightsError(
            f"{display(folder / CARD)}: option {name} is {saved[name]!r} and may be: {option}; save it again"
        )
    return replace(option, default=saved[name])


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model that was saved; `options` may be others than it was saved with, `weights` may not be given."""
    from sonovec.models import registry

    folder = Path(card.place)
    if weights is not None:
        raise UsageError(f"weights={str(weights)!r}: {display(folder)} has its own; leave weights out")
    entries = _read(folder)
    _check_files(folder, entries)
    model, files = _places(folder, entries)
    base = registry.build(model, options, files)
    if not base.files and base.weights_hash != entries["packaged"]:
        raise WeightsError(f"{display(folder)}: this version of sonovec has another {model!r} than it was saved with")
    window = WindowSpec(base.window.length, entries["hop"], entries["tail"])
    built = replace(base, card=card, window=window)
    return _trained(built, folder / STATE) if STATE in entries["files"] else built


def _trained(base: Model, state: Path) -> Model:
    graph, name, digest = base.graph, base.card.name, sha256_of(state)
    if graph is None or graph.torch_module is None:
        raise WeightsError(f"{display(state)}: {name} has no network that this could be the state of; save it again")
    make = graph.torch_module
    return replace(
        base,
        # Not of a file any more, if it was one.
        graph=replace(
            graph,
            key=f"{graph.key}-{digest[:32]}",
            torch_module=lambda: load_state(make(), read_state(state, name), state, name),
            file=None,
            outputs=(),
        ),
        weights_hash=hashlib.sha256(f"{base.weights_hash}{digest}".encode()).hexdigest(),
    )


# -- reading


def _read(folder: Path) -> dict[str, Any]:
    file = folder / CARD
    entries = read_json(file)
    odd = [name for name, kind in FIELDS.items() if not isinstance(entries.get(name), kind)]
    if odd or entries["format"] != FORMAT:
        what = f"lacks {odd[0]}" if odd else f"has format {entries['format']}, and this version reads {FORMAT}"
        raise WeightsError(
            f"{display(file)}: is not a card of a saved encoder ({what}); save it again with Encoder.save"
        )
    return entries


def _places(folder: Path, entries: Mapping[str, Any]) -> tuple[str, Path | None]:
    """What `registry.build` takes: the model by its name or its place in the folder, and its weights."""
    from sonovec.models import registry

    model, weights = entries["model"], entries["weights"]
    if not registry.is_listed(model) and not (weights and HUB_ID.fullmatch(model)):
        model = str(_inside(folder, model))
    return model, None if weights is None else _inside(folder, weights)


def _inside(folder: Path, name: str) -> Path:
    if (path := inside(folder, name)) is None:
        raise WeightsError(f"{display(folder / CARD)}: {display(name)} lies outside of its folder; save it again")
    return path


def _check_files(folder: Path, entries: Mapping[str, Any]) -> None:
    for name, expected in entries["files"].items():
        path = _inside(folder, name)
        if not path.is_file():
            raise WeightsError(f"{display(path)}: no such file, and {CARD} names it; copy the whole folder again")
        if sha256_of(path) != expected:
            raise WeightsError(f"{display(path)}: is not the file that was saved; copy the whole folder again")


# -- writing


def save(model: Model, window: WindowSpec, folder: Path, network: Any = None) -> None:
    """Write a model to a folder, whole or not at all.

    Parameters
    ----------
    model : Model
    window : WindowSpec
        Its hop and what happens to tails are those of the encoder.
    folder : Path
        A new folder, or an empty one.
    network : torch.nn.Module, optional
        The model's network, trained on.

    Raises
    ------
    UsageError
        If the folder is not empty, or the network is none of this model's.
    """
    if network is not None:
        _check_network(model, network)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{display(folder)}: is there and not empty; give a new folder, such as {display(folder)}-2")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".saving-") as scratch:
        made = Path(scratch, "encoder")
        made.mkdir()
        entries = _copied(Path(model.card.place), made) if _is_saved(model) else _described(model, made)
        if network is not None:
            entries["name"] = folder.name
            _write_state(network, made / STATE)
        entries |= {
            "hop": window.hop,
            "tail": window.tail,
            "options": dict(model.options),
            "files": {path.relative_to(made).as_posix(): sha256_of(path) for path in _all_files(made)},
        }
        (made / CARD).write_text(json.dumps(entries, indent=1), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        made.replace(folder)


def _is_saved(model: Model) -> bool:
    return bool(model.card.place) and (Path(model.card.place) / CARD).is_file()


def _copied(source: Path, made: Path) -> dict[str, Any]:
    """All files of an encoder that was saved before, and its card."""
    entries = _read(source)
    for name in entries["files"]:
        _copy(_inside(source, name), made / name)
    return entries


def _described(model: Model, made: Path) -> dict[str, Any]:
    """The files of a model, and the card of it."""
    card = model.card
    place = Path(card.place) if card.place else None
    root = place.parent if place and place.is_file() else place
    for file in model.files:
        if root is not None and not file.is_relative_to(root):
            raise UsageError(
                f"{display(file)}: lies outside of {display(root)}; put it there, name it in the card, and load that again"
            )
        _copy(file, made / FILES / (file.relative_to(root) if root else file.name))
    if place is not None:
        found, weights = FILES if place == root else f"{FILES}/{place.name}", None
    elif HUB_ID.fullmatch(card.name) or len(model.files) > 1:
        found, weights = card.name, FILES
    else:
        found, weights = card.name, f"{FILES}/{model.files[0].name}" if model.files else None
    return {
        "format": FORMAT,
        "name": card.name,
        "revision": card.revision,
        "model": found,
        "weights": weights,
        "packaged": "" if model.files else model.weights_hash,
        "summary": card.summary,
        "licence": card.licence,
        "reference": card.reference,
    }


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def trainable(model: Model) -> Callable[[], Any]:
    """What makes a model's network as a module of PyTorch's.

    Raises
    ------
    UsageError
        If it has none.
    MissingExtraError
        If PyTorch is not installed.
    """
    if model.graph is None:
        raise UsageError(f"model {model.card.name!r} has no network; take another, such as {BUILTIN!r}")
    if model.graph.torch_module is None:
        raise UsageError(
            f"model {model.card.name!r} is a file that PyTorch cannot train; take a model with weights of PyTorch's, such as "
            f"{BUILTIN!r}"
        )
    need_torch(model.card.name)
    return model.graph.torch_module


def _check_network(model: Model, network: Any) -> None:
    """Refuse a network that the model could not take back."""
    if odd := differing(_shapes(network), _shapes(trainable(model)())):
        raise UsageError(
            f"network= does not fit {model.card.name!r} (differs in {odd}); train the module that encoder.module() returns"
        )


def _shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _write_state(network: Any, target: Path) -> None:
    import torch

    torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}, target)
