"""``sonovec models quantize``: 8 bits, and what they cost."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path

import click

from sonovec.cli.completion import MODEL
from sonovec.cli.log import watched
from sonovec.cli.options import encoder_settings, json_option
from sonovec.cli.output import print_json, print_table


@click.command(short_help="Quantise an encoder to 8 bits.")
@click.argument("name", type=MODEL)
@click.argument("sounds", nargs=-1, type=click.Path(path_type=Path))
@click.option("--weights", type=click.Path(), help="The model's file, or the folder that holds its files.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the model's own.")
@json_option
def quantize(name: str, sounds: tuple[Path, ...], weights: str | None, options: tuple[str, ...], as_json: bool) -> None:
    """Quantise the encoder NAME by SOUNDS, files and folders of what it is for; without any, by the demo's sounds.

    The loss is measured on windows that did not calibrate, and kept with the network in the cache. Then --precision int8
    takes it.
    """
    import tempfile

    from sonovec import demo
    from sonovec.audio.scan import Found, scan
    from sonovec.embedding.encoder import load
    from sonovec.embedding.quantization import quantize as quantize_encoder
    from sonovec.embedding.source import Sound

    encoder = load(name, **encoder_settings(options, weights=weights))  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder, watched() as bar:
        if not sounds:
            demo.write(Path(folder))
        found = [item.path for item in scan(sounds or (Path(folder),)) if isinstance(item, Found)]
        random.Random(0).shuffle(found)  # the first few hundred windows are enough, but not those of one folder
        loss = quantize_encoder(encoder, list[Sound](found), progress=bar)
    if as_json:
        print_json(asdict(loss))
    else:
        print_table(
            ["quantised", "windows", "lowest cosine", "mean cosine", "same nearest"], [tuple(asdict(loss).values())]
        )
