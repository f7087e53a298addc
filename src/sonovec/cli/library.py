"""``sonovec library``: what belongs to a whole library, and not to one run or one search."""

from __future__ import annotations

import click


@click.group(short_help="Look after a library.")
def library() -> None:
    """Look after a library: what it is made of, and what its parts are called."""
