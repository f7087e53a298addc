"""``sonovec show``: all that a library knows of one track."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sonovec.brief import shortened
from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import print_json, print_table, seconds_text, time_text
from sonovec.paths import display, to_text

if TYPE_CHECKING:
    from sonovec.library.description import Description
    from sonovec.library.outcomes import Entry

#: Rows that are shown of what there may be very many of.
FIRST = 20


@click.command(short_help="All about one track.")
@click.argument("track")
@add_options(library_options)
@json_option
def show(track: str, library: str, token: str | None, as_json: bool) -> None:
    """Show all that a library knows of TRACK: its path, its id, or the first digits of its id, four or more."""
    from sonovec.library.library import Library

    with Library(library, token=token) as opened:
        found = opened.show(track)
    if as_json:
        print_json({"library": to_text(library), **_json(found)})
        return
    rows = list(_rows(found))
    print_table(["field", "value"], rows)


def _rows(found: Description) -> Iterator[tuple[str, object]]:
    """What a person wants to know, without the columns that are empty."""
    from sonovec.library.long_texts import LONG

    yield "id", found.id
    for name, value in found.fields.items():
        if value is not None and not isinstance(value, list):
            yield name, _brief(str(value)) if name in LONG else value
    for name, value in found.fields.items():
        if isinstance(value, list) and not name.endswith("_scores"):
            yield name, _listed(value, found.fields.get(f"{name}_scores"))
    for name, space in found.spaces.items():
        yield f"space {name}", f"{space.dim} numbers of {space.model}"
    yield "segments", _some([seconds_text(start, end) for start, end in found.segments])
    for analysis in found.analyses.values():
        yield f"analyser {analysis.analyser}", f"{analysis.version}: {analysis.reason or 'done'}"
    for passage in found.passages[:FIRST]:
        yield f"passage {seconds_text(passage.start, passage.end)}", passage.text
    if len(found.passages) > FIRST:
        yield "passages", f"{len(found.passages) - FIRST} more; --json has all"
    for label in found.labels[:FIRST]:
        yield f"label {seconds_text(label.start, label.end)}", f"{label.name} ({label.source}, {label.score:.2f})"
    for entry in found.files:
        yield "file", f"{display(entry.path)}: {entry.status} on {time_text(entry.updated)}{_why(entry)}"
    if not found.files:
        yield "file", "this machine has not indexed it"


def _brief(text: str) -> str:
    """The ends of a long text that is for programs."""
    short = shortened(text)
    return text if short == text else f"{short} ({len(text):,} characters; --json has all)"


def _listed(values: list[Any], scores: object) -> str:
    if isinstance(scores, list):
        return "; ".join(f"{value} {score:.2f}" for value, score in zip(values, scores, strict=True))
    return "; ".join(map(str, values))


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - FIRST} more" if len(texts) > FIRST else ""
    return f"{len(texts)}: {' '.join(texts[:FIRST])}{more}" if texts else "0"


def _why(entry: Entry) -> str:
    return f" ({entry.reason})" if entry.reason else ""


def _json(found: Description) -> dict[str, Any]:
    return {
        "id": found.id,
        "fields": dict(found.fields),
        "segments": [{"start": start, "end": end} for start, end in found.segments.tolist()],
        "spaces": [
            {"name": name, "model": space.model, "level": space.level, "dim": space.dim, "dtype": space.dtype}
            for name, space in found.spaces.items()
        ],
        "analyses": [asdict(analysis) for analysis in found.analyses.values()],
        "passages": [_stretch(passage) for passage in found.passages],
        "labels": [_stretch(label) for label in found.labels],
        "files": [
            {
                "path": to_text(entry.path),
                "status": entry.status,
                "reason": entry.reason,
                "size": entry.size,
                "modified": None if entry.mtime_ns is None else entry.mtime_ns / 1e9,
                "run": entry.run,
                "recorded": entry.updated,
            }
            for entry in found.files
        ],
    }


def _stretch(stretch: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(stretch).items() if name != "track"}
