"""``sonovec search``: what sounds like this?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import print_json, print_table, seconds_text

if TYPE_CHECKING:
    from sonovec.library.search import Hit


@click.command(short_help="What sounds like this?")
@click.argument("query", type=click.Path())
@add_options(library_options)
@click.option("-n", "--limit", default=10, show_default=True, help="How many hits.")
@click.option("--filter", "where", metavar="EXPR", help="Such as \"year >= 1990 and genre = 'Jazz'\".")
@click.option("--start", type=float, default=0.0, help="Search for a part of QUERY: from this second,")
@click.option("--end", type=float, help="to this one.")
@click.option(
    "--level",
    type=click.Choice(["track", "segment"]),
    default="track",
    show_default=True,
    help="Compare whole sounds, or the best pair of parts.",
)
@click.option("--weights", type=click.Path(), help="The model's file or folder, where it is not in the cache.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where the network runs.")
@json_option
def search(
    query: str,
    library: str,
    token: str | None,
    limit: int,
    where: str | None,
    start: float,
    end: float | None,
    level: str,
    weights: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Find what sounds like QUERY: a file, or the id of a track in the library."""
    from sonovec.library.library import Library
    from sonovec.paths import display

    with Library(library, token=token, weights=weights, device=device) as opened:
        hits = opened.search(query, limit, start=start, end=end, filter=where, level=level)
    if as_json:
        print_json({"query": display(query), "library": library, "hits": [hit.to_json() for hit in hits]})
    elif hits:
        print_hits(hits)
    else:
        click.echo("no hits" + (": no track matches the filter" if where else ": the library is empty"))


def print_hits(hits: list[Hit]) -> None:
    """Print hits for people: score, file, and which seconds match which."""
    rows = [
        (hit.score, hit.path, seconds_text(hit.query_start, hit.query_end), seconds_text(hit.start, hit.end))
        for hit in hits
    ]
    print_table(["score", "path", "these seconds", "match these"], rows)
