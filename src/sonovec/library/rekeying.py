"""A track under another id, with all that belongs to it: when its file has other bytes and the same sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sonovec.library.consistency import key_of
from sonovec.library.filters import In
from sonovec.library.records import Value
from sonovec.library.store import Store
from sonovec.library.stretches import Stretch, Stretches, labels, passages
from sonovec.library.tables import TRACKS, TableSpec, tables_of


def copy_track(store: Store, former: str, new: str, fields: Mapping[str, Value]) -> None:
    """Write a track again under the id `new`: its vectors of all spaces, its own row with `fields` changed, its stretches.

    One that was killed is not complete: delete the new id before it is repeated.
    """
    for space in reversed(store.spaces().values()):  # those that are made of others come last there
        for spec in reversed(tables_of(space)):  # a space holds a track when it has its clip vector
            _copy(store, spec, former, new, {})
    _copy(store, TRACKS, former, new, fields)
    _copy_stretches(passages(store), former, new)
    _copy_stretches(labels(store), former, new)


def _copy_stretches(stretches: Stretches[Stretch], former: str, new: str) -> None:
    stretches.put([replace(each, track=new) for each in stretches.get(former)])


def _copy(store: Store, spec: TableSpec, former: str, new: str, fields: Mapping[str, Value]) -> None:
    table, key = store.table_to_write(spec), key_of(spec)
    columns = [*store.declared()] if spec is TRACKS else [column.name for column in spec.columns]
    names = dict.fromkeys(["id", *columns, *([] if spec.dim is None else ["vector"])])
    found = table.rows(In(key, (former,)), [name for name in names if table.has(name)])
    rows = [{**row, "id": new + row["id"].removeprefix(former), **fields} for row in found]
    if rows:
        table.upsert([{**row, key: row["id"] if key == "id" else new} for row in rows])
