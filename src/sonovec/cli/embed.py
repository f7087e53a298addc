"""``sonovec embed``: files and folders in, a file of vectors out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli.log import watched
from sonovec.cli.look_up import look_up
from sonovec.cli.options import (
    add_options,
    cleaning_options,
    encoder_options,
    encoder_settings,
    files_from_options,
    given_paths,
    json_option,
)
from sonovec.cli.output import fail_of, print_json, warn_of, warn_of_nothing_written

if TYPE_CHECKING:
    from sonovec.embedding.embedding import Embedding


@click.command(short_help="Sounds to a file of vectors.")
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="PATH...")
@add_options(files_from_options)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="OUT.npy, .npz, .parquet, .jsonl or .csv"
)
@click.option("--level", type=click.Choice(["clip", "window"]), default="clip", help="A row for each sound or window.")
@add_options(encoder_options)
@add_options(cleaning_options)
@json_option
def embed(
    arguments: tuple[str, ...],
    files_from: str | None,
    null: bool,
    output: Path,
    level: str,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    as_json: bool,
    **settings: object,
) -> int:
    """Turn sounds into vectors, and write them to a file.

    PATH is a file or a folder, or `-` for the paths on the standard input, one a line; folders are searched for audio. OUT is
    replaced when all is done; if nothing can be embedded, it is left as it was.
    """
    from sonovec.embedding import files
    from sonovec.embedding.embedding import Failure
    from sonovec.embedding.encoder import load
    from sonovec.models.defaults import DEFAULT
    from sonovec.paths import display, from_text, to_text

    paths = tuple(map(from_text, given_paths(arguments, files_from, null)))
    files.check_target(output)
    encoder = load(model or DEFAULT, **encoder_settings(options, weights=weights, **settings))  # type: ignore[arg-type]
    seen = look_up(paths)
    found, failures = seen.found, seen.failures
    notes: list[tuple[str, str]] = []

    def embeddings() -> Iterator[Embedding]:
        for result in encoder.embed_many(found, progress=bar):
            if isinstance(result, Failure):
                failures.append((to_text(result.path or ""), result.reason))
                continue
            notes.extend((to_text(result.path or ""), note) for note in result.notes)
            yield result

    with watched() as bar:
        rows = files.write(embeddings(), output, level)
    for path, text in notes:
        warn_of(path, text)
    for path, text in failures:
        fail_of(path, text)
    if not rows:
        warn_of_nothing_written(output, "no sound was embedded")
    if as_json:
        print_json(
            {
                "output": to_text(output),
                "rows": rows,
                "dim": encoder.dim,
                "found": len(found),
                "skipped": len(seen.skipped),
                "failures": [{"path": path, "reason": reason} for path, reason in failures],
                "notes": [{"path": path, "note": note} for path, note in notes],
                "passport": encoder.passport.to_json(),
            }
        )
    elif rows:
        click.echo(f"{rows} vectors of {encoder.dim} numbers ({encoder.card.name}) in {display(output)}")
    return 1 if failures else 0
