"""Many queries of one ``sonovec search``: each is answered, and one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sonovec.cli.options import given_paths
from sonovec.errors import Cancelled, SonovecError
from sonovec.paths import to_text

if TYPE_CHECKING:
    from sonovec.library.search import TextSearch


@dataclass(frozen=True)
class Answer:
    """What was found for a query, or why there is no answer."""

    query: str
    found: TextSearch | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON values; see `of_search`."""
        told: dict[str, Any] = {"query": to_text(self.query)}
        return told | ({"error": self.error} if self.found is None else of_search(self.found))


def of_search(found: TextSearch) -> dict[str, Any]:
    """What a search found, as plain JSON values."""
    return {
        "by": found.by,
        "tags": list(found.tags),
        "unknown": list(found.unknown),
        "unheard": list(found.unheard),
        "reason": found.reason,
        "notes": list(found.hits.notes),
        "hits": [hit.to_json() for hit in found.hits],
    }


def answered(queries: Iterable[str], ask: Callable[[str], TextSearch]) -> list[Answer]:
    """Ask each of the queries."""
    answers = []
    for query in queries:
        try:
            answers.append(Answer(query, ask(query)))
        except Cancelled:
            raise
        except SonovecError as error:
            answers.append(Answer(query, error=str(error)))
    return answers


def asked(arguments: Sequence[str], files_from: str | None, null: bool) -> tuple[list[str], bool]:
    """The queries of a command line, and whether they are answered as many: also one, where they come from a list."""
    if not arguments and files_from is None and not null:
        return [], False
    queries = given_paths(arguments, files_from, null)
    return queries, files_from is not None or "-" in arguments or len(queries) > 1
