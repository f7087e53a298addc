"""The directive ``encoder-table``: a row for each encoder that comes with sonovec, from its card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from sonovec.models import registry
from sonovec.models.card import ModelCard

COLUMNS = ("name", "hears", "window, hop", "vector", "classes", "weights", "licence", "commercial use", "what it is")

USE = {True: "yes", False: "no", None: "not known"}


class EncoderTable(SphinxDirective):
    """The table of all cards."""

    def run(self) -> list[nodes.Node]:
        """The table, in a node of its own that scrolls where the page is narrow."""
        return [table(COLUMNS, [row(card) for card in registry.cards()])]


def row(card: ModelCard) -> tuple[str, ...]:
    """What the table says of one encoder."""
    window, hop = card.window_seconds, card.hop_seconds
    sizes = [file.size for file in card.weights]
    weights = "none to fetch"
    if sizes:
        weights = f"{sum(filter(None, sizes)) / 1e6:.1f} MB" if all(sizes) else card.weights[0].about or "fetched"
    return (
        card.name,
        f"{card.rate / 1000:g} kHz",
        f"{window:g} s" if hop == window else f"{window:g} s, {hop:g} s",
        str(card.dim),
        str(card.n_classes or ""),
        weights,
        card.licence,
        USE[card.commercial_use],
        card.summary,
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> nodes.Node:
    """A table; the first column is code."""
    group = nodes.tgroup(cols=len(columns))
    group += [nodes.colspec(colwidth=1) for _ in columns]
    group += nodes.thead("", _row([nodes.Text(name) for name in columns]))
    group += nodes.tbody("", *(_row([nodes.literal("", first), *map(nodes.Text, rest)]) for first, *rest in rows))
    return nodes.table("", group, classes=["encoders"])


def _row(cells: Iterable[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("encoder-table", EncoderTable)
    return {"parallel_read_safe": True}
