"""``sonovec search``: what sounds like this?"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli import places as of_places
from sonovec.cli.options import add_options, isolate_option, json_option, library_options
from sonovec.cli.output import print_json, print_table, seconds_text, warn
from sonovec.paths import printable

if TYPE_CHECKING:
    from sonovec.library.search import Hit, TextSearch


#: Tags of a hit that are shown, and hits where no number is given.
TAGS, FIRST = 3, 10


@click.command(short_help="What sounds like this?")
@click.argument("query", type=click.Path(), required=False)
@click.option("--text", metavar="WORDS", help="Words in place of QUERY, such as 'glass breaking'.")
@add_options(library_options)
@click.option("-n", "--limit", type=int, help="How many hits: 10; with --places all.")
@click.option("--include-self", is_flag=True, help="Also QUERY itself, which is left out where it is in the library.")
@click.option("--all-versions", is_flag=True, help="A hit for each track, also of those that are one recording.")
@add_options(of_places.places_options)
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
@click.option(
    "--space", default="main", show_default=True, help="Whose vectors are compared; see `sonovec library spaces`."
)
@click.option(
    "--exact", is_flag=True, help="Compare with every vector, where a large library has an approximate index."
)
@click.option("-m", "--model", type=click.Path(), help="Where the library's own model lies, if it was moved.")
@click.option("--weights", type=click.Path(), help="The model's file or folder, where it is not in the cache.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where the network runs.")
@isolate_option
@json_option
def search(
    query: str | None,
    text: str | None,
    library: str,
    token: str | None,
    limit: int | None,
    include_self: bool,
    all_versions: bool,
    places: bool,
    min_score: float | None,
    limit_per_track: int | None,
    by_time: bool,
    effort: float,
    targets: tuple[Path, ...],
    where: str | None,
    start: float,
    end: float | None,
    level: str,
    space: str,
    exact: bool,
    model: str | None,
    weights: str | None,
    device: str,
    isolate: bool,
    as_json: bool,
) -> None:
    """Find what sounds like QUERY: a file, or the id of a track in the library; or as the words of --text say."""
    from sonovec.errors import UsageError
    from sonovec.library.library import Library
    from sonovec.library.search import TextSearch
    from sonovec.paths import to_text

    of_places.check(
        places,
        targets,
        min_score=min_score is not None,
        limit_per_track=limit_per_track,
        by_time=by_time,
        effort=effort != 1,
    )
    if (query is None) == (text is None):
        raise UsageError(
            "give either a sound or words: sonovec search QUERY, or sonovec search --text 'glass breaking'"
        )
    if text is not None and space != "main":
        raise UsageError(
            f"--space {space} is for a sound; words are answered by the library's own encoder: leave it out"
        )
    if text is not None and (start or end is not None):
        raise UsageError("--start and --end are seconds of a sound; leave them out with --text")
    if text is not None and include_self:
        raise UsageError("--include-self is for a sound; words are no track of the library: leave it out with --text")
    if text is not None and exact:
        raise UsageError("--exact is for a sound; leave it out with --text")
    if places and (text is not None or level != "track" or exact):
        raise UsageError("--places is for a sound, and looks at its parts; leave out --text, --level and --exact")
    with Library(library, model=model, token=token, weights=weights, device=device, isolate=isolate) as opened:
        if places:
            of_places.find(
                opened,
                str(query),
                targets,
                as_json,
                limit=limit,
                limit_per_track=limit_per_track,
                start=start,
                end=end,
                filter=where,
                space=space,
                min_score=min_score,
                order="time" if by_time else "score",
                effort=effort,
                include_self=include_self,
            )
            return
        limit = FIRST if limit is None else limit
        if query is not None:
            hits = opened.search(
                query,
                limit,
                start=start,
                end=end,
                filter=where,
                level=level,
                space=space,
                exact=exact,
                include_self=include_self,
                all_versions=all_versions,
            )
            found = TextSearch(hits, "sound", reason=None if hits else opened.why_no_hits(where))
        else:
            found = opened.search_text(str(text), limit, filter=where, level=level, all_versions=all_versions)
        advice = opened.advice
    if found.by == "tags" and found.hits:
        warn(_how_ranked(found))
    for line in elsewhere(found.hits, library):
        warn(line)
    if advice:
        warn(advice)
    if as_json:
        asked = {"query": to_text(query)} if query is not None else {"text": text}
        notes = list(getattr(found.hits, "notes", ()))
        how = {
            "by": found.by,
            "tags": list(found.tags),
            "unknown": list(found.unknown),
            "reason": found.reason,
            "notes": notes,
        }
        print_json({**asked, "library": to_text(library), **how, "hits": [hit.to_json() for hit in found.hits]})
    elif found.hits:
        print_hits(found.hits)
    else:
        click.echo(f"no hits: {found.reason}")


def elsewhere(hits: list[Hit], library: str) -> list[str]:
    """What to run where hits lie in roots whose folders are not known on this machine."""
    from sonovec.library.roots import alias_in

    aliases = sorted({alias for hit in hits if (alias := alias_in(hit.path)) is not None})
    return [
        f"{printable(alias)}: a root that is not known on this machine; say where it lies: "
        f"{printable(shlex.join(['sonovec', 'library', 'move-root', library, alias]))} FOLDER"
        for alias in aliases
    ]


def _how_ranked(found: TextSearch) -> str:
    unknown = f"; not heard anywhere and left out: {', '.join(found.unknown)}" if found.unknown else ""
    return f"ranked by the tags that the words name: {', '.join(found.tags)}{unknown}"


def print_hits(hits: list[Hit]) -> None:
    """Print hits for people: score, file, which seconds match which, and what is heard there, if that is known."""
    columns: dict[str, list[object]] = {
        "score": [hit.score for hit in hits],
        "path": [hit.path for hit in hits],
        "versions": [f"+{len(hit.versions)}" if hit.versions else "" for hit in hits],
        "these seconds": [seconds_text(hit.query_start, hit.query_end) for hit in hits],
        "match these": [seconds_text(hit.start, hit.end) for hit in hits],
        "tags": ["; ".join(list(hit.tags)[:TAGS]) for hit in hits],
    }
    shown = {name: cells for name, cells in columns.items() if name not in ("tags", "versions") or any(cells)}
    print_table(list(shown), list(zip(*shown.values(), strict=True)))
