"""Which tempo and key of a track counts: the ones that were heard in it, or those that its file claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sonovec.errors import UsageError
from sonovec.music import columns
from sonovec.music.keys import Key, parse
from sonovec.music.tempi import FASTEST, SLOWEST

#: What may be preferred; the other one counts where the preferred one is missing.
PREFERENCES = ("heard", "file")


def settled_tempo(fields: Mapping[str, Any], prefer: str = "heard") -> float | None:
    """The tempo of a track in beats a minute; None where neither the sound nor the file tells one.

    Parameters
    ----------
    fields : mapping
        Columns of the track; `tempo` and `file_tempo` count.
    prefer : {"heard", "file"}
        Which of the two wins where both are there.

    Raises
    ------
    UsageError
        If `prefer` is something else.

    Examples
    --------
    >>> both = {"tempo": 87.0, "file_tempo": 174.0}
    >>> settled_tempo(both), settled_tempo(both, prefer="file"), settled_tempo({"file_tempo": 174.0}), settled_tempo({})
    (87.0, 174.0, 174.0, None)
    """
    for name in _order(prefer, columns.TEMPO, columns.FILE_TEMPO):
        tempo = fields.get(name)
        if isinstance(tempo, int | float) and SLOWEST <= tempo <= FASTEST:
            return float(tempo)
    return None


def settled_key(fields: Mapping[str, Any], prefer: str = "heard") -> Key | None:
    """The key of a track; None where neither the sound nor the file tells one.

    Parameters
    ----------
    fields : mapping
        Columns of the track; `key` and `file_key` count. A text of the file that is no key counts as missing.
    prefer : {"heard", "file"}
        Which of the two wins where both are there.

    Raises
    ------
    UsageError
        If `prefer` is something else.

    Examples
    --------
    >>> both = {"key": "C major", "file_key": "8A"}
    >>> str(settled_key(both)), str(settled_key(both, prefer="file")), settled_key({"file_key": "off-key"})
    ('C major', 'A minor', None)
    """
    for name in _order(prefer, columns.KEY, columns.FILE_KEY):
        key = _parsed(fields.get(name))
        if key is not None:
            return key
    return None


def check_preference(prefer: str) -> None:
    """Refuse what is not in `PREFERENCES`.

    Raises
    ------
    UsageError
    """
    if prefer not in PREFERENCES:
        raise UsageError(f"prefer={prefer!r}: give one of {', '.join(map(repr, PREFERENCES))}")


def _order(prefer: str, heard: str, file: str) -> tuple[str, str]:
    check_preference(prefer)
    return (heard, file) if prefer == "heard" else (file, heard)


def _parsed(text: object) -> Key | None:
    try:
        return parse(text) if isinstance(text, str) else None
    except UsageError:
        return None
