"""``sonovec demo``: a small library of sounds that are made on the spot, searched."""

from __future__ import annotations

from pathlib import Path

import click

from sonovec.cli.index import add_with_progress, print_report, report_json
from sonovec.cli.options import json_option
from sonovec.cli.output import print_json, print_table, seconds_text


@click.command(short_help="Make sounds on the spot, index them, search them.")
@click.argument("folder", type=click.Path(path_type=Path), default="sonovec-demo")
@json_option
def demo(folder: Path, as_json: bool) -> int:
    """Make sounds, index them and search them, in FOLDER (default: sonovec-demo)."""
    from sonovec import demo as sounds
    from sonovec.library.library import Library
    from sonovec.paths import display, from_text, to_text

    paths = sounds.write(folder / "sounds")
    queries = [next(path for path in paths if path.parent.name == kind) for kind in sounds.KINDS]
    with Library(folder / "library") as library:
        report = add_with_progress(library, (folder / "sounds",), metadata=folder / "sounds" / "demo.csv")
        tracks = len(library)
        answers = {query: library.search(query, limit=3) for query in queries}
    same_kind = [
        from_text(hit.path).parent.name == query.parent.name for query, hits in answers.items() for hit in hits
    ]
    if as_json:
        searches = [{"query": to_text(q), "hits": [hit.to_json() for hit in hits]} for q, hits in answers.items()]
        precision = sum(same_kind) / len(same_kind)
        print_json(
            {**report_json(report, str(folder / "library"), tracks), "same_kind": precision, "searches": searches}
        )
        return 1 if report.failures else 0
    print_report(report, str(folder / "library"), tracks)
    print_table(
        ["what sounds like", "nearest", "score", "seconds"],
        [
            (display(query.name), display(from_text(hit.path).name), hit.score, seconds_text(hit.start, hit.end))
            for query, hits in answers.items()
            for hit in hits[:1]
        ],
    )
    click.echo(f"{sum(same_kind)} of {len(same_kind)} neighbours are of the same kind as what was searched for.")
    click.echo(_NEXT.format(folder=display(folder), query=display(queries[0]), kind=queries[0].parent.name))
    return 1 if report.failures else 0


_NEXT = """
Try next:
  sonovec search {query} -l {folder}/library
  sonovec search {query} -l {folder}/library --filter "kind != '{kind}'" --json
  sonovec index YOUR_FOLDER -l my-library
  sonovec search YOUR_FILE -l my-library"""
