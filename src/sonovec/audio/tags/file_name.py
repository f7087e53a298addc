"""Tempo and key that the name of a file tells, as libraries of loops write them: "Bass_loop 122 BPM Am.wav"."""

from __future__ import annotations

import os
import re
from pathlib import Path

_BPM = re.compile(r"(?<![\d.,])(\d{2,3}(?:[.,]\d+)?)[ _-]*bpm(?![a-z])|(?<![a-z])bpm[ _-]*(\d{2,3})(?!\d)", re.I)
#: A letter alone may be an article or a name, so a key tells its mode, too.
_KEY = re.compile(r"(?<![A-Za-z0-9])([A-G][#b♯♭]?)[ _-]?(major|maj|minor|min|m)(?![A-Za-z0-9])")


def claims_of(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Give `bpm` and `key` of a file's name, as a tag tells them: texts by name, without what is not there.

    A key counts only beside a tempo: "I Am Here" is in no key.

    Examples
    --------
    >>> claims_of("loops/Bass_01_-_122_BPM_C#min.wav"), claims_of("I Am Here.wav"), claims_of("95bpm beat.wav")
    ({'bpm': ['122'], 'key': ['C# min']}, {}, {'bpm': ['95']})
    """
    name = Path(path).name
    tempo, key = _BPM.search(name), _KEY.search(name)
    if tempo is None:
        return {}
    return {"bpm": [tempo[1] or tempo[2]], **({"key": [f"{key[1]} {key[2]}"]} if key else {})}
