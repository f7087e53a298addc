"""``sonovec recommend``: what goes with these tracks?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from sonovec.cli.m3u import Item, m3u_option, one_form, print_playlist
from sonovec.cli.options import add_options, isolate_option, json_option, library_options
from sonovec.cli.output import print_json, print_table, seconds_text, time_text, warn
from sonovec.cli.search import elsewhere
from sonovec.cli.tables import SOUND, Column, Sound, sound
from sonovec.errors import UsageError
from sonovec.paths import from_text, to_text

if TYPE_CHECKING:
    from sonovec.library.library import Library
    from sonovec.library.recommend.ratings import Rating
    from sonovec.library.recommend.result import Recommendation, Recommendations

#: The columns of terms, and the order in which they are left out where the terminal is narrow.
_TERMS = {"tempo": 3, "key": 4, "mood": 5, "energy": 6, "liked": 7, "disliked": 7}


@click.command(short_help="What goes with these tracks?")
@click.argument("arguments", type=click.Path(), nargs=-1, metavar="TRACK|FILE...")
@add_options(library_options)
@click.option("--not", "unwanted", multiple=True, metavar="TRACK|FILE", help="Neither this nor what is near to it.")
@click.option("--tempo", metavar="118..126", help="Only tracks with a tempo in this range, in beats a minute.")
@click.option("--tempo-like", is_flag=True, help="Only tracks within 6 % of the tempo of a seed.")
@click.option("--octaves", is_flag=True, help="With --tempo-like: half and double the tempo is as good.")
@click.option("--key-compatible", is_flag=True, help="Only tracks whose key mixes with that of a seed.")
@click.option("--mood", multiple=True, help="Only tracks in which this mood is heard, such as happy.")
@click.option(
    "--energy", type=click.Choice(["up", "down", "like"]), help="More energy than the seeds, less, or as much."
)
@click.option("--artist-limit", type=int, metavar="N", help="At most N tracks of one artist.")
@click.option("--from", "where", metavar="EXPR", help="Only from tracks that match, such as \"genre = 'Jazz'\".")
@click.option("-n", "--limit", type=int, default=20, show_default=True, help="Number of tracks.")
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="TERM=NUMBER",
    help="What a term counts for: sound, tempo, key, mood, energy, liked or disliked, such as tempo=1.",
)
@click.option(
    "--variety",
    type=float,
    default=0.2,
    show_default=True,
    help="From 0 to 1: how much a track loses that is like others.",
)
@click.option(
    "--prefer",
    type=click.Choice(["heard", "file"]),
    default="heard",
    show_default=True,
    help="The tempo and key that were heard, or those that the file claims, where both are known.",
)
@click.option("--like", "liked", multiple=True, metavar="TRACK", help="Keep that you like it; weighs in from now on.")
@click.option("--dislike", "disliked", multiple=True, metavar="TRACK", help="Keep that you dislike it.")
@click.option("--forget", "forgotten", multiple=True, metavar="TRACK", help="Forget that you liked or disliked it.")
@click.option("--forget-all", is_flag=True, help="Forget all that you liked and disliked.")
@click.option("--history", is_flag=True, help="Print what is liked and disliked, by whom and since when.")
@click.option("--no-history", is_flag=True, help="What is liked and disliked has no say this time.")
@click.option(
    "--who", metavar="NAME", help="Whose likes and dislikes (default: to keep, your user name's; to weigh, all)."
)
@click.option("--explain", is_flag=True, help="Print for each track, line by line, why it was chosen.")
@click.option("-m", "--model", type=click.Path(), help="Where the library's own model lies, if it was moved.")
@isolate_option
@json_option
@m3u_option
def recommend(
    arguments: tuple[str, ...],
    library: str,
    token: str | None,
    unwanted: tuple[str, ...],
    tempo: str | None,
    tempo_like: bool,
    octaves: bool,
    key_compatible: bool,
    mood: tuple[str, ...],
    energy: str | None,
    artist_limit: int | None,
    where: str | None,
    limit: int,
    weights: tuple[str, ...],
    variety: float,
    prefer: str,
    liked: tuple[str, ...],
    disliked: tuple[str, ...],
    forgotten: tuple[str, ...],
    forget_all: bool,
    history: bool,
    no_history: bool,
    who: str | None,
    explain: bool,
    model: str | None,
    isolate: bool,
    as_json: bool,
    m3u: bool,
) -> None:
    """Recommend tracks of a library that go with each TRACK (a path, or the id of a track) or FILE.

    What several seeds agree on comes first. A seed that is not in the library is embedded. Tempo, key, mood and energy
    count where the library has them: sonovec index FOLDER -l LIBRARY --music.

    --like, --dislike and --forget change what the library keeps of your taste; without TRACK they do that alone.
    """
    from sonovec.library.library import Library

    one_form(json=as_json, m3u=m3u, explain=explain)
    rates = bool(liked or disliked or forgotten or forget_all)
    if history and (arguments or m3u or explain):
        raise UsageError("--history prints what is liked and disliked; leave TRACK, --m3u and --explain out")
    if not arguments and not history and not rates:
        raise UsageError("no seeds; give tracks or files to recommend for: sonovec recommend TRACK... -l LIBRARY")
    if both := set(liked) & set(disliked):
        raise UsageError(f"{min(both)}: is given with --like and with --dislike; leave one of them out")
    given = weights_of(weights)
    with Library(library, model=model, token=token, isolate=isolate) as opened:
        if rates:
            _rate(opened, liked, disliked, forgotten, forget_all, who)
        if not arguments:
            _show_history(opened.ratings(who=who), library, as_json, opened.short_paths())
            return
        found = opened.recommend(
            list(arguments),
            dislike=list(unwanted),
            tempo=tempo,
            tempo_like=tempo_like,
            octaves=octaves,
            key_compatible=key_compatible,
            mood=mood or None,
            energy=energy,
            artist_limit=artist_limit,
            filter=where,
            limit=limit,
            weights=given,
            variety=variety,
            prefer=prefer,
            history=not no_history,
            who=who,
        )
        short = opened.short_paths()
    for line in elsewhere(found, library):
        warn(line)
    if found.advice:
        warn(found.advice)
    if as_json:
        print_json({"library": to_text(library), **found.to_json()})
    elif m3u:
        print_playlist(Item(each.path, each.fields) for each in found)
    elif not found:
        click.echo(f"no tracks: {found.reason}" if found.reason else "no tracks")
    elif explain:
        _explain(found, short)
    else:
        _print(found, short)


def weights_of(given: Sequence[str]) -> dict[str, float]:
    """The weights of ``TERM=NUMBER``.

    Raises
    ------
    UsageError
        One is not of this form.

    Examples
    --------
    >>> weights_of(["tempo=1", "mood=0.5"])
    {'tempo': 1.0, 'mood': 0.5}
    """
    found = {}
    for each in given:
        name, equals, number = each.partition("=")
        value = None
        with contextlib.suppress(ValueError):
            value = float(number)
        if not (name and equals) or value is None:
            raise UsageError(f"--weight {each!r} is not of the form TERM=NUMBER; give, for example, --weight tempo=1")
        found[name.strip()] = value
    return found


def _rate(
    library: Library,
    liked: Sequence[str],
    disliked: Sequence[str],
    forgotten: Sequence[str],
    forget_all: bool,
    who: str | None,
) -> None:
    if forget_all:
        library.forget_ratings(who=who)
    if forgotten:
        library.forget_ratings(forgotten, who=who)
    if liked:
        library.rate(liked, "liked", who=who)
    if disliked:
        library.rate(disliked, "disliked", who=who)


def _show_history(ratings: Sequence[Rating], library: str, as_json: bool, short: Callable[[str], str]) -> None:
    if as_json:
        print_json({"library": to_text(library), "history": [each.to_json() for each in ratings]})
    elif ratings:
        columns = (Column("verdict"), SOUND, Column("who", cut="end"), Column("when", spare=1))
        rows = [(each.verdict, Sound(each.path, short(each.path)), each.who, time_text(each.time)) for each in ratings]
        print_table(columns, rows)
    else:
        click.echo("nothing is liked or disliked yet; to keep it: sonovec recommend --like TRACK -l LIBRARY")


def _print(found: Recommendations, short: Callable[[str], str]) -> None:
    """A table: the score, the track, and a column for each term."""
    columns: dict[Column, Sequence[object]] = {
        Column("score"): [each.score for each in found],
        SOUND: [sound(each.path, each.fields, short(each.path)) for each in found],
        Column("versions", spare=8): [f"+{len(each.versions)}" if each.versions else "" for each in found],
        Column("alike", spare=1): [each.similarity for each in found],
        **{
            Column(name, cut="end", spare=spare): [_said(each, name) for each in found]
            for name, spare in _TERMS.items()
        },
        Column("match these", spare=2): [seconds_text(each.start, each.end) for each in found],
    }
    shown = {column: cells for column, cells in columns.items() if not column.spare or any(cells)}
    print_table(list(shown), list(zip(*shown.values(), strict=True)))


def _said(each: Recommendation, name: str) -> str:
    return each.terms[name].said if name in each.terms else ""


def _explain(found: Recommendations, short: Callable[[str], str]) -> None:
    """Each track with its terms: the value, the weight and the words."""
    for number, each in enumerate(found, start=1):
        named = sound(each.path, each.fields, short(each.path)).name
        click.echo(f"{number}. {named}  {each.score:.3f}")
        for name, term in each.terms.items():
            click.echo(f"   {name:<9} {_number(term.value)} x {term.weight:<5g} {term.said}")
        if each.start is not None:
            theirs = seconds_text(each.query_start, each.query_end)
            of_seed = f" match {theirs} of {each.seed}" if theirs else f" match {each.seed}"
            click.echo(f"   {'seconds':<9} {seconds_text(each.start, each.end)}{of_seed}")
        for version in each.versions:
            click.echo(f"   {'version':<9} {short(version.path) or from_text(version.path).name}")


def _number(value: float | None) -> str:
    return "    ?" if value is None else f"{value:.3f}"
