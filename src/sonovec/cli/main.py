"""The command ``sonovec``: its commands, and how errors become one line and an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from keyword import iskeyword
from typing import Any, cast

import click

from sonovec import __version__
from sonovec.cli import interrupt, log
from sonovec.cli.output import fail, print_json
from sonovec.errors import SonovecError
from sonovec.log import as_failure

OK, SOME_FAILED, USAGE = 0, 1, 2
#: As of a program that the signal SIGPIPE, 13, has ended.
CLOSED_PIPE = 128 + getattr(signal, "SIGPIPE", 13)

#: Each is a function in the module of its name; where that is a word of Python's own, an underscore follows both, and a
#: hyphen is an underscore there.
COMMANDS = (
    *("cluster", "compare-spaces", "compress", "demo", "detect", "doctor", "duplicates", "embed", "evaluate"),
    *("export", "fad", "finetune", "history", "import", "index", "label", "library", "list", "loops", "map"),
    *("models", "outliers", "playlist", "plot", "pretrain", "recommend", "remove", "search", "show", "stats", "tag"),
    *("train", "transcribe"),
)

EXIT_CODES = """\b
Exit codes: 0 all went well; 1 some files failed (the others were done); 2 the command could not run;
130 Ctrl-C ended it; 141 the reader of a pipe went away."""


class _NobodyReads(Exception):
    """The reader of a pipe went away, as `head` does."""


@contextmanager
def _read() -> Iterator[None]:
    """Tell of a closed pipe by an error of our own; at a `BrokenPipeError`, click exits with 1."""
    try:
        yield
    except BrokenPipeError as error:
        raise _NobodyReads from error


class _Commands(click.Group):
    """Commands that are imported when they are asked for, so that none waits for what another needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments; ``--help`` prints here."""
        with _read():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is asked for."""
        with _read():
            return super().invoke(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        return _told_of(cmd_name)


@cache
def _told_of(name: str) -> click.Command:
    function = f"{name}_" if iskeyword(name) else name.replace("-", "_")
    return log.add_options(cast(click.Command, getattr(import_module(f"sonovec.cli.{function}"), function)))


@click.group(cls=_Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sonovec")
def cli() -> None:
    """Sound in, vectors out, answers from the vectors."""


_GOES_ON = "run the same command again to go on"
#: What holds of a command that Ctrl-C has ended.
INTERRUPTED = {
    "compress": f"what was compressed is kept; {_GOES_ON}",
    "cluster": "clusters that were stored before are left as they were, or are stored anew as a whole",
    "detect": "what was printed by then is what was heard; files that were not finished are left as they were",
    "demo": f"what was indexed is kept; {_GOES_ON}",
    "doctor": f"what was repaired stays repaired; {_GOES_ON}",
    "embed": "the output file is left as it was",
    "evaluate": "files that were not finished are left as they were",
    "export": "no folder was made",
    "finetune": f"the last checkpoint is kept; {_GOES_ON}",
    "import": f"what was read is kept; {_GOES_ON}",
    "index": f"what was indexed is kept; {_GOES_ON}",
    "label": f"every answer is kept; {_GOES_ON}",
    "library": "the change was made as a whole or not at all",
    "map": "the map is as it was, or made anew as a whole; files that were not finished are left as they were",
    "models": f"what was fetched is kept; {_GOES_ON}",
    "remove": f"what was removed stays removed; {_GOES_ON}",
    "playlist": "files that were not finished, and the history, are left as they were",
    "plot": "the picture is left as it was",
    "pretrain": f"the last checkpoint is kept; {_GOES_ON}",
    "recommend": "every like and dislike that was kept stays kept",
    "search": "files that were not finished are left as they were",
    "tag": "files that were not finished are left as they were",
    "transcribe": f"transcripts that were written are kept; {_GOES_ON}",
    "train": f"what was embedded is kept, and the detector is left as it was; {_GOES_ON}",
}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 all went well, 1 some files failed, 2 the command could not run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that has not all characters is no failure
    try:
        with interrupt.heard():
            code = run(arguments)
    except KeyboardInterrupt:  # while the command cleans up
        code = interrupt.CODE
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with log.shown(), log.fetches_watched():
            return _run(given)
    except (_NobodyReads, BrokenPipeError):
        return CLOSED_PIPE
    finally:
        _let_go_of_closed_streams()


def _run(arguments: Sequence[str]) -> int:
    try:
        return cli.main([*arguments], prog_name="sonovec", standalone_mode=False) or OK
    except (_NobodyReads, BrokenPipeError):
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a line, and the traceback in the log, help more than a traceback here
        if interrupt.came() or isinstance(error, click.Abort | KeyboardInterrupt):
            return _failed(arguments, "Interrupted", _interrupted(arguments), interrupt.CODE)
        if isinstance(error, click.ClickException):
            error.show()
            return _failed(arguments, type(error).__name__, error.format_message(), shown=True)
        kind, text = _told(error)
        return _failed(arguments, kind, text)


def _told(error: Exception) -> tuple[str, str]:
    """The kind of an error, and what is said of it."""
    if isinstance(error, OSError) and not isinstance(error, SonovecError):
        where = f": {error.filename}" if error.filename else ""
        return "OSError", f"sonovec: {error.strerror or error}{where}"
    failure = as_failure("sonovec", error)
    return type(failure).__name__, str(failure) if failure is not error else f"sonovec: {error}"


def _failed(arguments: Sequence[str], kind: str, text: str, code: int = USAGE, *, shown: bool = False) -> int:
    """Say why the command did not run to its end, as an object too where one is asked for, and return the exit code."""
    if not shown:
        fail(text)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--json" in options:
        print_json({"error": {"type": kind, "message": text.removeprefix("sonovec: "), "exit_code": code}})
    return code


def _interrupted(arguments: Sequence[str]) -> str:
    command = next((word for word in arguments if word in COMMANDS), "")
    return "; ".join(filter(None, ["sonovec: interrupted", INTERRUPTED.get(command)]))


def _let_go_of_closed_streams() -> None:
    """Lead streams that nobody reads nowhere; else Python complains when it flushes them at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
