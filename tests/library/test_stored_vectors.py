"""Stored vectors read out: a library of a million tracks is never held whole."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig
from sonovec.library.tables import vectors_of

ROWS, DIM, AT_ONCE = 1_000_000, 128, 100_000

#: Tells by how many bytes the process grows while it reads all of them.
READ = """
import json, sys
import psutil, sonovec

process = psutil.Process()
library = sonovec.Library(sys.argv[1])
next(iter(library.vectors()))
before, most, rows, total = process.memory_info().rss, 0, 0, 0.0
for ids, vectors in library.vectors().arrays():
    rows += len(ids)
    total += float(vectors.sum(dtype=float))
    most = max(most, process.memory_info().rss - before)
print(json.dumps({"rows": rows, "total": total, "bytes": most}))
"""


def rows_in_batches(schema: pa.Schema):
    for start in range(0, ROWS, AT_ONCE):
        numbers = np.arange(start, start + AT_ONCE)
        vectors = np.zeros((AT_ONCE, DIM), np.float32)
        vectors[:, 0], vectors[:, 1] = 1, numbers % 7
        columns = {
            "id": pa.array([f"{number:032x}" for number in numbers]),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM),
            "zero": pa.array(np.zeros(AT_ONCE, bool)),
        }
        yield pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


@pytest.mark.slow
def test_a_million_vectors_are_read_without_holding_them_all(tmp_path):
    import lance

    with open_store(tmp_path / "library") as store:
        store.create(LibraryConfig(dim=DIM, passport={}, segment_seconds=10.0, model="logmel"))
        table = store.table(vectors_of(store.space()))
        schema = table.schema()
        lance.write_dataset(rows_in_batches(schema), str(table.path), schema=schema, mode="append")
    run = subprocess.run([sys.executable, "-c", READ, tmp_path / "library"], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert found["rows"] == ROWS
    assert found["total"] == ROWS + sum(number % 7 for number in range(ROWS))
    assert found["bytes"] < ROWS * DIM * 4 / 2, "half of the vectors were held at once"
