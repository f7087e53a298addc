"""Options that several commands share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from sonovec.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

isolate_option = click.option(
    "--isolate", is_flag=True, help="Decode in child processes, for files from strangers: a crash costs one file."
)

jobs_option = click.option(
    "--jobs", type=click.IntRange(1), help="Threads that work at once; one for each core. [env: SONOVEC_JOBS]"
)

token_option = click.option("--token", help="user:password or API key of a Milvus server. [env: SONOVEC_MILVUS_TOKEN]")

library_options: Sequence[Callable[[Any], Any]] = (
    click.option(
        "-l",
        "--library",
        required=True,
        envvar="SONOVEC_LIBRARY",
        help="A folder, a .db file (Milvus Lite), or http://host:port/name (Milvus). [env: SONOVEC_LIBRARY]",
    ),
    token_option,
)

encoder_options: Sequence[Callable[[Any], Any]] = (
    click.option("-m", "--model", help="Encoder; `sonovec models` lists them."),
    click.option("--weights", type=click.Path(), help="The model's file, or the folder that holds its files."),
    click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the model's own."),
    click.option("--hop", type=float, help="Seconds from one window to the next."),
    click.option("--tail", type=click.Choice(["pad", "drop"]), help="What does not fill a window: padded or dropped."),
    click.option("--precision", type=click.Choice(["auto", "f32", "bf16", "int8"]), help="Arithmetic of the network."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs."),
    isolate_option,
    jobs_option,
)


class _Seconds(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """A place in a sound, in the ways that people write it: ``80``, ``1:20``, ``1:02:03.5``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, from text or a number."""
        seconds = seconds_of(str(value))
        if seconds is None:
            self.fail(f"{value!r} is not a time; give seconds, such as 80, or 1:20, or 1:02:03.5", param, ctx)
        return seconds


def seconds_of(text: str) -> float | None:
    """The seconds of a time as people write it; None where it is not a time.

    Examples
    --------
    >>> seconds_of("80"), seconds_of("1:20"), seconds_of("1:02:03.5"), seconds_of("90:00"), seconds_of("1:75")
    (80.0, 80.0, 3723.5, 5400.0, None)
    """
    if not re.fullmatch(r"-?\d+(\.\d*)?|(\d+:)?\d+:\d+(\.\d*)?", text):
        return None
    parts = [float(part) for part in text.split(":")]
    if any(part >= 60 for part in parts[1:]):
        return None
    return sum((part * 60.0**power for power, part in enumerate(reversed(parts))), 0.0)


#: A place in a sound, in seconds.
SECONDS = _Seconds()


def add_options(options: Sequence[Callable[[Any], Any]]) -> Callable[[Command], Command]:
    """Add shared options to a command."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def encoder_settings(options: Sequence[str], **settings: object) -> dict[str, object]:
    """Keyword arguments for `sonovec.load`: what was given, and nothing that was not.

    Examples
    --------
    >>> encoder_settings(["pca=true"], hop=None, tail="drop")
    {'tail': 'drop', 'pca': True}
    >>> encoder_settings(["layer=[0.25, 0.75]", "window=5"])
    {'layer': [0.25, 0.75], 'window': 5}
    """
    given = {name: value for name, value in settings.items() if value is not None}
    return {**given, **dict(_parse(option) for option in options)}


_WORDS: dict[str, object] = {"true": True, "false": False}


def _list(text: str) -> list[object]:
    """A list in JSON, such as the weights of layers."""
    value = json.loads(text)
    if not isinstance(value, list):
        raise ValueError(text)
    return value


def _parse(option: str) -> tuple[str, object]:
    name, equals, text = option.partition("=")
    if not (name and equals and text):
        raise UsageError(f"--option {option!r} is not of the form NAME=VALUE; give, for example, --option pca=true")
    for read in (lambda t: _WORDS[t.lower()], int, float, _list):
        try:
            return name, read(text)
        except (KeyError, ValueError):
            continue
    return name, text
