"""The form of an answer that players read: M3U8 on the output stream."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from sonovec.cli.output import warn_of
from sonovec.errors import UsageError
from sonovec.library.playlist import files
from sonovec.library.playlist.files import Item

__all__ = ["Item", "m3u_option", "one_form", "print_playlist", "tell_left_out"]

m3u_option = click.option("--m3u", is_flag=True, help="Print a playlist: M3U8, which players read.")


def one_form(**forms: bool) -> None:
    """Refuse two forms of one answer.

    Raises
    ------
    UsageError
        Several of the options, given by name, are set.
    """
    given = [f"--{name}" for name, wanted in forms.items() if wanted]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are different forms of one answer; give one of them")


def print_playlist(items: Iterable[Item], relative_to: Path | None = None) -> None:
    """Print a playlist. What it cannot hold is left out, with a line on the error stream."""
    content, left_out = files.m3u(list(items), relative_to=relative_to)
    click.echo(content, nl=False)
    tell_left_out(left_out)


def tell_left_out(left_out: Iterable[files.LeftOut]) -> None:
    """A line on the error stream for each sound that a playlist does not hold."""
    for each in left_out:
        warn_of(each.path, f"left out: {each.reason}")
