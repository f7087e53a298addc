"""``sonovec models``: which encoders there are, and what is known of each."""

from __future__ import annotations

import click

from sonovec.cli.options import json_option
from sonovec.cli.output import print_json, print_table


@click.group(invoke_without_command=True, short_help="Which encoders there are.")
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the encoders, or show the card of one."""
    if context.invoked_subcommand is not None:
        return
    from sonovec.models import registry

    cards = registry.cards()
    if as_json:
        print_json({"default": registry.DEFAULT, "models": [card.to_json() for card in cards]})
        return
    rows = [
        (
            card.name + (" (default)" if card.name == registry.DEFAULT else ""),
            card.dim,
            card.rate,
            card.window_seconds,
            card.licence,
            card.summary,
        )
        for card in cards
    ]
    print_table(["model", "dim", "rate", "window s", "licence", "what it is"], rows)


@models.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show everything that is known of the encoder NAME."""
    from sonovec.models import registry

    card = registry.card(name).to_json()
    if as_json:
        print_json(card)
    else:
        print_table(
            ["field", "value"], [(key, value) for key, value in card.items() if value not in (None, (), {}, "")]
        )
