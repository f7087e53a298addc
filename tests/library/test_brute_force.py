"""Without an index, one pass over the rows gives what comparing all with all gives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sonovec.library.brute_force import compared
from sonovec.vectors import similarity, unit32


def batches_of(rows, size):
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        flat = pa.array(some.reshape(-1))
        columns = {
            "id": [f"{start + n}" for n in range(len(some))],
            "vector": pa.FixedSizeListArray.from_arrays(flat, rows.shape[1]),
        }
        yield pa.RecordBatch.from_pydict(columns)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 40),
    st.integers(1, 5),
    st.integers(1, 15),
    st.integers(1, 50),
    st.sampled_from([np.float32, np.float16]),
)
def test_it_gives_what_all_similarities_give(seed, count, asked, size, limit, dtype):
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(count, 4)).astype(dtype)
    rows[::7] = 0
    queries = unit32(draw.normal(size=(asked, 4)))
    found = compared(batches_of(rows, size), queries, limit, ["id"])
    expected = similarity(queries, rows.astype(np.float32)) if count else np.empty((asked, 0))
    for scores, hits in zip(expected, found, strict=True):
        assert len(hits) == min(limit, count) and len({row["id"] for row, _ in hits}) == len(hits)
        assert all(row.keys() == {"id"} for row, _ in hits)
        np.testing.assert_allclose([score for _, score in hits], np.sort(scores)[::-1][:limit], atol=1e-6)
        np.testing.assert_allclose([scores[int(row["id"])] for row, _ in hits], [s for _, s in hits], atol=1e-6)


def test_rows_hold_their_vectors_where_these_are_asked_for():
    rows = np.eye(3, dtype=np.float32)
    ((row, score),) = compared(batches_of(rows, 2), rows[2:], 1, ["id", "vector"])[0]
    assert row["id"] == "2" and row["vector"].tolist() == [0, 0, 1] and score == 1
