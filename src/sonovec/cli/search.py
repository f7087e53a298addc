"""``sonovec search``: what sounds like this?"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli import places as of_places
from sonovec.cli import said as of_said
from sonovec.cli.m3u import Item, m3u_option, one_form, print_playlist
from sonovec.cli.options import (
    add_options,
    files_from_options,
    isolate_option,
    json_option,
    library_options,
    part_options,
)
from sonovec.cli.output import fail_of, print_json, print_table, seconds_text, warn, warn_of
from sonovec.cli.queries import Answer, answered, asked, of_search
from sonovec.cli.tables import SOUND, Column, Sound, sound
from sonovec.paths import display, from_text, printable, to_text

if TYPE_CHECKING:
    from sonovec.library.recommend.result import Recommendation
    from sonovec.library.search import Hit, TextSearch


#: Tags of a hit that are shown, and hits where no number is given.
TAGS, FIRST = 3, 10


@click.command(short_help="What sounds like this?")
@click.argument("arguments", type=click.Path(), nargs=-1, metavar="QUERY...")
@add_options(files_from_options)
@click.option("--text", metavar="WORDS", help="Words in place of QUERY, such as 'glass breaking'.")
@of_said.said_option
@add_options(library_options)
@click.option("-n", "--limit", type=int, help="Number of hits (default: 10; with --places, all).")
@click.option("--include-self", is_flag=True, help="Also QUERY itself, which is left out where it is in the library.")
@click.option("--all-versions", is_flag=True, help="A hit for each track, also of those that are one recording.")
@add_options(of_places.places_options)
@click.option("--filter", "where", metavar="EXPR", help="Such as \"year >= 1990 and genre = 'Jazz'\".")
@add_options(part_options("Search for a part of QUERY"))
@click.option(
    "--level",
    type=click.Choice(["track", "segment"]),
    default="track",
    show_default=True,
    help="Compare whole sounds, or the best pair of parts.",
)
@click.option(
    "--space",
    default="main",
    show_default=True,
    help="Space whose vectors are compared: `voice` for the same voice; `sonovec library spaces` lists them.",
)
@click.option(
    "--rerank",
    metavar="SPACE",
    help="Score what --space finds by this finer space, such as `main`; see docs/compress.md.",
)
@click.option(
    "--exact", is_flag=True, help="Compare with every vector, instead of a large library's approximate index."
)
@click.option("-m", "--model", type=click.Path(), help="Where the library's own model lies, if it was moved.")
@click.option("--weights", type=click.Path(), help="The model's file or folder, where it is not in the cache.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where the network runs.")
@isolate_option
@json_option
@m3u_option
def search(
    arguments: tuple[str, ...],
    files_from: str | None,
    null: bool,
    text: str | None,
    said: str | None,
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
    rerank: str | None,
    exact: bool,
    model: str | None,
    weights: str | None,
    device: str,
    isolate: bool,
    as_json: bool,
    m3u: bool,
) -> int:
    """Find what sounds like QUERY: a file, or a track in the library by its id; or as the words of --text say.

    With --said, find where something was said, in what `sonovec index --transcribe` has written down.

    Of several QUERY each is answered; `-` stands for those on the standard input, one a line.
    """
    from sonovec.errors import UsageError
    from sonovec.library.hits import Hits
    from sonovec.library.library import Library
    from sonovec.library.search import TextSearch

    one_form(json=as_json, m3u=m3u)
    queries, many = asked(arguments, files_from, null)
    query = queries[0] if queries else None
    if said is not None and (text is not None or places):
        raise UsageError(
            f"--said goes with a sound, or alone; leave {'--text' if text is not None else '--places'} out"
        )
    if said is not None and query is None and not many:
        of_said.check(
            targets,
            min_score=min_score is not None,
            effort=effort != 1,
            level=level != "track",
            space=space != "main",
            exact=exact,
            rerank=rerank is not None,
            start=start,
            end=end is not None,
            include_self=include_self,
            all_versions=all_versions,
        )
        with Library(library, token=token) as opened:
            of_said.find(
                opened,
                said,
                targets,
                as_json,
                m3u,
                limit=FIRST if limit is None else limit,
                filter=where,
                limit_per_track=limit_per_track,
                order="time" if by_time else "score",
            )
        return 0
    of_places.check(
        places,
        targets,
        min_score=min_score is not None,
        limit_per_track=limit_per_track,
        by_time=by_time,
    )
    if (query is None and not many) == (text is None):
        raise UsageError(
            "give either a sound or words: sonovec search QUERY, or sonovec search --text 'glass breaking', or for what "
            "was said sonovec search --said 'open the door'"
        )
    if text is not None and space != "main":
        raise UsageError(
            "--space works only with a sound: sonovec answers --text with the library's main encoder; leave --space out"
        )
    if text is not None and (start or end is not None):
        raise UsageError("--start and --end are seconds of a sound; leave them out with --text")
    if text is not None and include_self:
        raise UsageError(
            "--include-self is for a sound; words are not a track of the library: leave it out with --text"
        )
    if rerank is not None and (text is not None or places):
        raise UsageError(
            f"--rerank is for a search by a sound; leave it out with {'--text' if text is not None else '--places'}"
        )
    if text is not None and effort != 1:
        raise UsageError("--effort is for a sound; leave it out with --text")
    if text is not None and exact:
        raise UsageError("--exact is for a sound; leave it out with --text")
    if places and (text is not None or level != "track" or exact or all_versions):
        raise UsageError(
            "--places is for a sound, and looks at its parts; leave out --text, --level, --exact and --all-versions"
        )
    if places and many:
        raise UsageError("--places is for one QUERY; give one")
    with Library(library, model=model, token=token, weights=weights, device=device, isolate=isolate) as opened:
        if places:
            of_places.find(
                opened,
                str(query),
                targets,
                as_json,
                m3u,
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
            return 0
        limit = FIRST if limit is None else limit

        def ask(query: str) -> TextSearch:
            hits = opened.search(
                query,
                limit,
                start=start,
                end=end,
                filter=where,
                level=level,
                space=space,
                exact=exact,
                effort=effort,
                include_self=include_self,
                all_versions=all_versions,
                said=said,
                rerank=rerank,
            )
            return TextSearch(hits, "sound", reason=None if hits else opened.why_no_hits(where, said=said))

        answers: list[Answer] = []
        if many:
            opened.tracks(where, limit=0)  # what is wrong for all of them is said once
            answers = answered(queries, ask)
            found = TextSearch(Hits(hit for answer in answers if answer.found for hit in answer.found.hits), "sound")
        elif query is not None:
            found = ask(query)
        else:
            found = opened.search_text(str(text), limit, filter=where, level=level, all_versions=all_versions)
        advice, short = opened.advice, opened.short_paths()
    if found.by == "tags" and found.hits:
        warn(_how_ranked(found))
    for line in elsewhere(found.hits, library):
        warn(line)
    for line in filter(None, (advice, found.advice)):
        warn(line)
    if as_json and many:
        print_json({"library": to_text(library), "queries": [answer.to_json() for answer in answers]})
    elif as_json:
        what = {"query": to_text(query)} if query is not None else {"text": text}
        what |= {} if said is None else {"said": said}
        print_json({**what, "library": to_text(library), **of_search(found)})
    elif m3u:
        print_playlist(Item(path, fields) for path, fields in {hit.path: hit.fields for hit in found.hits}.items())
    elif many:
        print_answers(answers, short)
    elif found.hits:
        print_hits(found.hits, short)
    else:
        click.echo(f"no hits: {found.reason}")
    failed = [answer for answer in answers if answer.error is not None]
    for answer in failed:
        fail_of(to_text(answer.query), str(answer.error))
    return 1 if failed else 0


def elsewhere(hits: Sequence[Hit | Recommendation], library: str) -> list[str]:
    """What to run where hits lie in roots whose folders are not known on this machine."""
    from sonovec.library.roots import alias_in

    aliases = sorted({alias for hit in hits if (alias := alias_in(hit.path)) is not None})
    return [
        f"{printable(alias)}: sonovec does not know where this root is on this machine; run: "
        f"{printable(shlex.join(['sonovec', 'library', 'move-root', library, alias]))} FOLDER"
        for alias in aliases
    ]


def _how_ranked(found: TextSearch) -> str:
    unheard = f"; heard nowhere and left out: {', '.join(found.unheard)}" if found.unheard else ""
    unknown = f"; no such tag and left out: {', '.join(found.unknown)}" if found.unknown else ""
    return f"ranked by the tags that the words name: {', '.join(found.tags)}{unheard}{unknown}"


def print_answers(answers: Sequence[Answer], short: Callable[[str], str]) -> None:
    """Print the hits of many queries in one table, each with its query."""
    found = [(answer, hit) for answer in answers if answer.found for hit in answer.found.hits]
    queries = [Sound(display(answer.query), from_text(answer.query).name) for answer, _ in found]
    _print({Column("query", cut="middle"): queries, **_columns([hit for _, hit in found], short)})
    for answer in answers:
        if answer.found is not None and not answer.found.hits:
            warn_of(to_text(answer.query), f"no hits: {answer.found.reason}")


def print_hits(hits: list[Hit], short: Callable[[str], str]) -> None:
    """Print hits for people: score, file, which seconds match which, and what is heard there, if that is known."""
    _print(_columns(hits, short))


def _print(columns: Mapping[Column, Sequence[object]]) -> None:
    print_table(list(columns), list(zip(*columns.values(), strict=True)))


def _columns(hits: Sequence[Hit], short: Callable[[str], str]) -> dict[Column, Sequence[object]]:
    columns: dict[Column, Sequence[object]] = {
        Column("score"): [hit.score for hit in hits],
        SOUND: [sound(hit.path, hit.fields, short(hit.path)) for hit in hits],
        Column("versions", spare=2): [f"+{len(hit.versions)}" if hit.versions else "" for hit in hits],
        Column("these seconds", spare=1): [seconds_text(hit.query_start, hit.query_end) for hit in hits],
        Column("match these"): [seconds_text(hit.start, hit.end) for hit in hits],
        Column("tags", cut="end", spare=3): ["; ".join(list(hit.tags)[:TAGS]) for hit in hits],
        **(of_said.columns_of([hit.said for hit in hits]) if any(hit.said for hit in hits) else {}),
    }
    return {column: cells for column, cells in columns.items() if column.name not in ("tags", "versions") or any(cells)}
