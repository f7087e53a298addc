"""``sonovec fad``: how far one set of sounds is from another, as a whole."""

from __future__ import annotations

import click

from sonovec.cli.completion import MODEL
from sonovec.cli.log import watched
from sonovec.cli.options import json_option
from sonovec.cli.output import fail_of, print_json, warn


@click.command(short_help="How far one set of sounds is from another.")
@click.argument("reference", type=click.Path())
@click.argument("other", type=click.Path())
@click.option(
    "--within-reference", "filter_a", metavar="FILTER", help="Only tracks of REFERENCE, a library, that match."
)
@click.option("--within-other", "filter_b", metavar="FILTER", help="Only tracks of OTHER, a library, that match.")
@click.option("-m", "--model", type=MODEL, help="Encoder of folders, where no library names it.")
@click.option("--seed", default=0, show_default=True, help="Seed of the samples that the correction takes.")
@json_option
def fad(
    reference: str, other: str, filter_a: str | None, filter_b: str | None, model: str | None, seed: int, as_json: bool
) -> int:
    """Print the Fréchet distance (FAD) of OTHER from REFERENCE.

    Each is a library, a folder of sounds, or a file of vectors (sonovec embed --level window -o a.npz). The plain distance
    is too high where there are few vectors; the corrected one is what it would be for infinitely many of OTHER.
    """
    from sonovec.explore.frechet import fad as measure

    with watched() as bar:
        found = measure(reference, other, filter_a=filter_a, filter_b=filter_b, model=model, seed=seed, progress=bar)
    for path, reason in found.failures:
        fail_of(path, reason)
    for note in found.notes:
        warn(note)
    if as_json:
        print_json(found.to_json())
    else:
        click.echo(f"FAD            {found.distance:.6g}")
        if found.corrected is not None:
            click.echo(f"FAD corrected  {found.corrected:.6g} ± {found.error:.2g} (r² {found.fit:.2f})")
        made = f", {found.model}" if found.model else ""
        click.echo(f"{found.count_a} and {found.count_b} vectors of {found.dim} numbers, {found.level}{made}")
    return 1 if found.failures else 0
