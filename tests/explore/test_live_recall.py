"""Recall of a library's own searches, against exact ones."""

from __future__ import annotations

import pytest

from sonovec.cli.main import run
from sonovec.errors import UsageError
from sonovec.explore import recall
from sonovec.library.lance_table import LanceTable
from sonovec.library.location import parse_location
from sonovec.library.open import open_store
from tests.explore.stored import clusters, library_of, put


def test_without_an_index_everything_is_found(tmp_path, capsys):
    library = library_of(tmp_path / "library", clusters(60)[0])
    found = recall(library, queries=4, k=3)
    assert {(row.level, row.selectivity is None) for row in found.rows} >= {("track", True), ("segment", True)}
    assert all(row.at_1.value == row.at_k.value == 1 and row.at_k.low < 1 for row in found.rows)
    assert found.vectors == {"track": (60, None), "segment": (120, None)} and found.advice == ()


@pytest.mark.slow
def test_an_index_that_misses_is_found_out_with_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sonovec.library.lance_table.INDEX_ROWS", 300)
    monkeypatch.setattr("sonovec.library.lance_table.PROBES", 1)
    library = library_of(tmp_path / "library", clusters(400, noise=2.0)[0])
    library._store.optimize()
    with open_store(parse_location(tmp_path / "library")) as store:
        put(store, clusters(20, seed=1)[0], first=400)
    search = LanceTable._nearest

    def half(self, vector, limit, condition, columns, effort):
        """An index that knows only the first half of what is asked for, unless it is asked with more effort."""
        found = search(self, vector, limit, condition, columns, effort)
        missed = effort is not None and effort.times < 4
        if not missed:
            return found
        return [*found[::2], *(dict(found[-1]) for _ in found[1::2])]

    monkeypatch.setattr(LanceTable, "_nearest", half)
    found = recall(library, queries=3)
    whole = next(row for row in found.rows if row.level == "track" and row.selectivity is None)
    assert whole.at_k.value < 0.9 and found.enough in (4.0, 8.0)
    assert found.vectors["track"] == (420, 400)
    assert any(
        "20 of 420 vectors of tracks are not in the index" in line and "--repair" in line for line in found.advice
    )
    assert any(f"--effort {found.enough:g}" in line for line in found.advice)


def test_arguments(tmp_path):
    library = library_of(tmp_path / "library", clusters(1)[0])
    with pytest.raises(UsageError, match="1 tracks"):
        recall(library)
    with pytest.raises(UsageError, match="queries=0"):
        recall(library, queries=0)
    assert run(["doctor", "--recall"]) == 2
    assert run(["doctor", str(tmp_path / "library"), "--queries", "3"]) == 2


@pytest.mark.slow
def test_in_milvus(milvus_location):
    with library_of(milvus_location, clusters(60)[0]) as library:
        found = recall(library, queries=3, k=3)
        assert found.lowest == 1 and found.vectors["track"][0] == 60
