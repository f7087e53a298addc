from __future__ import annotations

import csv
import os
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.library.metadata import Metadata, read_metadata


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder of files; a CSV goes beside it."""
    for name in ("a.wav", "rock/b.wav", "rock/c.wav", "jazz/c.wav"):
        file = tmp_path / "music" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return tmp_path / "music"


def read(folder: Path, text: str | bytes, known: dict[str, type] | None = None) -> Metadata:
    path = folder / "mine.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_metadata(path, known)


def test_columns_are_typed_by_what_they_hold(tmp_path):
    metadata = read(
        tmp_path,
        "path,bpm,level,live,note,code,big,empty\n"
        "a.wav,120,0.5,yes,fine,007,1,\n"
        "b.wav,,2,No,3,12,99999999999999999999,\n"
        "c.wav,-90,,,,,,\n",
    )
    assert metadata.columns == {"bpm": int, "level": float, "live": bool, "note": str, "code": str, "big": str}
    assert [dict(row.values) for row in metadata.rows] == [
        {"bpm": 120, "level": 0.5, "live": True, "note": "fine", "code": "007", "big": "1"},
        {"bpm": None, "level": 2.0, "live": False, "note": "3", "code": "12", "big": "9" * 20},
        {"bpm": -90, "level": None, "live": None, "note": None, "code": None, "big": None},
    ]


@pytest.mark.parametrize("text", ["1.5", ".5", "2.", "1e3", "-1.5E-3", "+0.0"])
def test_numbers_that_are_floats(tmp_path, text):
    metadata = read(tmp_path, f"path,x\na,{text}\n")
    assert metadata.columns == {"x": float}
    assert metadata.rows[0].values["x"] == float(text)


@pytest.mark.parametrize("text", ["inf", "1_000", "1e999", "0x10", "٣", "1 000", ".", "---", "01.5", "e5", "+", "nans"])
def test_texts_that_are_no_numbers(tmp_path, text):
    metadata = read(tmp_path, f"path,x\na,{text}\n")
    assert metadata.columns == {"x": str}
    assert metadata.rows[0].values["x"] == text


@pytest.mark.parametrize(
    "null", ["", " ", "NA", "n/a", "#N/A", "<NA>", "nan", "NaN", "NULL", "null", "None", "-", "--"]
)
def test_what_stands_for_no_value(tmp_path, null):
    text = f"path,a,b,c,title,empty\nx.wav,{null},1.5,dog,{null},{null}\ny.wav,3,{null},{null},T,{null}\n"
    metadata = read(tmp_path, text)
    assert metadata.columns == {"a": int, "b": float, "c": str, "title": str}
    assert [dict(row.values) for row in metadata.rows] == [
        {"a": None, "b": 1.5, "c": "dog"},
        {"a": 3, "b": None, "c": None, "title": "T"},
    ]


KNOWN = {"n": int, "x": float, "on": bool, "word": str, "_old": int, "sound_tags": str}


def test_a_column_keeps_the_type_that_the_library_has(tmp_path):
    text = "path,n,x,on,word,_old,sound_tags\na,120.0,3,yes,007,1,\nb,-7,2.5,NA,true,,Dog\n"
    metadata = read(tmp_path, text, KNOWN)
    assert metadata.columns == KNOWN
    assert [list(row.values.values()) for row in metadata.rows] == [
        [120, 3.0, True, "007", 1, None],
        [-7, 2.5, None, "true", None, "Dog"],
    ]
    assert [type(value) for value in metadata.rows[0].values.values()] == [int, float, bool, str, int, type(None)]


def test_a_float_column_takes_whole_numbers_that_it_can_hold(tmp_path):
    metadata = read(tmp_path, "path,x\na,9007199254740992\nb,-7\n", KNOWN)
    assert [row.values["x"] for row in metadata.rows] == [2.0**53, -7.0]


def test_an_emptied_column_clears_where_the_library_has_it(tmp_path):
    metadata = read(tmp_path, "path,n,new,title\na,,NA,-\n", KNOWN)
    assert metadata.columns == {"n": int}
    assert dict(metadata.rows[0].values) == {"n": None}


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("n", "1.5", "line 3: n='1.5' must be a whole number, such as n=1999; the library's column holds such values"),
        ("n", "dog", "give others a column of their own, such as 'n_2'"),
        ("n", "1e300", "must be a whole number"),
        ("n", "99999999999999999999", "must be a whole number"),
        ("x", "loud", "line 3: x='loud' must be a number, such as x=0.5"),
        ("x", "inf", "must be a number"),
        ("x", "9007199254740993", "must be a number"),  # which no float is
        ("on", "1", "line 3: on='1' must be true or false, such as on=true"),
        ("year", "2003.5", "line 3: year='2003.5' must be a whole number, such as year=1999"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_line(tmp_path, column, value, says):
    with pytest.raises(UsageError) as error:
        read(tmp_path, f"path,{column}\na,\nb,{value}\n", KNOWN)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_name_that_differs_by_case_from_one_of_the_library(tmp_path):
    with pytest.raises(UsageError, match="column 'Word' differs from the column 'word' by case only; call it 'Word_2'"):
        read(tmp_path, "path,Word\na,1\n", KNOWN)


def test_tags_keep_their_types_and_empty_cells_correct_nothing(tmp_path):
    metadata = read(tmp_path, "path,title,year\na.wav,1999,2003\nb.wav,,\n")
    assert metadata.columns == {"title": str, "year": int}
    assert [dict(row.values) for row in metadata.rows] == [{"title": "1999", "year": 2003}, {}]
    with pytest.raises(UsageError, match="line 3: year='soon' must be a whole number, such as year=1999"):
        read(tmp_path, "path,year\na.wav,2003\nb.wav,soon\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_separators_and_byte_order_mark(tmp_path, delimiter):
    text = StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([["path", "name", "unused"], ["a.wav", "b", ""], [], ["c,;\t.wav", "two\r\nlines", ""]])
    metadata = read(tmp_path, b"\xef\xbb\xbf" + text.getvalue().encode())
    assert metadata.columns == {"name": str}
    assert [(row.line, row.written, row.values["name"]) for row in metadata.rows] == [
        (2, "a.wav", "b"),
        (5, "c,;\t.wav", "two\r\nlines"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; its first line names the columns, one of them 'path'"),
        ("name,bpm\na,1\n", "has no column 'path' but 'name', 'bpm': name the column of the files 'path'"),
        ("path,my mood!\na,1\n", "column 'my mood!' must be letters, digits and underscores; call it 'my_mood'"),
        (f"path,{'m' * 101}\na,1\n", f"has more than 100 letters; call it '{'m' * 90}'"),
        ("path,_rowid\na,1\n", "column '_rowid' begins with an underscore, which stores keep for names of their own"),
        ("path,_Score,score\na,1,2\n", "call it 'my_Score'"),
        ("path,sound_tags\na,1\n", "column 'sound_tags' is a name that sonovec uses itself; call it 'my_sound_tags'"),
        ("path,Sound_Tags\na,1\n", "call it 'my_Sound_Tags'"),
        ("path,is\na,1\n", "column 'is' is a name that sonovec uses itself; call it 'my_is'"),
        ("path,Ätna\na,1\n", "call it 'Atna'"),
        ("path,1st\na,1\n", "call it 'column_1st'"),
        ("path,\na,1\n", "column '' (number 2) must be letters, digits and underscores; call it 'column'"),
        ("path,id\na,1\n", "column 'id' is a name that sonovec uses itself; call it 'my_id'"),
        ("path,duration\na,1\n", "column 'duration' is a name that sonovec uses itself; call it 'my_duration'"),
        ("path,Codec\na,1\n", "column 'Codec' is a name that sonovec uses itself; call it 'my_Codec'"),
        ("path,Title\na,1\n", "differs from the tag 'title' by case only; call it 'title' to correct the tag"),
        ("path,bpm,BPM\na,1,2\n", "column 'BPM' comes after a column 'bpm'; call it 'BPM_2'"),
        ("path,bpm\na,1,2\n", "line 2: 3 cells for 2 columns"),
        ("path,bpm\na,1\nb\n", "line 3: 1 cells for 2 columns"),
        ("path,bpm\na,1\n,2\n", "line 3: no file; give its path, or delete the line"),
        ("path,bpm\na,1\nb,1\n./a,2\n", "line 2 (a) and line 4 (./a) are about one file; delete one of them"),
        ('path,bpm\na,"1\n', 'line 2: unexpected end of data; quote cells as "..."'),
        (b"path,bpm\n\xe9,1\n", "is not UTF-8; save it as 'CSV UTF-8'"),
        ("path,bpm\na,1\n".encode("utf-16"), "is not UTF-8; save it as 'CSV UTF-8'"),
    ],
)
def test_what_is_refused_is_named_with_its_remedy(tmp_path, text, message):
    with pytest.raises(UsageError) as error:
        read(tmp_path, text)
    assert message in str(error.value)
    assert str(tmp_path / "mine.csv") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read metadata .*none.csv: No such file"):
        read_metadata(tmp_path / "none.csv")


@pytest.mark.parametrize("header", ["path", "file", "filename", "Path", "FILE"])
def test_the_column_of_files(music, header):
    metadata = read(music, f"mood,{header}\ncalm,a.wav\n")
    assert metadata.columns == {"mood": str}
    assert metadata.lookup(music / "a.wav", [music]) == {"mood": "calm"}


def test_path_comes_before_file(tmp_path):
    assert read(tmp_path, "file,path\n1,a.wav\n").columns == {"file": int}


def test_a_row_names_its_file_in_four_ways(tmp_path, music):
    text = f"path,n\n{music}/a.wav,1\nmusic/rock/../rock/b.wav,2\njazz/c.wav,3\nd.wav,4\n"
    (music / "rock" / "deep").mkdir()
    (music / "rock" / "deep" / "d.wav").write_bytes(b"x")
    metadata = read(tmp_path, text)
    names = ["a.wav", "rock/b.wav", "jazz/c.wav", "rock/deep/d.wav", "rock/c.wav"]
    found = [metadata.lookup(music / name, [music]) for name in names]
    assert found == [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, None]
    assert metadata.unused() == []


def test_relative_paths_and_roots_that_are_files(tmp_path, music, monkeypatch):
    metadata = read(tmp_path, "path,n\na.wav,1\n")
    monkeypatch.chdir(tmp_path)
    assert metadata.lookup("music/a.wav", ["music/a.wav"]) == {"n": 1}
    assert metadata.lookup("music/a.wav") == {"n": 1}


def test_what_fits_several_files_goes_to_none_and_is_reported(tmp_path, music):
    metadata = read(tmp_path, "path,n\nc.wav,1\nmissing.wav,2\nb.wav,3\n")
    assert metadata.lookup(music / "rock" / "c.wav", [music]) is None
    assert metadata.lookup(music / "jazz" / "c.wav", [music]) is None
    assert metadata.lookup(music / "rock" / "b.wav", [music]) == {"n": 3}
    assert metadata.unused() == [
        f"c.wav (could be {music}/jazz/c.wav, {music}/rock/c.wav: write its path)",
        "missing.wav",
    ]


def test_one_name_under_two_roots_is_in_doubt(tmp_path, music):
    metadata = read(tmp_path, "path,n\nc.wav,1\n")
    roots = [music / "rock", music / "jazz"]
    assert metadata.lookup(music / "rock" / "c.wav", roots) is None
    assert "could be" in metadata.unused()[0]


def test_a_file_beside_the_csv_comes_before_its_namesakes(music):
    (music / "rock" / "a.wav").write_bytes(b"x")
    metadata = read(music, "path,n\na.wav,1\n")
    assert metadata.lookup(music / "a.wav", [music]) == {"n": 1}
    assert metadata.lookup(music / "rock" / "a.wav", [music]) is None


def test_two_rows_for_one_file_by_different_names(tmp_path, music):
    metadata = read(tmp_path, f"path,n\nmusic/a.wav,1\n{music}/a.wav,2\n")
    with pytest.raises(UsageError, match=r"line 2 .* and line 3 .* are about one file"):
        metadata.resolve([music])


def test_names_in_other_forms(tmp_path, music):
    composed, decomposed = "\u00e9.wav", "e\u0301.wav"
    (music / decomposed).write_bytes(b"x")
    metadata = read(tmp_path, f"path,n\n{composed},1\ncaf\\xe9.wav,2\n")
    assert metadata.lookup(music / decomposed, [music]) == {"n": 1}
    raw = Path(os.fsdecode(os.fsencode(music) + b"/caf\xe9.wav"))
    try:
        raw.write_bytes(b"x")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    metadata.resolve([music])
    assert metadata.lookup(raw, [music]) == {"n": 2}


def test_links_in_a_circle_end(tmp_path, music):
    try:
        (music / "rock" / "up").symlink_to(music, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    metadata = read(tmp_path, "path,n\nb.wav,1\n")
    assert metadata.lookup(music / "rock" / "b.wav", [music]) == {"n": 1}


@given(st.lists(st.one_of(st.none(), st.integers(-(10**17), 10**17)), min_size=1, max_size=5))
def test_whole_numbers_come_back(tmp_path_factory, numbers):
    lines = "".join(f"{index}.wav,{'' if number is None else number}\n" for index, number in enumerate(numbers))
    metadata = read(tmp_path_factory.getbasetemp(), "path,n\n" + lines)
    if any(number is not None for number in numbers):
        assert metadata.columns == {"n": int}
        assert [row.values["n"] for row in metadata.rows] == numbers
    else:
        assert metadata.columns == {}


cells = st.one_of(
    st.integers(-(10**14), 10**14).map(str), st.floats(allow_nan=False, allow_infinity=False, width=32).map(str),
    st.sampled_from(["", "NA", "yes", "False", "dog", "007", "-", "1.0", "1e3"]),
)  # fmt: skip


@given(st.lists(cells, min_size=1, max_size=4), st.sampled_from([bool, int, float, str]))
def test_a_known_type_is_kept_or_the_value_is_refused(tmp_path_factory, written, kind):
    lines = "".join(f"{index}.wav,{cell}\n" for index, cell in enumerate(written))
    try:
        metadata = read(tmp_path_factory.getbasetemp(), "path,n\n" + lines, {"n": kind})
    except UsageError as error:
        assert kind is not str and "line " in str(error) and "such as n=" in str(error)
        return
    assert metadata.columns == {"n": kind}
    for cell, row in zip(written, metadata.rows, strict=True):
        value = row.values["n"]
        assert value is None or type(value) is kind
        if value is not None and kind in (int, float):
            assert value == float(cell)
