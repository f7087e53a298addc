"""The quantised indices of LanceDB and of Milvus Lite over the full vectors, measured as compressed spaces are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.paths import display

Vectors = NDArray[np.float32]
Recall = Callable[[Sequence[Sequence[int]], int], float]

#: Hits, those that are asked for with the query itself, queries that are timed.
K, ASKED, TIMED = 10, 11, 50
#: Parts of an index that are looked at, rows of a part, and how many times as many as wanted are compared in full.
PROBES, ROWS_A_PART, REFINE = 20, 4_096, 10
#: Bytes to which LanceDB quantises by products.
PIECES = 16
#: Rows that Milvus is sent at once.
BATCH = 1_000
#: Below this an index by products cannot be fitted.
LEAST_ROWS = 256


@dataclass(frozen=True)
class Measured:
    """What one index costs; `bytes` of what it keeps of a vector, `disk_bytes` of a track with the full vector."""

    store: str
    name: str
    bytes: float | None
    disk_bytes: float | None = None
    recall_1: float | None = None
    recall_10: float | None = None
    refined_10: float | None = None
    queries_per_second: float | None = None
    reason: str | None = None


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder and below it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measured(
    units: Vectors, asked: NDArray[np.intp], folder: Path, recall: Recall, watch: Callable[[str], None]
) -> list[Measured]:
    """Measure them all; what cannot be measured says why.

    Parameters
    ----------
    units : array, shape (n, dim)
        Unit vectors.
    asked : array of int
        Places of the queries among them.
    folder : path
    recall : callable
        Of the places that each query found, the share of its k nearest.
    watch : callable
        Is told the name of each; what it raises ends it.
    """
    return [*_of_lance(units, asked, folder, recall, watch), *_of_milvus(units, asked, folder, recall, watch)]


# -- LanceDB


def _lance_kinds(dim: int) -> Mapping[str, tuple[float, Mapping[str, Any]]]:
    pieces = next((n for n in range(PIECES, 0, -1) if dim % n == 0), 1)
    return {
        "IVF_PQ": (pieces, {"num_sub_vectors": pieces}),
        "IVF_HNSW_PQ": (pieces, {"num_sub_vectors": pieces}),
        "IVF_HNSW_SQ": (dim, {}),
        "IVF_RQ": (dim / 8, {}),
    }


def _of_lance(
    units: Vectors, asked: NDArray[np.intp], folder: Path, recall: Recall, watch: Callable[[str], None]
) -> Iterator[Measured]:
    os.environ.setdefault("LANCE_LOG", "error")
    import lance
    import pyarrow as pa

    dim = units.shape[1]
    flat = pa.FixedSizeListArray.from_arrays(pa.array(units.reshape(-1)), dim)
    table = pa.table({"id": pa.array(range(len(units))), "vector": flat})
    for name, (size, options) in _lance_kinds(dim).items():
        watch(f"LanceDB {name}")
        if len(units) < LEAST_ROWS:
            yield Measured("lancedb", name, size, reason=f"{len(units)} tracks are fewer than {LEAST_ROWS}")
            continue
        path = folder / f"{name}.lance"
        try:
            dataset = lance.write_dataset(table, str(path))
            parts = max(1, len(units) // ROWS_A_PART)
            dataset.create_index("vector", name, metric="cosine", num_partitions=parts, **options)
            yield _measured_lance(dataset, name, size, path, units, asked, recall)
        except (OSError, ValueError, RuntimeError) as error:
            yield Measured("lancedb", name, size, reason=_short(error))


def _measured_lance(
    dataset: Any, name: str, size: float, path: Path, units: Vectors, asked: NDArray[np.intp], recall: Recall
) -> Measured:
    def search(place: int, refine: int | None) -> list[int]:
        nearest = {"column": "vector", "q": units[place], "k": ASKED, "metric": "cosine", "nprobes": PROBES}
        if refine is not None:
            nearest["refine_factor"] = refine
        found: list[int] = dataset.to_table(columns=["id"], nearest=nearest)["id"].to_pylist()
        return found

    plain = [search(place, None) for place in asked.tolist()]
    refined = [search(place, REFINE) for place in asked.tolist()]
    speed = _speed(lambda place: search(place, None), asked)
    return Measured(
        "lancedb", name, size, size_of(path) / len(units), recall(plain, 1), recall(plain, K), recall(refined, K), speed
    )


# -- Milvus


#: Milvus Lite has no other quantised indices; a server has.
def _milvus_kinds(dim: int) -> Mapping[str, tuple[float, Mapping[str, Any]]]:
    return {
        "HNSW": (4 * dim, {"M": 16, "efConstruction": 200}),
        "IVF_SQ8": (dim, {"nlist": 16}),
        "HNSW_SQ": (dim, {"M": 16, "efConstruction": 200, "sq_type": "SQ8"}),
    }


def _of_milvus(
    units: Vectors, asked: NDArray[np.intp], folder: Path, recall: Recall, watch: Callable[[str], None]
) -> Iterator[Measured]:
    if not (find_spec("pymilvus") and find_spec("milvus_lite")):
        return
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    for name, (size, options) in _milvus_kinds(units.shape[1]).items():
        watch(f"Milvus Lite {name}")
        path = folder / f"{name.lower()}.db"
        client = MilvusClient(str(path))
        try:
            yield _measured_milvus(client, name, options, size, path, units, asked, recall)
        except MilvusException as error:
            yield Measured("milvus", name, size, reason=_short(error))
        finally:
            with suppress(MilvusException):
                client.close()


def _measured_milvus(
    client: Any,
    name: str,
    options: Mapping[str, object],
    size: float,
    path: Path,
    units: Vectors,
    asked: NDArray[np.intp],
    recall: Recall,
) -> Measured:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=units.shape[1])
    client.create_collection("measured", schema=schema)
    for start in range(0, len(units), BATCH):
        rows = units[start : start + BATCH]
        client.insert("measured", [{"id": start + n, "vector": row} for n, row in enumerate(rows)])
    client.flush("measured")
    index = MilvusClient.prepare_index_params()
    index.add_index("vector", index_type=name, metric_type="COSINE", params=dict(options))
    client.create_index("measured", index)
    client.load_collection("measured")

    def search(place: int) -> list[int]:
        wanted = {"metric_type": "COSINE", "params": {"nprobe": PROBES, "ef": 100}}
        found = client.search("measured", data=[units[place]], anns_field="vector", limit=ASKED, search_params=wanted)
        return [int(hit["id"]) for hit in found[0]]

    plain = [search(place) for place in asked.tolist()]
    speed = _speed(search, asked)
    disk = size_of(path) if path.is_dir() else path.stat().st_size
    return Measured("milvus", name, size, disk / len(units), recall(plain, 1), recall(plain, K), None, speed)


def _speed(search: Callable[[int], object], asked: NDArray[np.intp]) -> float:
    places = asked[:TIMED].tolist()
    search(places[0])
    began = time.perf_counter()
    for place in places:
        search(place)
    return len(places) / (time.perf_counter() - began)


def _short(error: Exception) -> str:
    return display(" ".join(str(error).split())[:160])
