"""The page of a map, its pictures and its tables: what they hold, and what they never do."""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct

import numpy as np
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec import explore
from sonovec.errors import UsageError
from sonovec.explore import fields, labels, thumbnails
from sonovec.explore.page import script
from tests.explore import made

EVIL = '<img src=x onerror="document.title=1"></script><script>alert(1)</script> & "it"'


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    vectors, kind = made.groups(60)
    columns = {
        "title": [EVIL, *(f"title {at}" for at in range(59))],
        "artist": ["Ann"] * 60,
        "mood": [["calm", "tense", "sad", "happy"][each] for each in kind],
        "bpm": [None, *(float(60 + at) for at in range(59))],
        "words": [["rain", "wind"] if at % 2 else ["bells"] for at in range(60)],
    }
    return made.make(tmp_path_factory.mktemp("pages") / "library", vectors, columns)


@pytest.fixture(scope="module")
def found(library):
    return explore.map(library, "pca")


def data_of(page: str) -> tuple[dict, bytes]:
    packed = base64.b64decode(re.search(r'id="data">([^<]*)<', page)[1])
    whole = gzip.decompress(packed)
    (length,) = struct.unpack_from("<I", whole)
    return json.loads(whole[4 : 4 + length]), whole[-(-(4 + length) // 4) * 4 :]


def test_a_page_is_one_file_that_names_no_other_place(library, found, tmp_path):
    written = explore.write_page(library, found, tmp_path / "map.html", title="A & B")
    page = written.read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>") and "<title>A &amp; B</title>" in page
    assert "default-src 'none'" in page and "connect-src" not in page
    # Nothing is loaded: no address at all, but for the beginning of those of files.
    assert re.findall(r"[a-z]+://[^\s\"'`$]*", page.replace('id="data">', "")) in (["file://"], ["file://", "file://"])
    assert not re.search(r"<(link|iframe|object|embed)\b|@import|\bfetch\(|XMLHttpRequest|WebSocket|import\(", page)
    assert "import " not in script() and "export " not in script()
    assert EVIL not in page and "alert(1)" not in page


def test_the_data_of_a_page_are_the_map_and_the_columns(library, found, tmp_path):
    page = explore.write_page(library, found, tmp_path / "map.html", colour="mood").read_text("utf-8")
    head, content = data_of(page)
    where = head["places"]
    places = np.frombuffer(content, "<f4", where["count"], where["at"]).reshape(-1, 2)
    assert np.array_equal(places, found.places) and head["by"] == "mood" and head["dims"] == 2
    columns = {column["name"]: column for column in head["columns"]}
    assert {"mood", "bpm", "words", "folder", "artist", "duration"} <= columns.keys()
    assert [columns[name]["type"] for name in ("mood", "bpm", "words")] == ["category", "number", "list"]
    codes = columns["mood"]["codes"]
    assert codes["kind"] == "u1" and columns["mood"]["distinct"] == 4
    titles = json.loads(content[head["titles"]["at"] :][: head["titles"]["count"]])
    assert EVIL in titles


def test_the_same_map_has_the_same_page(library, found, tmp_path):
    one, two = (explore.write_page(library, found, tmp_path / f"{name}.html", title="x") for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_a_column_that_is_not_there_is_refused(library, found, tmp_path):
    with pytest.raises(UsageError, match=r"'moood' is no column .*; give one of: folder, "):
        explore.write_page(library, found, tmp_path / "map.html", colour="moood")
    assert not (tmp_path / "map.html").exists()


@pytest.mark.slow
def test_of_very_many_values_the_most_frequent_are_kept_and_the_number_is_said():
    values = ["often"] * 5 + [f"value {at}" for at in range(1_000_000)]
    column = fields.of("serial", str, values)
    assert column.distinct == 1_000_001 and len(column.values) == fields.MOST_VALUES + 2
    assert column.values[2] == "often" and (column.codes == fields.RARE).sum() == 1_000_005 - 5 - (
        fields.MOST_VALUES - 1
    )


def test_whole_numbers_that_are_few_are_names():
    assert fields.of("cluster", int, [0, 1, 1, None]).type == "category"
    assert fields.of("year", int, list(range(1900, 2000))).type == "number"
    assert fields.of("scores", list[float], [[0.5]]) is None
    many = fields.of("tags", list[str], [[f"tag {at}" for at in range(9)], []])
    assert many.starts.tolist() == [0, fields.MOST_ITEMS, fields.MOST_ITEMS]


# -- pictures


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture_is_written_and_is_the_same_each_time(library, found, tmp_path, ending):
    one, two = tmp_path / f"one.{ending}", tmp_path / f"two.{ending}"
    explore.draw_map(library, found, one, colour="mood")
    explore.draw_map(library, found, two, colour="mood")
    assert one.read_bytes() == two.read_bytes()
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert one.read_bytes().startswith(begins[ending])
    if ending == "svg":
        text = one.read_text("utf-8")
        assert all(f">{name}<" in text for name in ("calm", "tense", "sad", "happy"))


def test_names_in_a_picture_do_not_cover_each_other(library, found):
    figure = explore.draw_map(library, found, colour="mood")
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text() in ("calm", "tense", "sad", "happy")]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for at, a in enumerate(boxes) for b in boxes[:at])


def test_numbers_have_a_scale_and_three_dimensions_a_legend(library, found, tmp_path):
    assert explore.draw_map(library, found, colour="bpm").axes[1].get_ylabel() == "bpm"
    solid = explore.map(library, "pca", 3)
    figure = explore.draw_map(library, solid, tmp_path / "map.png", colour="mood")
    assert {text.get_text() for text in figure.axes[0].get_legend().get_texts()} == {"calm", "tense", "sad", "happy"}


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_labels_stay_in_the_picture_and_apart_where_there_is_room(seed, count):
    rng = np.random.default_rng(seed)
    anchors = rng.uniform(0, 1000, (count, 2))
    sizes = np.stack([rng.uniform(30, 150, count), np.full(count, 20.0)], axis=1)
    places = np.array(labels.spread(anchors, sizes, rng.uniform(0, 1000, (50, 2)), (0, 1000, 0, 1000)))
    assert (places - sizes / 2 >= -1e-9).all() and (places + sizes / 2 <= 1000 + 1e-9).all()
    for a in range(count):
        for b in range(a):
            assert (np.abs(places[a] - places[b]) >= (sizes[a] + sizes[b]) / 2 - 1e-9).any()


# -- tables


def test_a_table_has_a_row_for_each_track(library, found, tmp_path):
    assert explore.export_map(library, found, tmp_path / "map.parquet") == [tmp_path / "map.parquet"]
    table = parquet.read_table(tmp_path / "map.parquet")
    assert table.num_rows == 60 and table["id"].to_pylist() == list(found.ids)
    assert np.array_equal(np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1), found.places)
    assert table["bpm"].null_count == 1 and EVIL in table["title"].to_pylist()
    assert table["words"][0].as_py() in (["rain", "wind"], ["bells"])


def test_tensorflows_projector_has_its_two_files(library, found, tmp_path):
    vectors, metadata = explore.export_map(library, found, tmp_path / "map.tsv")
    assert metadata.name == "map.metadata.tsv"
    rows = np.loadtxt(vectors, delimiter="\t")
    ids, stored = library.vectors().numpy()
    at = {id: row for row, id in enumerate(ids)}
    assert np.allclose(rows, stored[[at[id] for id in found.ids]], rtol=1e-4, atol=1e-6)
    lines = metadata.read_text("utf-8").splitlines()
    assert len(lines) == 61 and lines[0].startswith("title\tpath\tx\ty\t")
    assert all(line.count("\t") == lines[0].count("\t") for line in lines)


def test_a_table_of_another_kind_is_refused(library, found, tmp_path):
    with pytest.raises(UsageError, match=r"map\.csv: a map is exported as \.parquet"):
        explore.export_map(library, found, tmp_path / "map.csv")


def test_spectrograms_are_of_files_that_are_there(tmp_path, caplog):
    import soundfile

    import sonovec

    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).standard_normal(16000) / 10, 16000)
    soundfile.write(tmp_path / "b.wav", np.random.default_rng(1).standard_normal(16000) / 10, 16000)
    library = sonovec.Library(tmp_path / "library", model="logmel")
    library.add([tmp_path / "a.wav", tmp_path / "b.wav"])
    (tmp_path / "b.wav").unlink()
    found = explore.map(library, "pca")
    pictures = thumbnails.thumbnails(library, found)
    assert len(pictures) == 1 and next(iter(pictures.values())).startswith(b"\x89PNG") and "b.wav" in caplog.text
    page = explore.write_page(library, found, tmp_path / "map.html", thumbnails=pictures).read_text("utf-8")
    head, content = data_of(page)
    kept = json.loads(content[head["thumbnails"]["at"] :][: head["thumbnails"]["count"]])
    assert list(kept) == [next(iter(pictures))[:12]]
