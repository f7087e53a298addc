"""What a collection keeps as fields of its own, and what in one JSON column: how it is made, and how it is read back.

A table whose columns are fixed has a field for each. The columns of tracks may be null, and others are added later. Where a
server can keep null in fields, those that a library begins with have one; all others are keys of the JSON column `fields`, in
which a null is a key that is missing. Where a server can search for words, a text that asks for it has a second field, which
the server fills. A collection says itself what it has, so each is read as it was made, whatever its server can by now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sonovec.library.backend import Row
from sonovec.library.columns import CORE, Column, Kind
from sonovec.library.milvus_filter import Field
from sonovec.library.tables import TableSpec

#: Milvus keeps no more bytes of text in one field, no more items of a list, and, as servers are set up, no more fields.
MAX_TEXT, MAX_ITEMS, MAX_FIELDS = 65_535, 4_096, 64

#: The column that keeps what has no field.
REST = "fields"

#: The field with the words of a text.
WORDS = "words"

_TYPES: Mapping[Kind, str] = {str: "VARCHAR", int: "INT64", float: "DOUBLE", bool: "BOOL"}
_ITEMS: Mapping[Kind, Kind] = {list[str]: str, list[float]: float}


@dataclass(frozen=True)
class Layout:
    """The fields of a collection: which keep columns, whether there is a JSON column for the rest, and one that has words."""

    dim: int
    columns: Mapping[str, Field]
    has_rest: bool
    words: str | None = None

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Layout:
        """Read what `describe_collection` says."""
        found = {field["name"]: field for field in described["fields"]}
        words = next((name for made in described.get("functions") or () for name in made["output_field_names"]), None)
        made = (Field(name, bool(field.get("nullable"))) for name, field in found.items() if name not in (REST, words))
        columns = {_column_of(field.name): field for field in made}
        return cls(int(found["vector"]["params"]["dim"]), columns, REST in found, words)

    @cached_property
    def names(self) -> list[str]:
        """All fields."""
        return [*self._fields, *([REST] if self.has_rest else [])]

    @cached_property
    def _fields(self) -> Mapping[str, str]:
        return {field.name: column for column, field in self.columns.items()}

    def names_of(self, columns: Iterable[str]) -> list[str]:
        """The fields to ask for if some columns are wanted; the id is always among them."""
        wanted = {self.columns[column].name if column in self.columns else REST for column in columns}
        return sorted((wanted | {"id"}).intersection(self.names))

    def encode(self, row: Row) -> Row:
        """A whole row as the collection keeps it."""
        fields = {field.name: row.get(column) for column, field in self.columns.items()}
        rest = {name: value for name, value in row.items() if name not in self.columns and value is not None}
        return {**fields, REST: rest} if self.has_rest else fields

    def decode(self, found: Mapping[str, Any]) -> Row:
        """The columns of a row that was found."""
        columns = {self._fields[name]: value for name, value in found.items() if name in self._fields}
        return {**columns, **found.get(REST, {})}


def schema_of(spec: TableSpec, dim: int, modern: bool) -> Any:
    """The schema of a new collection; `modern` says whether its server keeps null in fields and searches for words."""
    from pymilvus import DataType, Function, FunctionType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=512)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
    if spec.open:
        schema.add_field(REST, DataType.JSON)
    for column in _fields_of(spec, modern):
        has_words = modern and column.index == "text"
        item = _ITEMS.get(column.kind, column.kind)
        listed = {} if item == column.kind else {"element_type": DataType[_TYPES[item]], "max_capacity": MAX_ITEMS}
        sized = {"max_length": MAX_TEXT} if item is str else {}
        may_be_null = {"nullable": True} if spec.open else {}
        analyzed = {"enable_analyzer": True} if has_words else {}
        kind = DataType.ARRAY if listed else DataType[_TYPES[item]]
        schema.add_field(field_name(column), kind, **listed, **sized, **may_be_null, **analyzed)
        if has_words:
            schema.add_field(WORDS, DataType.SPARSE_FLOAT_VECTOR)
            schema.add_function(Function("bm25", FunctionType.BM25, column.name, WORDS))
    return schema


def indexed_fields(spec: TableSpec, layout: Layout) -> list[str]:
    """The fields of a collection that are to be found by value, or by an item."""
    wanted = ["id", *(column.name for column in spec.columns if column.index in ("scalar", "labels"))]
    return [layout.columns[column].name for column in wanted if column in layout.columns]


def _fields_of(spec: TableSpec, modern: bool) -> tuple[Column, ...]:
    """The columns that become fields."""
    if not spec.open:
        return spec.columns
    return spec.columns[: MAX_FIELDS - len(("id", "vector", REST))] if modern else ()


def field_name(column: Column) -> str:
    """The field of a column. Only names of sonovec's own are taken as they are: Milvus has words that cannot be fields.

    Examples
    --------
    >>> from sonovec.library.columns import USER
    >>> field_name(Column("year", int)), field_name(Column("like", int, USER))
    ('year', 'like_')
    """
    return column.name if column.owner == CORE else f"{column.name}_"


def _column_of(field: str) -> str:
    return field.removesuffix("_")
