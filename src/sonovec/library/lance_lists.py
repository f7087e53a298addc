"""A column of lists of text with their scores beside it, as arrays that are read once and asked often.

Lance reads the lists of 100,000 tracks in a twentieth of a second, but a service asks them with every search for words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.library.columns import scores_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Lists:
    """The lists of some rows: their m items one after another, each as a code that stands for one of the `names`.

    Attributes
    ----------
    ids : Array of string, length n
    row_ids : array, shape (n,), uint64
        What Lance calls the rows.
    names : list of str
        Each item once.
    codes, rows : array, shape (m,), int32
        Which name an item is, and in which of the rows it stands.
    scores : array, shape (m,)
        0 where there is no score.
    """

    ids: pa.Array
    row_ids: NDArray[np.uint64]
    names: list[str]
    codes: NDArray[np.int32]
    rows: NDArray[np.int32]
    scores: NDArray[np.float64]

    def by_item(self, items: Sequence[str]) -> NDArray[np.float64]:
        """The scores of some items in each row, (n, items); 0 for an item that is not in its list."""
        found = np.zeros((len(self.ids), len(items)))
        code_of = {name: code for code, name in enumerate(self.names)}
        for place, item in enumerate(items):
            if item in code_of:
                own = np.flatnonzero(self.codes == code_of[item])
                found[self.rows[own], place] = self.scores[own]
        return found


def read(scanner: Callable[..., Any], column: str, scored: bool) -> Iterator[Lists]:
    """The lists of a column and, where they are `scored`, their scores, some rows at a time."""
    scores = scores_of(column)
    columns = ["id", column, *([scores] if scored else [])]
    for batch in scanner(columns=columns, with_row_id=True).to_batches():
        yield _lists(batch, batch.column(column), batch.column(scores) if scored else None)


def _lists(batch: pa.RecordBatch, lists: pa.Array, scores: pa.Array | None) -> Lists:
    import pyarrow.compute as pc

    items = lists.flatten().dictionary_encode()
    rows = pc.list_parent_indices(lists).to_numpy().astype(np.int32)
    return Lists(
        ids=batch.column("id"),
        row_ids=batch.column("_rowid").to_numpy(),
        names=items.dictionary.to_pylist(),
        codes=items.indices.to_numpy(),
        rows=rows,
        scores=np.zeros(len(rows)) if scores is None else _beside(lists, rows, scores),
    )


def _beside(lists: pa.Array, rows: NDArray[np.int32], scores: pa.Array) -> NDArray[np.float64]:
    """The score that stands in the place of each item; a list of scores may be shorter, or missing."""
    import pyarrow.compute as pc

    within = np.arange(len(rows)) - _starts(lists)[rows]
    there = within < pc.list_value_length(scores).fill_null(0).to_numpy()[rows]
    found = np.zeros(len(rows))
    found[there] = scores.flatten().to_numpy()[_starts(scores)[rows[there]] + within[there]]
    return found


def _starts(lists: pa.Array) -> NDArray[np.int64]:
    """Where the items of each list begin among those of all, `lists.flatten()`."""
    import pyarrow.compute as pc

    return np.concatenate([[0], np.cumsum(pc.list_value_length(lists).fill_null(0).to_numpy())])


def scores(
    parts: Iterable[Lists], items: Sequence[str], row_ids: NDArray[np.uint64] | None
) -> tuple[pa.Array, NDArray[np.float64]]:
    """The ids of all rows, or of those with some row ids, and their scores of the items, (n, items)."""
    import pyarrow as pa

    ids, found = [pa.array([], pa.string())], [np.zeros((0, len(items)))]
    for part in parts:
        wanted = slice(None) if row_ids is None else np.isin(part.row_ids, row_ids)
        ids.append(part.ids if row_ids is None else part.ids.filter(pa.array(wanted)))
        found.append(part.by_item(items)[wanted])
    return pa.concat_arrays(ids), np.concatenate(found)
