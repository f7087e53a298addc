"""What makes two files the same track: the hash of their content."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path

from sonovec.errors import AudioError
from sonovec.paths import display

_HASH = partial(hashlib.blake2b, digest_size=16)


def content_hash(path: str | os.PathLike[str]) -> str:
    """Hash the whole file, in blocks, to 32 hexadecimal digits (BLAKE2b, 128 bits): the id of its track.

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
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, _HASH).hexdigest()
    except OSError as error:
        raise AudioError(f"cannot read {display(path)}: {error.strerror or error}") from error
