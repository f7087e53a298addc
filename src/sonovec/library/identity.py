"""What makes two files the same track: the hash of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from sonovec.errors import AudioError
from sonovec.paths import display

BLOCK = 1 << 18


def content_hash(path: str | os.PathLike[str], check: Callable[[], None] = lambda: None) -> str:
    """Hash the whole file, in blocks, to 32 hexadecimal digits (BLAKE2b, 128 bits): the id of its track.

    Between blocks `check` is called, which may raise what ends it: a file may be large.

    Raises
    ------
    AudioError
        The file cannot be read.

    Examples
    --------
    >>> content_hash(os.devnull)
    'cae66941d9efbd404e4d88758ea67670'
    """
    try:
        with Path(path).open("rb", buffering=0) as file:
            digest, block = hashlib.blake2b(digest_size=16), memoryview(bytearray(BLOCK))
            while count := file.readinto(block):
                digest.update(block[:count])
                check()
            return digest.hexdigest()
    except OSError as error:
        raise AudioError(f"cannot read {display(path)}: {error.strerror or error}") from error
