"""One table of a library in Milvus: a collection."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import LibraryError
from sonovec.library.backend import BATCH, USUAL, Effort, Health, Hit, Row
from sonovec.library.batches import batches
from sonovec.library.brute_force import compared
from sonovec.library.columns import scores_of
from sonovec.library.filters import Filter, Has, In, Not, all_of, any_of, columns_of
from sonovec.library.milvus_connection import Connection
from sonovec.library.milvus_filter import literal, to_milvus
from sonovec.library.milvus_schema import MAX_TEXT, Layout
from sonovec.library.tables import TableSpec
from sonovec.library.words import bm25, tokens

if TYPE_CHECKING:
    import pyarrow as pa

#: Milvus gives no more rows than this for one vector.
MAX_ROWS = 16_384

#: Bytes of rows in one request or answer: a server refuses messages of more than 64 MiB.
MAX_BYTES = 32 * 2**20

#: Rows with words that are compared with each other, at the least.
FOUND = 1000

#: Vectors that one request searches for.
QUERIES = 64

#: Reads see all that this process wrote. To see all that others wrote as well a server waits 0.2 s each time, so that
#: is asked for when a collection is opened and when rows are counted.
SESSION, STRONG = "Session", "Strong"

#: What a row has in place of a vector where its table has none: Milvus has no collection without.
NO_VECTOR = np.ones(2, np.float32)

_LOG = logging.getLogger(__name__)


class MilvusTable:
    """One collection; see `sonovec.library.backend.Table`."""

    rough = False

    def __init__(self, connection: Connection, name: str, spec: TableSpec, layout: Layout) -> None:
        self._call = connection
        self._name = name
        self._spec = spec
        self._level = SESSION
        self.layout = layout
        self._vector_bytes = 4 * layout.dim

    def has(self, column: str) -> bool:
        """Whether the collection keeps a column."""
        return self.layout.has_rest or column in self.layout.columns

    def upsert(self, rows: Sequence[Row]) -> None:
        """Write whole rows; those of the same `id` are replaced."""
        for part in self._requests(map(self._encode, rows)):
            self._call("upsert", self._name, data=part)

    def update(self, rows: Sequence[Row]) -> None:
        """Change some columns of rows that are there; Milvus writes the others again."""
        changes = {row["id"]: row for row in rows}
        found = (row for ids in batches(changes, BATCH) for row in self._whole(ids))
        self.upsert([{**row, **changes[row["id"]]} for row in found])

    def _whole(self, ids: Sequence[str]) -> Iterator[Row]:
        """Rows with all of their columns."""
        return map(self._decode, self._found(self._compile(In("id", tuple(ids)))[0], self.layout.names))

    def _requests(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        part: list[Row] = []
        size = 0
        for row in rows:
            more = self._vector_bytes + size_of(row)
            if part and size + more > MAX_BYTES:
                yield part
                part, size = [], 0
            part.append(row)
            size += more
        if part:
            yield part

    def _encode(self, row: Row) -> Row:
        return self.layout.encode(row if self._spec.dim is not None else {**row, "vector": NO_VECTOR})

    def delete(self, where: Filter) -> None:
        """Remove the rows that match."""
        expression, exact = self._compile(where)
        if exact:
            self._call("delete", self._name, filter=expression)
        else:
            for ids in self._ids(where):
                self._call("delete", self._name, ids=ids)
        self._level = STRONG

    def _consistency(self) -> str:
        """What a read asks for. A server does not tell when a delete will be seen, so the first read after one waits."""
        level, self._level = self._level, SESSION
        return level

    def _ids(self, where: Filter) -> Iterator[list[str]]:
        found = [row["id"] for row in self.rows(where, ["id"])]
        return (found[start : start + BATCH] for start in range(0, len(found), BATCH))

    def rows(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None, offset: int = 0
    ) -> Iterator[Row]:
        """Rows that match, in the order of their ids."""
        return islice(self._rows(where, columns), offset, None if limit is None else offset + limit)

    def _rows(self, where: Filter | None, columns: Sequence[str]) -> Iterator[Row]:
        expression, exact = self._compile(where)
        also = set() if exact or where is None else columns_of(where)
        for found in self._found(expression, self.layout.names_of({*columns, *also})):
            row = self._decode(found)
            if exact or where is None or where.matches(row):
                yield {name: row.get(name) for name in columns}

    def _found(self, expression: str, names: list[str]) -> Iterator[Row]:
        """Page by id: Milvus answers with so many rows and no more, and its own iterator waits for all writers.

        A server may answer with fewer rows or with more, where they lie in several of its segments: the end is an empty
        page, and a page that does not fit into a message is asked for in smaller ones.
        """
        last = ""
        # All fields of a track together are no longer than one text, see `MilvusBackend.refusal`.
        has_text = "text" in names or (self._spec.open and names != ["id"])
        most = self._vector_bytes * ("vector" in names) + MAX_TEXT * has_text + 1000
        limit = min(BATCH, MAX_BYTES // most)
        while True:
            try:
                page = self._page(expression, names, last, limit)
            except LibraryError as error:
                if "larger than max" not in str(error) or limit == 1:
                    raise
                limit = max(1, limit // 4)
                continue
            if not page:
                return
            yield from page
            last = page[-1]["id"]

    def _page(self, expression: str, names: list[str], after: str, limit: int) -> list[Row]:
        found: list[Row] = self._call(
            "query",
            self._name,
            filter=f"(id > {literal(after)})" + (f" and {expression}" if expression else ""),
            output_fields=names,
            limit=limit,
            consistency_level=self._consistency(),
            **self._call.lowest_ids,
        )
        return found

    def _decode(self, found: Row) -> Row:
        row = self.layout.decode(found)
        if "vector" in row:
            row["vector"] = np.asarray(row["vector"], np.float32)
        return row

    def batches(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The same as Arrow batches."""
        import pyarrow as pa

        for rows in batches(self.rows(where, columns, limit), BATCH):
            made = {name: _to_arrow([row[name] for row in rows]) for name in columns}
            yield pa.RecordBatch.from_pydict(made)

    def sample(self, limit: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The first rows: they come in the order of their ids, which are hashes of what the tracks hold."""
        return self.batches(None, columns, limit)

    def ids(self, where: Filter | None, limit: int | None = None) -> list[str]:
        """The ids of rows that match."""
        return [row["id"] for row in self.rows(where, ["id"], limit)]

    def search(
        self,
        vectors: NDArray[np.float32],
        limit: int,
        where: Filter | None,
        columns: Sequence[str],
        effort: Effort = USUAL,
    ) -> list[list[Hit]]:
        """For each vector the nearest rows that match, and their cosine similarity."""
        if effort.exact and where is None:
            # The index of a collection cannot be left out.
            return compared(self.batches(None, list(dict.fromkeys([*columns, "vector"]))), vectors, limit, columns)
        hits = [
            hit
            for start in range(0, len(vectors), QUERIES)
            for hit in self._search_once(vectors[start : start + QUERIES], min(limit, MAX_ROWS), where, columns, effort)
        ]
        if limit > MAX_ROWS:
            hits = [self._more(*pair, limit, where, columns, effort) for pair in zip(vectors, hits, strict=True)]
        return hits

    def _search_once(
        self, vectors: NDArray[np.float32], limit: int, where: Filter | None, columns: Sequence[str], effort: Effort
    ) -> list[list[Hit]]:
        found = self._call(
            "search",
            self._name,
            data=list(vectors),
            anns_field="vector",
            limit=limit,
            filter=self._compile(where)[0],
            output_fields=self.layout.names_of(columns),
            search_params={
                "metric_type": "COSINE",
                "params": {"ef": min(int(effort.times * (2 * limit + 64)), 2 * MAX_ROWS)},
            },
            consistency_level=self._consistency(),
        )
        return [[(self._decode(hit["entity"]), _score(hit["distance"])) for hit in hits] for hits in found]

    def _more(
        self,
        vector: NDArray[np.float32],
        hits: list[Hit],
        limit: int,
        where: Filter | None,
        columns: Sequence[str],
        effort: Effort,
    ) -> list[Hit]:
        """Search on behind the most that one answer holds, by leaving out what was found."""
        seen = list(hits)
        while len(hits) == MAX_ROWS and len(seen) < limit:
            rest = all_of(where, Not(In("id", tuple(row["id"] for row, _ in seen))))
            (hits,) = self._search_once(vector[None], min(limit - len(seen), MAX_ROWS), rest, columns, effort)
            seen += hits
        return seen

    def find(
        self, words: str, limit: int, where: Filter | None, columns: Sequence[str], every: Sequence[str] = ()
    ) -> list[Hit]:
        """Rows that hold any of the words, and of each text of `every` any word, the best first, by BM25."""
        column = next(column.name for column in self._spec.columns if column.index == "text")
        rows, total = self._holding(words, limit, where, [*columns, column], every)
        if every:
            groups = [set(tokens(text)) for text in every]
            rows = [row for row in rows if all(map({*tokens(str(row[column]))}.intersection, groups))]
        scores = bm25(words, [str(row[column]) for row in rows], total)
        order = sorted((-score, place) for place, score in enumerate(scores) if score > 0)[:limit]
        return [({name: rows[place][name] for name in columns}, -score) for score, place in order]

    def _holding(
        self, words: str, limit: int, where: Filter | None, columns: Sequence[str], every: Sequence[str]
    ) -> tuple[list[Row], int]:
        """Rows among which are the best that hold any of the words, and of how many rows those are.

        More are asked for than are wanted, and the caller ranks them, since Milvus Lite knows only within each of its
        segments how rare a word is.
        """
        expression, exact = self._compile(where)
        if self.layout.words is None or not exact or (limit > MAX_ROWS and not every):
            rows = list(self.rows(where, columns))
            _LOG.info("%s: has no index of words that can be asked: %d rows were read", self._name, len(rows))
            return rows, len(rows)
        if every:
            ids = self._ids_holding_all(every, words, expression)
        else:
            ids = self._ids_holding(words, min(max(4 * limit, FOUND), MAX_ROWS), expression)
        return [row for some in batches(ids, BATCH) for row in self.rows(In("id", tuple(some)), columns)], self.count()

    def _ids_holding_all(self, texts: Sequence[str], words: str, expression: str) -> list[str]:
        """Ids among which are those of the rows that hold a word of each text: the index knows no "and".

        A text that more rows hold than one answer has says nothing; where all are such, the best by all words are taken.
        """
        found = [ids for text in texts if len(ids := self._ids_holding(text, MAX_ROWS, expression)) < MAX_ROWS]
        return sorted(set.intersection(*map(set, found))) if found else self._ids_holding(words, MAX_ROWS, expression)

    def _ids_holding(self, words: str, limit: int, expression: str) -> list[str]:
        (hits,) = self._call(
            "search",
            self._name,
            data=[words],
            anns_field=self.layout.words,
            limit=limit,
            filter=expression,
            output_fields=["id"],
            search_params={"metric_type": "BM25"},
            consistency_level=self._consistency(),
        )
        return [str(hit["entity"]["id"]) for hit in hits]

    def scores(self, items: Sequence[str], column: str, where: Filter | None) -> tuple[pa.Array, NDArray[np.float64]]:
        """The ids of rows that match and whose list holds any of the items, and their scores."""
        import pyarrow as pa

        ids, found = [], []
        having = any_of([Has(column, item) for item in items])
        for row in self.rows(all_of(having, where), ["id", column, scores_of(column)]):
            have = dict(zip(row[column] or (), row[scores_of(column)] or (), strict=False))
            if scores := {item: have[item] for item in items if have.get(item, 0) > 0}:
                ids.append(row["id"])
                found.append([scores.get(item, 0.0) for item in items])
        return pa.array(ids, pa.string()), np.array(found, np.float64).reshape(len(ids), len(items))

    def items(self, column: str) -> set[str]:
        """All items that the lists of a column hold."""
        return {item for row in self.rows(None, [column]) for item in row[column] or ()}

    def count(self) -> int:
        """Number of rows."""
        return self._count("")

    def indexed(self) -> int | None:
        """How many rows the index of the vectors knows, where Milvus says it: a segment has none until it is sealed."""
        found = self._call("describe_index", self._name, index_name="vector") or {}
        known = found.get("indexed_rows")
        return None if known is None else int(known)

    def _count(self, expression: str) -> int:
        found = self._call("query", self._name, filter=expression, output_fields=["count(*)"], consistency_level=STRONG)
        return int(found[0]["count(*)"])

    def optimize(self) -> None:
        """Seal what was written, so that it gets its index; Milvus compacts by itself."""
        self._call("flush", self._name)

    def health(self) -> Health:
        """Look for duplicates; Milvus looks after its indices."""
        return Health(max(0, self.count() - sum(1 for _ in self.rows(None, ["id"]))))

    def mend(self) -> None:
        """Write rows that are there more than once anew: that replaces all of them."""
        for ids in batches(self._repeated([row["id"] for row in self.rows(None, ["id"])]), BATCH):
            self.upsert(list(self._whole(ids)))
        self.optimize()

    def _repeated(self, ids: Sequence[str]) -> Iterator[str]:
        """Those of all ids in some range, in their order, that have several rows: answers show one of each, counts tell."""
        if not ids or self._count(f"(id >= {literal(ids[0])}) and (id <= {literal(ids[-1])})") == len(ids):
            return
        if len(ids) == 1:
            yield ids[0]
            return
        for part in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
            yield from self._repeated(part)

    def _compile(self, where: Filter | None) -> tuple[str, bool]:
        return ("", True) if where is None else to_milvus(where, self.layout.columns)


def size_of(value: object) -> int:
    """Bytes that a value takes as JSON, without vectors."""
    if isinstance(value, dict):
        value = {name: each for name, each in value.items() if name != "vector"}
    return len(json.dumps(value, ensure_ascii=False).encode())


def _score(similarity: float) -> float:
    return min(1.0, max(-1.0, float(similarity)))


def _to_arrow(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    if not values or not isinstance(values[0], np.ndarray):
        return pa.array(values)
    flat = np.stack(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
