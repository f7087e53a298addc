"""Bring your own: any network in ONNX, TFLite, TensorFlow's SavedModel or TorchScript, with a card in YAML and no code.

The card is a file ``card.yaml``, or the folder that holds it::

    file: birds.onnx              # beside the card
    rate: 32000                   # Hz
    window: 3.0                   # seconds; hop, if the windows should overlap
    front_end: waveform           # or the fields of a log-mel front end, as in sonovec.features.mel.LogMel
    layout: [samples]             # axes of one input: samples, or frames and mels in order; 1 for an axis of one
    output: embedding             # the tensor that is the vector, inside the network too; "" for its first output
    dim: 1024                     # its length
    scores: probabilities         # a tensor of class scores, with
    classes: labels.txt           # their names: a file with one a line, or a list; `tags` in former versions
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.errors import UsageError, WeightsError
from sonovec.features.mel import LogMel
from sonovec.graph import Graph
from sonovec.models.card import ModelCard
from sonovec.models.licences import UNKNOWN
from sonovec.models.model import Model, Rows
from sonovec.models.side_files import all_files, digest, inside
from sonovec.paths import absolute, display

CARD = "card.yaml"
#: Of the graphs in the cache, and of what was calibrated for them; it stays as it was before the family had another name.
VERSION = "own-1"
#: Fields of a card, what each may be, and whether it must be there.
FIELDS: dict[str, tuple[type | tuple[type, ...], bool]] = {
    "file": (str, True),
    "rate": (int, True),
    "window": ((int, float), True),
    "hop": ((int, float), False),
    "front_end": ((str, dict), True),
    "layout": (list, False),
    "output": (str, True),
    "dim": (int, True),
    "scores": (str, False),
    "classes": ((str, list), False),
    "bf16": (bool, False),
    "name": (str, False),
    "revision": ((str, int, float), False),
    "summary": (str, False),
    "licence": (str, False),
    "trained_on": (str, False),
    "reference": (str, False),
}
#: Fields that had other names in former versions, whose cards are read as they were meant.
FORMER_NAMES = {"tags": "classes"}


def find(name: str, weights: Path | None) -> ModelCard | None:
    """Card of a network of the user's own, or None if `name` is neither a YAML file nor a folder that holds a card."""
    file = _card_file(name)
    if file is None:
        return None
    entries = _read(file)
    front_end = entries["front_end"]
    return ModelCard(
        name=entries.get("name", file.parent.name if file.name == CARD else file.stem),
        place=str(file),
        family="custom",
        revision=str(entries.get("revision", "1")),
        summary=entries.get("summary", "a network of the user's own"),
        licence=entries.get("licence", UNKNOWN),
        rate=entries["rate"],
        window_seconds=float(entries["window"]),
        hop_seconds=float(entries.get("hop", entries["window"])),
        dim=entries["dim"],
        front_end=front_end if isinstance(front_end, str) else _log_mel(file, entries).describe(),
        bf16_cosine=0.9999 if entries.get("bf16") else None,
        trained_on=entries.get("trained_on", "not said in the card"),
        reference=entries.get("reference", "not said in the card"),
        n_classes=len(_classes(file, entries)),
    )


def _card_file(name: str) -> Path | None:
    path = absolute(Path(name).expanduser())
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise UsageError(f"model {name!r}: no such file; give the card of a network, a YAML file")
        return path
    return path / CARD if (path / CARD).is_file() else None


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{display(file)}: is not valid YAML ({' '.join(str(error).split())[:120]})") from error
    if not isinstance(entries, dict):
        raise UsageError(f"{display(file)}: holds no fields; see the documentation of sonovec.models.custom")
    for former, name in FORMER_NAMES.items():
        if former in entries and name in entries:
            raise UsageError(f"{display(file)}: {former} is the former name of {name}; give {name} alone")
    entries = {FORMER_NAMES.get(name, name): value for name, value in entries.items()}
    for name, value in entries.items():
        if name not in FIELDS:
            raise UsageError(f"{display(file)}: unknown field {name!r}; there are: {', '.join(FIELDS)}")
        if not isinstance(value, FIELDS[name][0]) or (isinstance(value, bool) and FIELDS[name][0] is not bool):
            raise UsageError(
                f"{display(file)}: {name}: {value!r} has the wrong type {type(value).__name__}; see the "
                "documentation of sonovec.models.custom"
            )
    missing = [name for name, (_, needed) in FIELDS.items() if needed and name not in entries]
    if missing:
        raise UsageError(f"{display(file)}: lacks {', '.join(missing)}")
    return entries


def _log_mel(file: Path, entries: Mapping[str, Any]) -> LogMel:
    known = {field.name for field in fields(LogMel)} - {"rate"}
    if odd := sorted(set(entries["front_end"]) - known):
        raise UsageError(f"{display(file)}: front_end has no {', '.join(odd)}; it has: {', '.join(sorted(known))}")
    try:
        return LogMel(rate=entries["rate"], **entries["front_end"])
    except (TypeError, UsageError) as error:
        raise UsageError(f"{display(file)}: front_end: {error}") from error


def _classes(file: Path, entries: Mapping[str, Any]) -> tuple[str, ...]:
    if ("classes" in entries) != ("scores" in entries):
        raise UsageError(f"{display(file)}: scores and classes go together: a tensor, and the names of its classes")
    classes = entries.get("classes", ())
    if isinstance(classes, str):
        named = _beside(file, "classes", classes)
        try:
            classes = named.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UsageError(f"{display(file)}: classes: {classes!r} cannot be read ({error.strerror})") from error
    return tuple(str(name).strip() for name in classes if str(name).strip())


def _beside(file: Path, field: str, name: str) -> Path:
    """A path that a card names: within the card's folder, so that no card from elsewhere reads another file."""
    path = inside(file.parent, name)
    if path is None:
        raise UsageError(
            f"{display(file)}: {field}: {name!r} lies outside of the card's folder; put the file beside the card, and "
            f"give its name, such as {field}: {Path(name).name or 'network.onnx'}"
        )
    return path


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model of a card; it has no options. `weights` is another file for the same card."""
    file = Path(card.place)
    entries = _read(file)
    network = weights or _beside(file, "file", entries["file"])
    if not network.exists():
        raise WeightsError(f"{display(network)}: no such file; put it there, or change file: in {display(file)}")
    weights_hash = digest(network)
    window = WindowSpec(round(card.window_seconds * card.rate), round(card.hop_seconds * card.rate))
    classes = _classes(file, entries)
    features, shape = _features(file, entries, window.length)
    outputs = tuple(name for name in (entries["output"], entries.get("scores")) if name)
    return Model(
        card=card,
        options=options,
        window=window,
        dim=card.dim,
        # Which of a network's tensors is the vector is not in its hash.
        front_end=f"{card.front_end} as {entries.get('layout', ['samples'])}, to {entries['output'] or 'the first output'}",
        weights_hash=weights_hash,
        files=_files(file, entries, network),
        features=features,
        graph=Graph(
            key="-".join((VERSION, weights_hash[:32], *map(str, shape), *map(_safe, outputs))),
            input_shape=shape,
            file=network,
            outputs=outputs,
            bf16=card.bf16_cosine is not None,
            rows=1,
        ),
        finish=lambda rows, coverage: _finish(rows, card.dim + len(classes), file, outputs),
        classes=classes,
    )


def _files(file: Path, entries: Mapping[str, Any], network: Path) -> tuple[Path, ...]:
    classes = entries.get("classes")
    return (*([file.parent / classes] if isinstance(classes, str) else []), file, *all_files(network))


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _features(
    file: Path, entries: Mapping[str, Any], length: int
) -> tuple[Callable[[NDArray[np.float32], NDArray[np.float32]], Rows], tuple[int, ...]]:
    """What turns samples into inputs, and the shape of one."""
    spectrogram = isinstance(entries["front_end"], dict)
    if not spectrogram and entries["front_end"] != "waveform":
        raise UsageError(
            f"{display(file)}: front_end: {entries['front_end']!r}; give waveform, or the fields of a log-mel"
        )
    layout = entries.get("layout", ["frames", "mels"] if spectrogram else ["samples"])
    expected = ["frames", "mels"] if spectrogram else ["samples"]
    named = [axis for axis in layout if axis != 1]
    if sorted(map(str, named)) != sorted(expected):
        raise UsageError(
            f"{display(file)}: layout: {layout}; give {' and '.join(expected)} in order, and 1 for an axis of one"
        )
    front_end = _log_mel(file, entries) if spectrogram else None
    sizes = {"samples": length, 1: 1}
    if front_end:
        sizes |= {"frames": front_end.frames(length), "mels": front_end.n_mels}
    shape = tuple(sizes[axis] for axis in layout)

    def features(samples: NDArray[np.float32], coverage: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = front_end(samples) if front_end else samples
        if named == ["mels", "frames"]:
            rows = rows.transpose(0, 2, 1)
        return np.ascontiguousarray(rows).reshape(len(rows), *shape)

    return features, shape


def _finish(rows: Rows, expected: int, file: Path, outputs: Sequence[str]) -> NDArray[np.float32]:
    vectors = np.asarray(rows, np.float32)
    # Some networks keep axes of one, such as (1, 1, dim).
    vectors = vectors.reshape(len(vectors), -1)
    if vectors.shape[1] != expected:
        raise UsageError(
            f"{display(file)}: {' and '.join(outputs)} have {vectors.shape[1]} numbers and should have {expected}; "
            "change dim: or classes:"
        )
    return vectors
