"""What a training has embedded so far, so that a run that was killed goes on from there."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.paths import display

JOURNAL, LOCK = "journal", "lock"
#: Before each record: its key, the digest of its bytes, and their number.
_HEAD = struct.Struct("<16s16sQ")


class Journal:
    """Arrays by key in one file that only grows: a record that was not written to its end does not count.

    Made by `journal`.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp(), "crows.part")
    >>> with journal(folder) as kept:
    ...     kept.put(key_of("a.wav"), {"vectors": np.ones((2, 3))})
    ...     kept.get(key_of("a.wav"))["vectors"].shape, key_of("b.wav") in kept
    ((2, 3), False)
    >>> folder.exists()
    False
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._places = dict(_records(file))
        file.truncate(file.tell())

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def get(self, key: bytes) -> dict[str, NDArray[Any]]:
        """The arrays of a key that is there."""
        start, size = self._places[key]
        self._file.seek(start)
        with np.load(io.BytesIO(self._file.read(size)), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def put(self, key: bytes, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays.

        Raises
        ------
        UsageError
            The system refused to write; what was kept before stays.
        """
        packed = io.BytesIO()
        np.savez(packed, **arrays)  # type: ignore[arg-type]  # its stubs take the names of arrays for its options
        content = packed.getvalue()
        place = self._file.seek(0, os.SEEK_END)  # where it is written in any case
        try:
            _write(self._file, _HEAD.pack(key, _digest(content), len(content)) + content)
        except OSError as error:
            raise _refused(Path(self._file.name).parent, error) from error
        self._places[key] = place + _HEAD.size, len(content)


def _write(file: IO[bytes], content: bytes) -> None:
    """All of it; a disk that is nearly full takes a part, and says so at the next."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _records(file: IO[bytes]) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Keys with the place and size of what they keep; the file stands behind the last whole record in the end."""
    file.seek(0)
    while True:
        start = file.tell()
        head = file.read(_HEAD.size)
        if len(head) == _HEAD.size:
            key, digest, size = _HEAD.unpack(head)
            content = file.read(size)
            if len(content) == size and _digest(content) == digest:
                yield key, (start + _HEAD.size, size)
                continue
        file.seek(start)
        return


def key_of(*parts: object) -> bytes:
    """A key that is the same only where all parts are; their `repr` counts, and the bytes of arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else b""
        named = repr((part.dtype.str, part.shape) if isinstance(part, np.ndarray) else part)
        digest.update(f"{len(named)} {len(content)} {named}".encode() + content)
    return digest.digest()


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


@contextmanager
def journal(folder: Path) -> Iterator[Journal]:
    """The journal in a folder, which is made if need be; it goes when the block ends without an error, or it is empty.

    Raises
    ------
    UsageError
        Another process works there, the folder is something else, or the system refused to write.
    """
    kept, done = None, False
    try:
        with _opened(folder) as kept:
            yield kept
            done = True
    finally:
        if kept is not None and (done or not len(kept)):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(folder: Path) -> Iterator[Journal]:
    there = list(folder.iterdir()) if folder.is_dir() else [folder] if folder.exists() else []
    if not {each.name for each in there} <= {JOURNAL, LOCK}:
        raise UsageError(f"{display(folder)}: is not what an unfinished training left; move it, or give another name")
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / LOCK, blocking=False))
            file = stack.enter_context((folder / JOURNAL).open("a+b", buffering=0))
        except Timeout:
            raise UsageError(
                f"{display(folder)}: another process trains there; wait for it, or give another name with -o"
            ) from None
        except OSError as error:
            raise _refused(folder, error) from error
        yield Journal(file)


def _refused(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{display(folder)}: cannot be written ({error.strerror or error}); free some space, or give another place with -o"
    )
