"""What is heard so surely that it may be written into a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sonovec.audio.tags.writing.pieces import Said
from sonovec.errors import UsageError
from sonovec.music import columns
from sonovec.music.keys import parse

#: The least confidence with which a tempo or a key is called sure.
SURE = 0.97


def sure(fields: Mapping[str, Any]) -> Said:
    """The tempo and the key of a track that are sure; None for one that is not, and for a tempo that moves.

    Parameters
    ----------
    fields : mapping
        Columns of the track; those of `sonovec.music.columns` count.

    Examples
    --------
    >>> sure({"tempo": 87.5, "tempo_confidence": 0.98, "key": "F# minor", "key_confidence": 0.99})
    Said(tempo=87.5, key='F#m')
    >>> sure({"tempo": 87.5, "tempo_confidence": 0.9, "key": None})
    Said(tempo=None, key=None)
    """
    tempo = fields.get(columns.TEMPO)
    moves = bool(fields.get(columns.TEMPO_CURVE))
    steady = tempo is not None and not moves and _is_sure(fields, columns.TEMPO_CONFIDENCE)
    return Said(float(tempo) if steady and tempo is not None else None, _key(fields))


def _key(fields: Mapping[str, Any]) -> str | None:
    text = fields.get(columns.KEY)
    if not text or not _is_sure(fields, columns.KEY_CONFIDENCE):
        return None
    try:
        return parse(text).short
    except UsageError:
        return None


def _is_sure(fields: Mapping[str, Any], confidence: str) -> bool:
    return (fields.get(confidence) or 0.0) >= SURE
