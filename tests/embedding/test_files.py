from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import sonovec
from sonovec.embedding import files
from sonovec.errors import UsageError


@pytest.fixture(scope="module")
def embeddings(clips):
    return list(sonovec.load("logmel").embed_many(clips[:3]))


def read_npy(path):
    side = json.loads(files.sidecar(path).read_text())
    return np.load(path), side["path"], side["start"], side["end"], side["passport"]


def read_npz(path):
    data = np.load(path)
    return data["vectors"], data["paths"].tolist(), data["start"], data["end"], json.loads(str(data["passport"]))


def read_parquet(path):
    table = pq.read_table(path)
    vectors = np.array(table["vector"].to_pylist(), np.float32)
    passport = json.loads(table.schema.metadata[b"sonovec.passport"])
    return vectors, table["path"].to_pylist(), table["start"].to_pylist(), table["end"].to_pylist(), passport


def read_jsonl(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    vectors = np.array([row["vector"] for row in rows], np.float32)
    return vectors, *([row[name] for row in rows] for name in ("path", "start", "end")), rows[0]["passport"]


def read_csv(path):
    rows = list(csv.DictReader(path.open(newline="")))
    dim = sum(name.startswith("v") for name in rows[0])
    vectors = np.array([[row[f"v{i}"] for i in range(dim)] for row in rows], np.float32)
    passport = json.loads(files.sidecar(path).read_text())["passport"]
    return (
        vectors,
        [r["path"] for r in rows],
        [float(r["start"]) for r in rows],
        [float(r["end"]) for r in rows],
        passport,
    )


READERS = {".npy": read_npy, ".npz": read_npz, ".parquet": read_parquet, ".jsonl": read_jsonl, ".csv": read_csv}


@pytest.mark.parametrize("level", files.LEVELS)
@pytest.mark.parametrize("ending", files.WRITERS)
def test_every_format_gives_back_the_same_numbers(embeddings, tmp_path, ending, level):
    target = tmp_path / f"out{ending}"
    rows = files.write(iter(embeddings), target, level)
    vectors, paths, start, end, passport = READERS[ending](target)
    if level == "clip":
        expected = [(str(e.path), e.times[0, 0], e.times[-1, 1], e.vector) for e in embeddings]
    else:
        expected = [(str(e.path), *t, w) for e in embeddings for t, w in zip(e.times, e.windows, strict=True)]
    assert rows == len(expected)
    assert list(paths) == [row[0] for row in expected]
    np.testing.assert_array_equal(start, [row[1] for row in expected])
    np.testing.assert_array_equal(end, [row[2] for row in expected])
    np.testing.assert_array_equal(vectors, np.stack([row[3] for row in expected]))
    assert sonovec.Passport.from_json(passport) == embeddings[0].passport


def holding(folder, ending):
    """A good file of each format from an earlier run, with its sidecar, and what is in the folder."""
    target = folder / f"out{ending}"
    target.write_bytes(b"good")
    if ending in files.WITH_SIDECAR:
        files.sidecar(target).write_bytes(b"good too")
    return target, contents(folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("ending", files.WRITERS)
def test_without_embeddings_nothing_is_written_and_nothing_replaced(tmp_path, ending):
    assert files.write(iter([]), tmp_path / f"out{ending}") == 0
    assert contents(tmp_path) == {}
    target, before = holding(tmp_path, ending)
    assert files.write(iter([]), target) == 0
    assert contents(tmp_path) == before


def test_an_unknown_ending_is_refused_and_the_known_ones_named(tmp_path):
    with pytest.raises(
        UsageError, match=r"out.xls: unknown ending '.xls'; give one of: .npy, .npz, .parquet, .jsonl, .csv"
    ):
        files.check_target(tmp_path / "out.xls")


@pytest.mark.parametrize("ending", files.WRITERS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_fails_midway_leaves_the_good_file(embeddings, tmp_path, ending, error):
    def broken():
        yield embeddings[0]
        raise error

    target, before = holding(tmp_path, ending)
    with pytest.raises(error):
        files.write(broken(), target)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("ending", files.WRITERS)
def test_a_second_run_replaces_the_first(embeddings, tmp_path, ending):
    target = tmp_path / f"out{ending}"
    files.write(iter(embeddings), target)
    assert files.write(iter(embeddings[:1]), target) == 1
    assert READERS[ending](target)[1] == [str(embeddings[0].path)]
    assert len(contents(tmp_path)) == 1 + (ending in files.WITH_SIDECAR)


#: A limit on the size of any file stands for a disk that is full: the same calls fail, with another number.
FULL = """
import resource, signal, sys
from pathlib import Path
import sonovec
from sonovec.embedding import files

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
encoder = sonovec.load("logmel")
rng = __import__("numpy").random.default_rng(0)
embeddings = [encoder.embed((rng.standard_normal(80000).astype("float32") / 8, 16000)) for _ in range(20)]
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    files.write(iter(embeddings), Path(sys.argv[1]), "window")
except sonovec.SonovecError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE is a POSIX limit")
@pytest.mark.parametrize("ending", files.WRITERS)
def test_a_disk_that_fills_up_leaves_the_good_file(tmp_path, ending):
    target, before = holding(tmp_path, ending)
    run = subprocess.run([sys.executable, "-c", FULL, target], capture_output=True, text=True, check=False)
    assert run.returncode == 2, run.stderr
    assert run.stdout.startswith(f"{target}: cannot be written (") and run.stdout.count("\n") == 1
    assert contents(tmp_path) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_is_one_line(embeddings, tmp_path, monkeypatch):
    def full(rows, path):
        for _ in rows:
            with Path("/dev/full").open("w") as file:
                file.write("x" * 100_000)

    monkeypatch.setitem(files.WRITERS, ".csv", full)
    with pytest.raises(UsageError, match=r"out\.csv: cannot be written \(No space left on device\); free some space"):
        files.write(iter(embeddings), tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []
