"""The files that belong to the file of a network: what shapes its vectors lies in all of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, NamedTuple

from sonovec.errors import WeightsError
from sonovec.models.protobuf import BYTES, Message, fields
from sonovec.models.weights import sha256_of
from sonovec.paths import display


def digest(network: Path) -> str:
    """SHA-256 of a network with all of its files: of one that is alone its own, as anybody would compute it.

    Raises
    ------
    WeightsError
        A file of it is missing, or lies outside of its folder.
    """
    if network.is_dir():
        sums = [sha256_of(path) for path in _all_in(network)]
        return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
    names = side_files(network)
    if not names:
        return sha256_of(network)
    lines = [sha256_of(network), *(f"{sha256_of(network.parent / name)} {name}" for name in names)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def all_files(network: Path) -> list[Path]:
    """A network's file with the others that belong to it; of one that is a folder, all in it."""
    return _all_in(network) if network.is_dir() else [network, *(network.parent / name for name in side_files(network))]


def side_files(network: Path) -> list[str]:
    """Names of the other files of a network, relative to its folder.

    Raises
    ------
    WeightsError
    """
    # By content, as OpenVINO tells networks, which reads ONNX under any name.
    with network.open("rb") as file:
        is_xml = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    if is_xml or network.suffix == ".pdmodel":  # OpenVINO's own format, and PaddlePaddle's
        names = [network.with_suffix(".bin" if is_xml else ".pdiparams").name]
    else:
        names = sorted(_external_data(network))
    for name in names:
        if (path := inside(network.parent, name)) is None:
            raise WeightsError(
                f"{display(network)}: keeps weights in {display(name)}, which lies outside of its folder; save it with "
                "all of its files in one folder"
            )
        if not path.is_file():
            raise WeightsError(
                f"{display(network)}: keeps weights in {display(path)}, and there is no such file; put it there"
            )
    return names


def inside(folder: Path, name: str) -> Path | None:
    """The path of a name below a folder; None if it is absolute, has ``..``, or is a link that leaves the folder.

    Examples
    --------
    >>> inside(Path("/models"), "sub/a.onnx") == Path("/models/sub/a.onnx")
    True
    >>> inside(Path("/models"), "../a.onnx"), inside(Path("/models"), "/a.onnx"), inside(Path("/models"), "C:/a.onnx")
    (None, None, None)
    """
    path = folder / name
    return path if is_below(name) and _stays(path, folder) else None


def is_below(name: str) -> bool:
    """Whether a name, on any system, is that of a file below the folder it is looked up in, links aside."""
    paths = (PurePosixPath(name), PureWindowsPath(name))
    return not any(path.is_absolute() or path.anchor or ".." in path.parts for path in paths)


def _stays(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _all_in(folder: Path) -> list[Path]:
    """The files of a network that is a folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not _stays(path, folder):
            raise WeightsError(
                f"{display(path)}: is a link that leads out of {display(folder)}; put the file itself there"
            )
        if path.is_file():
            found.append(path)
    return found


# ONNX is a message of Protocol Buffers. Only the way to the names of files is followed, by the numbers of fields; everything
# else, the weights above all, is passed over.


class _Message(NamedTuple):
    fields: Mapping[int, str]
    entries: int | None = None
    """The field that holds a key and a value, of a tensor whose content lies elsewhere."""


_MESSAGES: Mapping[str, _Message] = {
    "model": _Message({7: "graph", 20: "training", 25: "function"}),
    "training": _Message({1: "graph", 2: "graph"}),
    "function": _Message({7: "node", 11: "attribute"}),
    "graph": _Message({1: "node", 5: "tensor", 15: "sparse"}),
    "node": _Message({5: "attribute"}),
    "attribute": _Message({5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}),
    "sparse": _Message({1: "tensor", 2: "tensor"}),
    "tensor": _Message({}, entries=13),
}
_KEY, _VALUE, _LOCATION = 1, 2, b"location"


def _external_data(network: Path) -> set[str]:
    """Names of the files in which an ONNX network keeps tensors; none for what is no ONNX, which OpenVINO refuses."""
    try:
        with network.open("rb") as file:
            return {os.fsdecode(name) for name in _locations(file, network.stat().st_size, "model")}
    except (ValueError, RecursionError):
        return set()


def _locations(file: BinaryIO, end: int, kind: str) -> Iterator[bytes]:
    message = _MESSAGES[kind]
    for field in fields(file, end):
        if field.kind != BYTES:
            continue
        file.seek(field.start)
        if field.number in message.fields:
            yield from _locations(file, field.stop, message.fields[field.number])
        elif field.number == message.entries:
            entry = Message(file.read(field.stop - field.start))
            if entry.content(_KEY) == _LOCATION:
                yield entry.content(_VALUE)
