"""``sonovec map``: a library as a map, as a page, a picture or a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.completion import LIBRARY
from sonovec.cli.log import watched
from sonovec.cli.options import add_options, json_option, token_option
from sonovec.cli.output import print_json, print_table, time_text, warn
from sonovec.errors import UsageError
from sonovec.paths import display, to_text

if TYPE_CHECKING:
    from sonovec.explore.record import Map
    from sonovec.library.library import Library

PAGE = ".html"


@click.command(short_help="A library as a map: a page, a picture, a table.")
@click.argument("library", type=LIBRARY, envvar="SONOVEC_LIBRARY")
@click.option(
    "--method",
    type=click.Choice(["tsne", "pca", "umap"]),
    help="How tracks find their places. [default: tsne; that of the map that is there]",
)
@click.option("--dims", type=click.IntRange(2, 3), help="Dimensions of the map. [default: 2]")
@click.option("--space", help="The space to draw. [default: main]")
@click.option("--name", help="What the map is called; a library keeps many. [default: as its method]")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT", help="OUT.html, .png, .svg or .pdf.")
@click.option(
    "--export",
    "table",
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="TABLE.parquet, or TABLE.tsv and TABLE.metadata.tsv for TensorFlow's projector.",
)
@click.option("--color", "colour", metavar="COLUMN", help="The column to colour by, such as genre.")
@click.option("--thumbnails", is_flag=True, help="Spectrograms in the cards of a page; the files are read for them.")
@click.option("--refit", is_flag=True, help="Fit the map anew to all tracks, and lay it onto the former one.")
@click.option("--perplexity", type=float, help="Of t-SNE: about how many neighbours count. [default: 30]")
@click.option("--neighbours", type=int, help="Of UMAP. [default: 15]")
@click.option("--sample", type=int, help="Fit to so many tracks at most; the others are placed. [default: 20000]")
@click.option("--seed", type=int, default=0, help="Draws the sample.")
@click.option("--list", "listed", is_flag=True, help="List the maps that the library keeps.")
@click.option("--drop", "dropped", metavar="NAME", help="Forget a map; tracks and vectors stay.")
@add_options([token_option])
@json_option
def map(
    library: str,
    token: str | None,
    output: Path | None,
    table: Path | None,
    colour: str | None,
    thumbnails: bool,
    listed: bool,
    dropped: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Give each track of LIBRARY a place by how it sounds: what is near sounds alike.

    The map is fitted once and kept with the library. New tracks are placed into it, and those that are there stay where they
    are. --refit fits it anew, lays it onto the former one, and says how much moved.
    """
    from sonovec.library.library import Library

    _check(output, table, thumbnails)
    with Library(library, token=token) as opened:
        if listed or dropped is not None:
            _manage(opened, dropped, as_json)
            return
        options = {key: value for key, value in options.items() if value is not None}
        _make(opened, output, table, colour, thumbnails, as_json, options)


def _check(output: Path | None, table: Path | None, thumbnails: bool) -> None:
    """Refuse files that could not be written before hours of work."""
    from sonovec.explore import drawing, export
    from sonovec.paths import check_output

    is_page = output is not None and output.suffix.lower() == PAGE
    if thumbnails and not is_page:
        raise UsageError("--thumbnails are for the cards of a page; give -o map.html")
    if output is not None:
        if not is_page and output.suffix.lower() not in drawing.ENDINGS:
            raise UsageError(
                f"{display(output)}: a map is written as .html, .png, .svg or .pdf; give a name such as "
                f"{display(output.stem)}.html"
            )
        (check_output if is_page else drawing.check_target)(output)
    if table is not None:
        export.check_target(table)


def _make(
    opened: Library,
    output: Path | None,
    table: Path | None,
    colour: str | None,
    thumbnails: bool,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    from sonovec import explore
    from sonovec.explore.thumbnails import thumbnails as drawn

    with watched() as bar:
        found = explore.map(opened, **options, progress=bar)
        pictures = drawn(opened, found, progress=bar) if thumbnails else None
    written: list[Path] = []
    if output is not None:
        if output.suffix.lower() == PAGE:
            explore.write_page(opened, found, output, colour=colour, thumbnails=pictures)
        else:
            explore.draw_map(opened, found, output, colour=colour)
        written.append(output)
    if table is not None:
        written += explore.export_map(opened, found, table)
    for note in (*found.notes, *filter(None, [found.advice])):
        warn(note)
    if as_json:
        print_json(_json(found, written))
    else:
        _print(found, written)


def _manage(opened: Library, dropped: str | None, as_json: bool) -> None:
    from sonovec import explore
    from sonovec.explore.mapping import read

    if dropped is not None:
        explore.drop_map(opened, dropped)
    kept = [found for name in explore.maps(opened) if (found := read(opened, name)) is not None]
    if as_json:
        print_json({"maps": [_json(found, []) for found in kept]})
    elif kept:
        rows = [(each.name, each.method, each.dims, each.space, len(each), time_text(each.made)) for each in kept]
        print_table(["name", "method", "dims", "space", "tracks", "fitted"], rows)
    else:
        click.echo("no maps")


def _print(found: Map, written: list[Path]) -> None:
    trust, continuity = found.trust
    told = "" if trust is None else f"; trustworthiness {trust:.3f}, continuity {continuity:.3f}"
    click.echo(f"map {found.name}: {len(found)} tracks by {found.method} in {found.dims} dimensions{told}")
    if found.placed:
        click.echo(f"{found.placed} new tracks were placed; no other moved")
    if found.moved is not None:
        click.echo(str(found.moved))
    for path in written:
        click.echo(f"written to {display(path)}")


def _json(found: Map, written: list[Path]) -> dict[str, Any]:
    trust, continuity = found.trust
    moved = found.moved
    return {
        "name": found.name,
        "method": found.method,
        "dims": found.dims,
        "space": found.space,
        "settings": dict(found.projection.settings),
        "tracks": len(found),
        "with_place": int(found.has_place.sum()),
        "fitted": found.fitted,
        "made": found.made,
        "placed": found.placed,
        "trustworthiness": trust,
        "continuity": continuity,
        "moved": None if moved is None else {"tracks": moved.tracks, "median": moved.median, "far": moved.far},
        "written": [to_text(path) for path in written],
        "notes": [*found.notes, *filter(None, [found.advice])],
    }
