"""The command ``sonovec``: its commands, and how errors become one line and an exit code."""

from __future__ import annotations

import io
import os
import sys
from functools import cache
from importlib import import_module
from keyword import iskeyword
from typing import cast

import click

from sonovec import __version__
from sonovec.cli import log
from sonovec.cli.output import fail
from sonovec.errors import SonovecError
from sonovec.log import as_failure

OK, SOME_FAILED, USAGE = 0, 1, 2

#: Each is a function in the module of its name; where that is a word of Python's own, an underscore follows both.
COMMANDS = (
    *("demo", "doctor", "embed", "evaluate", "export", "history", "import", "index", "library", "list", "models"),
    *("remove", "search", "show", "stats", "tag"),
)

EXIT_CODES = """\b
Exit codes: 0 all went well; 1 some files failed (the others were done); 2 the command could not run."""


class _Commands(click.Group):
    """Commands that are imported when they are asked for, so that none waits for what another needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        return _told_of(cmd_name)


@cache
def _told_of(name: str) -> click.Command:
    function = f"{name}_" if iskeyword(name) else name
    return log.add_options(cast(click.Command, getattr(import_module(f"sonovec.cli.{function}"), function)))


@click.group(cls=_Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sonovec")
def cli() -> None:
    """Sound in, vectors out, answers from the vectors."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 all went well, 1 some files failed, 2 the command could not run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that has not all characters is no failure
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    with log.shown(), log.fetches_watched():
        return _run(arguments)


def _run(arguments: list[str] | None) -> int:
    try:
        return cli.main(arguments, prog_name="sonovec", standalone_mode=False) or OK
    except SonovecError as error:
        fail(f"sonovec: {error}")
    except click.ClickException as error:
        error.show()
    except click.Abort:
        fail("sonovec: interrupted; nothing that was complete is lost; run the same command again to finish")
        return 130
    except BrokenPipeError:
        # The reader went away, as `head` does. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        fail(f"sonovec: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    except Exception as error:  # noqa: BLE001 - a line, and the traceback in the log, help more than a traceback here
        fail(str(as_failure("sonovec", error)))
    return USAGE
