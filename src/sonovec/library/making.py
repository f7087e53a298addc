"""What a store takes for a file that was embedded: its track, with the file's own tags and what the user gave."""

from __future__ import annotations

from collections.abc import Mapping

from sonovec.audio.scan import Found
from sonovec.embedding.pooled import Pooled
from sonovec.errors import AudioError
from sonovec.library import sound_tags
from sonovec.library.columns import TRACK_FIELDS
from sonovec.library.identity import content_hash
from sonovec.library.records import MOST_OF_FILE, MOST_OF_NOTES, Segment, Track, Value
from sonovec.paths import display


def refuse_changed(found: Found, content: str) -> None:
    """Refuse a file that is not what it was when it was hashed.

    Raises
    ------
    AudioError
        It has other content, or is gone.
    """
    try:
        status = found.path.stat()
        now = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        # A new name, new rights or another link change a time and nothing else.
        same = now == (found.size, found.mtime_ns, found.ctime_ns) or content_hash(found.path) == content
    except (OSError, AudioError):
        raise AudioError(f"{display(found.path)}: vanished while it was being read; index again") from None
    if not same:
        raise AudioError(f"{display(found.path)}: changed while it was being read; index again")


def make_segments(pooled: Pooled) -> list[Segment]:
    """The parts of a sound that are searched."""
    parts = enumerate(zip(pooled.parts, sound_tags.of_parts(pooled), strict=True))
    return [Segment(index, part.start, part.end, part.coverage, part.vector, tags) for index, (part, tags) in parts]


def make_track(
    path: str, content: str, pooled: Pooled, file_tags: Mapping[str, Value], given: Mapping[str, Value]
) -> Track:
    """The track of a file.

    Parameters
    ----------
    path : str
        What the library keeps for the file's path.
    file_tags : mapping
        What `read_tags` found.
    given : mapping
        What the user gave; it comes before the file's own tags.
    """
    facts: dict[str, Value] = {
        "path": path,
        "duration": pooled.duration,
        "rate": pooled.rate,
        "channels": pooled.channels,
        "codec": pooled.codec,
        "silent": pooled.silent,
    }
    if pooled.tags:
        facts |= sound_tags.fields_of(pooled.tags)
    tags = {name: value for name, value in file_tags.items() if name in TRACK_FIELDS.keys() - {"notes"}}
    notes = [*pooled.notes, *([str(file_tags["notes"])] if file_tags.get("notes") else [])]
    if pooled.silence and not pooled.silent:  # which a column of its own says
        notes.append(pooled.silence)
    for name, value in tags.items():
        if isinstance(value, str) and len(value) > MOST_OF_FILE:
            tags[name] = value[:MOST_OF_FILE]
            notes.append(f"only the first {MOST_OF_FILE} of {len(value)} characters of its {name} are kept")
    facts["notes"] = _shortened("; ".join(notes)) or None
    return Track(content, pooled.vector, {**tags, **facts, **given})


def _shortened(notes: str) -> str:
    return notes if len(notes) <= MOST_OF_NOTES else f"{notes[:MOST_OF_NOTES]}... ({len(notes)} characters)"
