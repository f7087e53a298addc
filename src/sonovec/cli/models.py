"""``sonovec models``: which encoders there are, what is known of each, and what is kept of them on this machine."""

from __future__ import annotations

import click

from sonovec.cli.check import check
from sonovec.cli.compare import compare
from sonovec.cli.completion import MODEL
from sonovec.cli.options import encoder_settings, json_option
from sonovec.cli.output import print_json, print_table, warn
from sonovec.cli.quantize import quantize
from sonovec.cli.tables import Column

COLUMNS = (
    Column("model"),
    Column("dim", spare=2),
    Column("rate", spare=3),
    Column("window s", spare=5),
    Column("classes", spare=4),
    Column("MB here", spare=6),
    Column("licence", cut="end", spare=1),
    Column("what it is", cut="end", least=19),
)


@click.group(invoke_without_command=True, short_help="List, show, fetch, remove, check and compare encoders.")
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the encoders, show, fetch, remove, check, compare or quantise them."""
    if context.invoked_subcommand is None:
        context.invoke(list_models, as_json=as_json)


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the encoders, and what is kept of them on this machine."""
    from sonovec.models import hub, registry, storage
    from sonovec.models.defaults import DEFAULT

    cards = registry.cards()
    stored = {name: storage.stored(name) for name in [card.name for card in cards] + hub.pinned_names()}
    if as_json:
        listed = [{**card.to_json(), "bytes_here": stored[card.name].size} for card in cards]
        fetched = [{"name": name, "bytes_here": stored[name].size} for name in hub.pinned_names()]
        print_json({"default": DEFAULT, "models": listed, "hub": fetched, "notes": registry.notes()})
        return
    rows: list[tuple[object, ...]] = [
        (
            card.name + (" (default)" if card.name == DEFAULT else ""),
            card.dim,
            card.rate,
            card.window_seconds,
            card.n_classes or "",
            _megabytes(stored[card.name].size),
            card.licence,
            card.summary,
        )
        for card in cards
    ]
    rows += [(name, "", "", "", "", _megabytes(stored[name].size), "", "from the hub") for name in hub.pinned_names()]
    print_table(COLUMNS, rows)
    for note in registry.notes():
        warn(note)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}" if size else ""


@models.command()
@click.argument("name", type=MODEL)
@json_option
def show(name: str, as_json: bool) -> None:
    """Show everything that is known of the encoder NAME: one of the list, a hub id, a folder or a card.yaml."""
    from sonovec.models import registry

    card = registry.card(name).to_json()
    if as_json:
        print_json(card)
    else:
        shown = [(key, value) for key, value in card.items() if value not in (None, (), {}, "", 0)]
        print_table(["field", "value"], shown)


@models.command()
@click.argument("names", type=MODEL, nargs=-1, required=True, metavar="NAME...")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the model's own.")
@json_option
def fetch(names: tuple[str, ...], options: tuple[str, ...], as_json: bool) -> None:
    """Fetch the encoders NAME... and convert them, so that they run without a network and without PyTorch afterwards."""
    from sonovec.embedding.encoder import load
    from sonovec.models import storage
    from sonovec.paths import to_text

    rows = []
    for name in names:
        encoder = load(name, **encoder_settings(options))  # type: ignore[arg-type]
        encoder.prepare()
        # A folder or a card of the user's own has nothing fetched; its graph is kept by the hash of its weights.
        known = name in storage.all_names()
        size = storage.stored(name).size if known else 0
        rows += [(name, to_text(path), encoder.model.weights_hash[:16], size) for path in _weights_of(name, known)]
    if as_json:
        print_json({"fetched": [dict(zip(("name", "path", "sha256", "bytes_here"), row, strict=True)) for row in rows]})
    else:
        print_table(["model", "weights", "SHA-256 begins", "MB here"], [(*row[:3], _megabytes(row[3])) for row in rows])


def _weights_of(name: str, known: bool) -> list[str]:
    from sonovec.models import storage, weights

    if not known:
        return [name]
    fetched = [
        str(path) for path in storage.stored(name).paths if path.parent == weights.folder() and path.suffix != ".sha256"
    ]
    return fetched or [name]


@models.command()
@click.argument("names", type=MODEL, nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="All that is kept of any encoder.")
@json_option
def remove(names: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Delete what is kept of the encoders NAME...: fetched weights, pins of hub ids, converted networks.

    A file or folder of your own is never touched.
    """
    from sonovec.errors import UsageError
    from sonovec.models import storage

    if bool(names) == everything:
        raise UsageError("give the names of encoders, or --all for everything that is kept")
    chosen = list(names) or storage.all_names()
    sizes = {name: storage.stored(name).size for name in chosen}  # all names are known before the first is deleted
    gone = [(name, len(storage.remove(name).paths), sizes[name]) for name in chosen]
    if everything:
        rest = storage.rest()
        gone.append((rest.name, len(rest.paths), rest.size))
        for path in rest.paths:
            storage.delete(path)
    if as_json:
        print_json({"removed": [{"name": name, "files": files, "bytes": size} for name, files, size in gone]})
    else:
        print_table(["model", "files and folders removed", "MB"], [(*row[:2], _megabytes(row[2])) for row in gone])


for command in (check, compare, quantize):
    models.add_command(command)
