"""``sonovec models check``: does an encoder keep what is promised of every vector?"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import click

from sonovec.cli.completion import MODEL
from sonovec.cli.log import watched
from sonovec.cli.options import add_options, encoder_options, encoder_settings, json_option
from sonovec.cli.output import print_json, print_table


@click.command(short_help="Check that an encoder keeps all its promises.")
@click.argument("name", type=MODEL)
@add_options(encoder_options[1:])
@click.option(
    "--quick", is_flag=True, help="Use a long sound of half a minute instead of ten minutes, and do not measure memory."
)
@json_option
def check(name: str, options: tuple[str, ...], quick: bool, as_json: bool, **settings: object) -> int:
    """Run a conformance suite over the encoder NAME: a model, a hub id, a folder or a card.yaml.

    Exits with 1 if a promise is broken.
    """
    from sonovec.embedding.encoder import load
    from sonovec.evaluation import conformance

    given = encoder_settings(options, **settings)
    with watched() as bar:
        results = conformance.check(partial(load, name, **given), quick, progress=bar)  # type: ignore[arg-type]
    broken = conformance.breaches(results)
    if as_json:
        print_json({"model": name, "breaches": len(broken), "results": [asdict(result) for result in results]})
    else:
        print_table(["check", "found", "limit", "outcome"], [tuple(asdict(result).values()) for result in results])
        click.echo(f"{name}: {len(results)} checks, {len(broken)} breaches")
    return 1 if broken else 0
