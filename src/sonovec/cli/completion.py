"""What a shell completes at TAB: the names of encoders beside paths, and paths of libraries."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


class ModelName(click.types.StringParamType):
    """The name of an encoder, or a path or hub id that stands for one."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Give the names that begin so, and have the shell add files and folders."""
        from sonovec.models import registry
        from sonovec.models.defaults import ALIAS

        names = [ALIAS, *(card.name for card in registry.cards())]
        begin = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*begin, CompletionItem(incomplete, type="file")]


class LibraryPlace(click.types.StringParamType):
    """A folder, a ``.db`` file or a URI."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Have the shell complete files and folders."""
        return [CompletionItem(incomplete, type="file")]


MODEL, LIBRARY = ModelName(), LibraryPlace()
