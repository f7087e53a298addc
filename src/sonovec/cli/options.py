"""Options that several commands share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from sonovec.cli.completion import LIBRARY, MODEL
from sonovec.clock import seconds_of
from sonovec.errors import UsageError
from sonovec.paths import display

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

isolate_option = click.option(
    "--isolate",
    is_flag=True,
    help="Decode in child processes, so that a crash fails only one file. Use it for files that you do not trust.",
)

jobs_option = click.option(
    "--jobs", type=click.IntRange(1), help="Number of threads (default: one for each core). [env: SONOVEC_JOBS]"
)

token_option = click.option("--token", help="user:password or API key of a Milvus server. [env: SONOVEC_MILVUS_TOKEN]")

library_options: Sequence[Callable[[Any], Any]] = (
    click.option(
        "-l",
        "--library",
        required=True,
        type=LIBRARY,
        envvar="SONOVEC_LIBRARY",
        help="A folder, a .db file (Milvus Lite), or http://host:port/name (Milvus). [env: SONOVEC_LIBRARY]",
    ),
    token_option,
)

weights_option = click.option(
    "--weights", type=click.Path(), help="The model's file, or the folder that holds its files."
)

hop_option = click.option("--hop", type=float, help="Seconds from one window to the next.")

#: Which encoder, and how its sounds are cut.
model_options: Sequence[Callable[[Any], Any]] = (
    click.option("-m", "--model", type=MODEL, help="Encoder; `sonovec models` lists them."),
    weights_option,
    click.option(
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set an option of the model; `sonovec models show NAME` lists them.",
    ),
    hop_option,
    click.option(
        "--tail",
        type=click.Choice(["pad", "drop"]),
        help="The end of a sound that is shorter than a window: pad it or drop it.",
    ),
)

#: Where and how an encoder runs.
running_options: Sequence[Callable[[Any], Any]] = (
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs."),
    isolate_option,
    jobs_option,
)

#: How sounds are cleaned before they are cut into windows; None where it is not said.
cleaning_options: Sequence[Callable[[Any], Any]] = (
    click.option(
        "--vad", is_flag=True, default=None, help="Leave out windows in which nobody speaks (pip extra: speech)."
    ),
    click.option("--trim", is_flag=True, default=None, help="Cut off silence at the beginning and the end."),
    click.option("--denoise", is_flag=True, default=None, help="Take steady noise out first (pip extra: denoise)."),
)

encoder_options: Sequence[Callable[[Any], Any]] = (
    *model_options,
    click.option(
        "--precision",
        type=click.Choice(["auto", "f32", "bf16", "int8"]),
        help="Number type in which the network computes.",
    ),
    *running_options,
)


#: Paths from a file or from another program, beside those of the command line; read by `given_paths`.
files_from_options: Sequence[Callable[[Any], Any]] = (
    click.option(
        "--files-from", metavar="FILE", help="Also the paths that FILE lists, one a line; `-` is the standard input."
    ),
    click.option("-0", "--null", is_flag=True, help="Paths in FILE and on the standard input end with a zero byte."),
)


def given_paths(arguments: Sequence[str], files_from: str | None, null: bool) -> list[str]:
    """The paths of the command line and of ``--files-from``, as text; ``-`` stands for those on the standard input.

    Raises
    ------
    UsageError
        There are none at all, the file cannot be read, or ``--null`` is given without anything to read.
    """
    if not arguments and files_from is None:
        raise UsageError("no paths; give some, or - to read them from the standard input, or --files-from FILE")
    if null and files_from is None and "-" not in arguments:
        raise UsageError("--null says how paths are read; add - for the standard input, or --files-from FILE")
    wanted = [*arguments, *([] if files_from is None else [files_from])]
    if wanted.count("-") > 1:
        raise UsageError("- is given twice; the standard input can be read once")
    found = [path for each in arguments for path in (_listed("-", null) if each == "-" else [each])]
    return found + ([] if files_from is None else _listed(files_from, null))


def _listed(name: str, null: bool) -> list[str]:
    try:
        with click.open_file(name, "rb") as file:
            content = file.read()
    except OSError as error:
        raise UsageError(f"--files-from {display(name)}: cannot be read ({error.strerror})") from error
    lines = content.split(b"\0") if null else [line.removesuffix(b"\r") for line in content.split(b"\n")]
    return [os.fsdecode(line) for line in lines if line]


class _Seconds(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """A place in a sound, in the ways that people write it: ``80``, ``1:20``, ``1:02:03.5``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, from text or a number."""
        seconds = seconds_of(str(value))
        if seconds is None:
            self.fail(f"{value!r} is not a time; give seconds, such as 80, or 1:20, or 1:02:03.5", param, ctx)
        return seconds


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


def part_options(what: str) -> Sequence[Callable[[Any], Any]]:
    """``--start`` and ``--end``, whose help begins with what is done with the part."""
    return (
        click.option(
            "--start", type=SECONDS, default=0.0, help=f"{what}, which begins at this time, such as 80 or 1:20."
        ),
        click.option("--end", type=SECONDS, help="The part ends at this time."),
    )
