"""Lists of text with scores beside them, read from a Lance dataset."""

from __future__ import annotations

import lance
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.library import lance_lists

ITEMS = ["Dog", "Cat", "Rain", "Glass", ""]
ROWS = st.lists(
    st.tuples(
        st.none() | st.lists(st.sampled_from(ITEMS), max_size=4, unique=True),
        st.none() | st.lists(st.floats(0, 1), max_size=5),
    ),
    min_size=1,
    max_size=12,
)


def expected(row, item):
    """The score of an item in a list, as plain Python has it."""
    return dict(zip(row[0] or (), row[1] or (), strict=False)).get(item, 0.0)


@settings(max_examples=25)
@given(
    rows=ROWS,
    batch_size=st.integers(1, 5),
    asked=st.lists(st.sampled_from([*ITEMS, "Absent"]), min_size=1, unique=True),
)
def test_scores_are_those_of_the_lists(tmp_path_factory, rows, batch_size, asked):
    schema = pa.schema(
        {"id": pa.string(), "tags": pa.list_(pa.string()), "tags_scores": pa.list_(pa.float64()), "n": pa.int64()}
    )
    columns = [[str(n) for n in range(len(rows))], *zip(*rows, strict=True), range(len(rows))]
    table = pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)
    dataset = lance.write_dataset(table, tmp_path_factory.mktemp("lists") / "table", max_rows_per_file=4)

    def scanner(**arguments):
        return dataset.scanner(batch_size=batch_size, **arguments)

    parts = list(lance_lists.read(scanner, "tags", scored=True))
    assert {name for part in parts for name in part.names} == {item for names, _ in rows for item in names or ()}
    ids, scores = lance_lists.scores(parts, asked, None)
    assert ids.to_pylist() == columns[0]
    np.testing.assert_array_equal(scores, [[expected(row, item) for item in asked] for row in rows])
    some = dataset.to_table(columns=[], filter="n % 3 = 1", with_row_id=True)["_rowid"].to_numpy()
    ids, scores = lance_lists.scores(parts, asked, some)
    assert ids.to_pylist() == columns[0][1::3]
    np.testing.assert_array_equal(
        scores, np.reshape([[expected(row, i) for i in asked] for row in rows[1::3]], scores.shape)
    )
    bare = lance_lists.read(scanner, "tags", scored=False)
    assert not lance_lists.scores(bare, asked, None)[1].any()
