"""The directive ``command-reference``: every command with its arguments and options, as click knows them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

from sonovec.cli.main import cli

#: Options of every command; the page says once what they do.
EVERYWHERE = ("--help", "--quiet", "--verbose", "--log")


class CommandReference(SphinxDirective):
    """A section for each command, and for each command below it."""

    def run(self) -> list[nodes.Node]:
        """Parse what is written as MyST, as if it stood in the page."""
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(self.state, StringList(list(_lines(cli)), source="the commands"), node)
        return node.children


def _lines(group: click.Group) -> Iterator[str]:
    with click.Context(group, info_name="sonovec") as context:
        for command, inner in _commands(group, context):
            yield from _section(command, inner)


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        with click.Context(command, info_name=name, parent=context) as inner:
            yield command, inner
            if isinstance(command, click.Group):
                yield from _commands(command, inner)


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    path = context.command_path
    yield from (f"## {path}", "")
    yield from ("```text", f"{path} {' '.join(command.collect_usage_pieces(context))}", "```", "")
    yield from (*_plain(command.help), "")
    for option in command.params:
        record = option.get_help_record(context)
        if isinstance(option, click.Option) and record is not None and not set(option.opts) & set(EVERYWHERE):
            declaration, meaning = record
            yield from (f"`{declaration}`", f": {' '.join(_plain(meaning))}", "")
    yield from (*_plain(command.epilog), "")


def _plain(text: str | None) -> list[str]:
    """Lines of a help text, in which only backticks are markup."""
    lines = inspect.cleandoc(text or "").replace("\b\n", "").split("\n")
    return [re.sub(r"([\\*_<>\[\]#|~])", r"\\\1", line) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True}
