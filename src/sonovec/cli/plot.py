"""``sonovec plot``: a picture of a sound."""

from __future__ import annotations

from pathlib import Path

import click

from sonovec.cli.options import add_options, encoder_options, encoder_settings, json_option, part_options
from sonovec.cli.output import print_json, warn_of


@click.command(short_help="A picture of a sound.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="OUT.png or OUT.svg."
)
@click.option(
    "--panels",
    metavar="NAME,NAME",
    help="Which of waveform, spectrogram, tags and similarity, from top to bottom. [default: all that the encoder has]",
)
@add_options(part_options("Draw only a part of the sound"))
@add_options(encoder_options)
@json_option
def plot(
    file: Path,
    output: Path,
    panels: str | None,
    start: float,
    end: float | None,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    as_json: bool,
    **settings: object,
) -> int:
    """Draw FILE as an encoder hears it: waveform, spectrogram, tags over time, and which parts are alike.

    The spectrogram has the encoder's own bands and frames. An encoder that hears the waveform itself has none: a general
    one is drawn, and its title says so.
    """
    from sonovec.embedding.encoder import load
    from sonovec.models.defaults import ALIAS
    from sonovec.paths import display, to_text
    from sonovec.pictures.hearing import hear
    from sonovec.pictures.plot import EMBEDDED, check_target, chosen_panels, draw, save

    check_target(output)
    encoder = load(model or ALIAS, **encoder_settings(options, weights=weights, **settings))  # type: ignore[arg-type]
    chosen = chosen_panels(encoder, None if panels is None else [name.strip() for name in panels.split(",")])
    heard = hear(encoder, file, start, end, embed=bool(EMBEDDED & set(chosen)))
    save(draw(heard, encoder.card.name, chosen, display(file.name)), output)
    notes = list(heard.embedding.notes) if heard.embedding else []
    for note in notes:
        warn_of(to_text(file), note)
    if as_json:
        print_json(
            {
                "path": to_text(file),
                "output": to_text(output),
                "model": encoder.card.name,
                "start": heard.start,
                "end": heard.end,
                "panels": list(chosen),
                "own_spectrogram": heard.own,
                "notes": notes,
            }
        )
    else:
        click.echo(f"{display(file)} ({heard.end - heard.start:.1f} s) drawn to {display(output)}")
    return 0
