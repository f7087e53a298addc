"""Checkpoints of TensorFlow 1, read without TensorFlow: names of variables to arrays.

The newer format has two files or more: ``NAME.index``, a table of where each variable lies, and ``NAME.data-00000-of-00001``
with their numbers (``tensorflow/core/protobuf/tensor_bundle.proto``). The older one, such as Google's ``vggish_model.ckpt``,
is one table with the numbers in it (``tensorflow/core/util/saved_tensor_slice.proto``). The tables are LevelDB's
(https://github.com/google/leveldb/blob/main/doc/table_format.md). Each block and each variable has a CRC, which is checked.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import WeightsError
from sonovec.memory import enough_memory
from sonovec.models.crc32c import crc32c, masked
from sonovec.models.protobuf import Message, varint
from sonovec.paths import display

#: Name of a file of the checkpoint, without what they begin with in common, to its content.
Read = Callable[[str], bytes]
Arrays = dict[str, NDArray[np.generic]]

INDEX = ".index"
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER = 48
#: How a block ends: the way it is packed, and its CRC.
TRAILER = 5
PLAIN, SNAPPY = 0, 1
#: Types of numbers by TensorFlow's own numbers, and the field of `TensorProto` that holds them one by one.
TYPES = {
    1: ("<f4", 5), 2: ("<f8", 6), 3: ("<i4", 7), 4: ("u1", 7), 5: ("<i2", 7), 6: ("i1", 7), 9: ("<i8", 10), 10: ("?", 11),
}  # fmt: skip


def read(prefix: Path) -> Arrays:
    """Read a checkpoint.

    Parameters
    ----------
    prefix : Path
        The one file of the older format, or what the names of the files of the newer one begin with; their index will do.

    Raises
    ------
    WeightsError
        A file is missing, damaged, or none of a checkpoint.
    """
    name = prefix.name.removesuffix(INDEX)
    is_one_file = name == prefix.name and prefix.is_file()

    def content(ending: str) -> bytes:
        file = prefix.parent / (name + ending)
        try:
            return file.read_bytes()
        except OSError as error:
            raise WeightsError(
                f"{display(file)}: cannot be read ({error.strerror}); a checkpoint of TensorFlow needs all of its files"
            ) from error

    return read_from(content, display(prefix), "" if is_one_file else INDEX)


def read_from(content: Read, name: str, table: str = INDEX) -> Arrays:
    """Read a checkpoint whose files lie anywhere.

    Parameters
    ----------
    content : callable
        Gives the content of a file by the end of its name: ".index", ".data-00000-of-00001".
    name : str
        What the checkpoint is called in messages.
    table : str
        The file with the table; that of the older format has no end of its own.

    Raises
    ------
    WeightsError
        A file is damaged, or none of a checkpoint.
    """
    try:
        with enough_memory(name, "read"):
            entries = dict(_entries(content(table)))
            if not (header := entries.pop(b"", b"")):
                raise ValueError("its table has no header")
            return _of_bundle(entries, header, content) if table == INDEX else _of_slices(entries, header)
    except (ValueError, IndexError, KeyError) as error:
        raise WeightsError(
            f"{name}: not a whole checkpoint of TensorFlow ({' '.join(str(error).split())[:120]}); fetch it again"
        ) from error


# -- tables


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All keys and values, in order."""
    if len(table) < FOOTER or not table.endswith(MAGIC):
        raise ValueError("it does not end as a table does")
    footer = io.BytesIO(table[-FOOTER:])
    varint(footer), varint(footer)  # the block of what else is said of a table
    for _, handle in _pairs(_block(table, varint(footer), varint(footer))):
        place = io.BytesIO(handle)
        yield from _pairs(_block(table, varint(place), varint(place)))


def _block(table: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + TRAILER > len(table) - FOOTER:
        raise ValueError("a block lies outside of it")
    if masked(crc32c(memoryview(table)[offset : end + 1])) != int.from_bytes(table[end + 1 : end + TRAILER], "little"):
        raise ValueError(f"the CRC of the block at byte {offset} is wrong")
    if table[end] == PLAIN:
        return table[offset:end]
    if table[end] == SNAPPY:
        return _unpacked(table[offset:end])
    raise ValueError(f"the block at byte {offset} is packed in a way that is unknown ({table[end]})")


def _unpacked(block: bytes) -> bytes:
    import pyarrow

    try:
        return bytes(pyarrow.decompress(block, varint(io.BytesIO(block)), codec="snappy", asbytes=True))
    except pyarrow.ArrowException as error:
        raise ValueError(f"a block is packed wrongly: {error}") from error


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block, whose keys leave out what they share with the one before."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    stream, key = io.BytesIO(block), b""
    while stream.tell() < end:
        shared, rest, size = varint(stream), varint(stream), varint(stream)
        key = key[:shared] + stream.read(rest)
        yield key, stream.read(size)


# -- the newer format


def _of_bundle(entries: Mapping[bytes, bytes], header: bytes, content: Read) -> Arrays:
    message = Message(header)
    shards, endianness = message.number(1), message.number(2)
    if endianness:
        raise ValueError("its numbers have their bytes in an order that no machine here has")
    data = [content(f".data-{shard:05}-of-{shards:05}") for shard in range(shards)]
    return {key.decode(): _of_entry(Message(entry), key.decode(), data) for key, entry in entries.items()}


def _of_entry(entry: Message, name: str, data: list[bytes]) -> NDArray[np.generic]:
    kind, offset, size = entry.number(1), entry.number(4), entry.number(5)
    if entry.all(7):
        raise ValueError(f"{name} is kept in parts, which is not supported")
    part = memoryview(data[entry.number(3)])[offset : offset + size]
    if len(part) < size:
        raise ValueError(f"the numbers of {name} are cut off")
    if masked(crc32c(part)) != entry.number(6):
        raise ValueError(f"the CRC of {name} is wrong")
    return np.frombuffer(part, _type(kind, name)).reshape(_shape(entry.content(2)))


def _type(kind: int, name: str) -> str:
    if kind not in TYPES:
        raise ValueError(f"{name} has numbers of a type that is not supported ({kind})")
    return TYPES[kind][0]


def _shape(content: bytes) -> tuple[int, ...]:
    return tuple(size.number(1) for size in Message(content).messages(2))


# -- the older format


def _of_slices(entries: Mapping[bytes, bytes], header: bytes) -> Arrays:
    shapes = {}
    for message in Message(Message(header).content(1)).messages(1):
        if len(message.all(4)) != 1 or any(extent.all(2) for extent in Message(message.content(4)).messages(1)):
            raise ValueError(f"{message.content(1).decode()} is kept in parts, which is not supported")
        shapes[message.content(1).decode()] = (_shape(message.content(2)), message.number(3))
    arrays = dict(_of_slice(Message(Message(value).content(2)), shapes) for value in entries.values())
    if missing := sorted(shapes.keys() - arrays.keys()):
        raise ValueError(f"it lacks the numbers of {missing[0]}")
    return arrays


def _of_slice(message: Message, shapes: Mapping[str, tuple[tuple[int, ...], int]]) -> tuple[str, NDArray[np.generic]]:
    name, tensor = message.content(1).decode(), Message(message.content(3))
    shape, kind = shapes[name]
    numbers = _type(kind, name)
    content = tensor.content(4)
    array = np.frombuffer(content, numbers) if content else _one_by_one(tensor, TYPES[kind][1], numbers)
    return name, array.reshape(shape)


def _one_by_one(tensor: Message, field: int, numbers: str) -> NDArray[np.generic]:
    """Numbers of a field, packed: floats as they are, whole numbers in seven bits a byte."""
    packed = b"".join(value for value in tensor.all(field) if isinstance(value, bytes))
    if numbers in ("<f4", "<f8"):
        return np.frombuffer(packed, numbers)
    stream = io.BytesIO(packed)
    values = []
    while stream.tell() < len(packed):
        values.append(varint(stream))
    return np.array(values, np.uint64).astype(numbers)


# -- for networks of PyTorch's

#: What TensorFlow's layers call their variables, and PyTorch's theirs.
PARTS = {
    "kernel": "weight", "weights": "weight", "bias": "bias", "biases": "bias", "gamma": "weight", "beta": "bias",
    "moving_mean": "running_mean", "moving_variance": "running_var",
}  # fmt: skip


def as_state(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, Any]:
    """A state dict of PyTorch's: "conv/kernel" becomes "conv.weight", with its axes in PyTorch's order.

    Kernels are (height, width, in, out) and (in, out) in TensorFlow, and (out, in, height, width) and (out, in) in PyTorch.
    """
    import torch

    state = {}
    for name, array in arrays.items():
        *layers, part = name.split("/")
        turned = array.transpose({4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim, range(array.ndim)))
        state[".".join((*layers, PARTS.get(part, part)))] = torch.from_numpy(np.array(turned, np.float32))
    return state
