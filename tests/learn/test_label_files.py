"""Each format that is read, as its tool writes it; and what sonovec writes, read again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonovec.cli import stretch_files
from sonovec.errors import UsageError
from sonovec.learn.label_files import is_one, read_file
from sonovec.learn.label_rows import Row


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str | bytes, name: str = "labels.txt") -> Path:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return tmp_path / name

    return write


def brief(rows: tuple[Row, ...]) -> list[tuple]:
    return [(row.paths[:1], row.start, row.end, row.name) for row in rows]


def test_audacity_with_frequencies_points_commas_and_no_names(written) -> None:
    text = "1.5\t2.5\tcrow\n\\\t100.0\t2000.0\n3,25\t4,5\tbig  owl\r\n5\t5\tclick\n6\t7\t\n8\t9\n"
    found = read_file(written(text))
    assert brief(found.rows) == [
        *[((), 1.5, 2.5, "crow"), ((), 3.25, 4.5, "big owl"), ((), 5, 5, "click"), ((), 6, 7, ""), ((), 8, 9, "")]
    ]
    assert [row.line for row in found.rows] == [1, 3, 4, 5, 6] and found.has_times


RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"


def test_raven_counts_from_the_beginning_of_each_sound(written) -> None:
    text = RAVEN + "Begin Path\tFile Offset (s)\tSpecies\n"
    text += "1\tSpectrogram 1\t1\t61.5\t62.75\t0\t9000\tC:\\rec\\a.wav\t1.5\tcrow\n"
    text += '2\tSpectrogram 1\t1\t5\t6\t0\t9000\tC:\\rec\\b.wav\t5\t"5"" pipe"\n'
    assert brief(read_file(written(text)).rows) == [
        (("C:\\rec\\a.wav",), 1.5, 2.75, "crow"),
        (("C:\\rec\\b.wav",), 5, 6, '5" pipe'),
    ]


def test_raven_writes_a_selection_once_for_each_view(written) -> None:
    head = RAVEN + "Avg Power Density (dB FS/Hz)\tAnnotation\n"
    views = "".join(f"1\t{view} 1\t1\t6.7\t15.1\t1739.0\t3798.8\t-86.9\tbird\n" for view in ("Waveform", "Spectrogram"))
    found = read_file(written(head + views + "2\tWaveform 1\t1\t6.7\t15.1\t1739.0\t3798.8\t-86.9\tbird\n"))
    assert brief(found.rows) == [((), 6.7, 15.1, "bird")] * 2 and found.notes == ()


def test_raven_without_offsets_is_for_one_sound(written) -> None:
    head = RAVEN + "Begin File\tAnnotation\n"
    one = "1\tSpectrogram 1\t1\t5\t6\t0\t9000\ta.wav\tcrow\n"
    assert brief(read_file(written(head + one)).rows) == [(("a.wav",), 5, 6, "crow")]
    with pytest.raises(UsageError, match=r"labels.txt: its times count over all 2 sounds.*File Offset"):
        read_file(written(head + one + one.replace("a.wav", "b.wav")))


def test_birdnet_as_csv_and_as_a_table(written) -> None:
    text = "Start (s),End (s),Scientific name,Common name,Confidence,File,Latitude,Week\n"
    text += "0.0,3.0,Corvus corax,Common Raven,0.8471,/r/a.wav,,-1\n"
    found = read_file(written(text, "a.BirdNET.results.csv"))
    assert found.rows[0].score == 0.8471 and brief(found.rows) == [(("/r/a.wav",), 0, 3, "Common Raven")]
    assert "classes are those of the column 'Common name', and not of 'Scientific name'" in found.notes[0]
    table = RAVEN + "Common Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)\n"
    table += "1\tSpectrogram 1\t1\t0\t3.0\t0\t15000\tCommon Raven\tcomrav\t0.85\t/r/a.wav\t0\n"
    assert brief(read_file(written(table)).rows) == brief(found.rows)


def test_csv_with_several_classes_in_a_cell_and_columns_that_are_not_used(written) -> None:
    text = 'path;start;end;label;strat;fold\nx/a.wav;1,5;2,5;"crow|wren; rain";7;1\nb.wav;0:01:05;1:20;?;;2\n'
    found = read_file(written(text, "list.csv"))
    assert brief(found.rows) == [
        *[(("x/a.wav",), 1.5, 2.5, name) for name in ("crow", "wren", "rain")],
        (("b.wav",), 65, 80, "?"),
    ]
    assert found.notes == ("list.csv: columns that are not used: strat",)
    assert found.rows[0].cells["fold"] == "1"
    whole = read_file(written("filename,category\na.wav,dog\n", "list.csv"))
    assert brief(whole.rows) == [(("a.wav",), 0, None, "dog")] and not whole.has_times


def test_the_task_format_of_dcase(written) -> None:
    found = read_file(written("filename\tonset\toffset\tevent_label\na.wav\t0.5\t1.5\tspeech\n", "x.tsv"))
    assert brief(found.rows) == [(("a.wav",), 0.5, 1.5, "speech")] and found.notes == ()


def label_studio(**data) -> dict:
    region = {"type": "labels", "value": {"start": 1.5, "end": 2.5, "channel": 0, "labels": ["crow", "wren"]}}
    words = {"type": "textarea", "value": {"start": 1.5, "end": 2.5, "text": ["caw"]}}
    done = {"result": [region, words], "was_cancelled": False}
    return {"id": 1, "data": data, "annotations": [done, {"result": [region], "was_cancelled": True}]}


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/data/local-files/?d=field%20work/a.wav", "field work/a.wav"),
        ("/data/upload/3/1a2b3c4d-a.wav", "/data/upload/3/1a2b3c4d-a.wav"),
        ("https://example.org/x/a%20b.wav?token=1", "/x/a b.wav"),
        ("s3://bucket/x/a.wav", "/x/a.wav"),
        ("a.wav", "a.wav"),
    ],
)
def test_label_studio(written, address: str, path: str) -> None:
    tasks = [label_studio(audio=address, note="x")]
    tasks += [
        {"id": 2, "data": {"audio": "b.wav"}, "annotations": [{"result": []}]},
        {"id": 3, "data": {}, "annotations": []},
    ]
    found = read_file(written(json.dumps(tasks), "export.json"))
    assert brief(found.rows) == [((path,), 1.5, 2.5, name) for name in ("crow", "wren")]
    assert found.rows[0].paths[-1] in ("a.wav", "a b.wav")
    assert found.empty == (("b.wav",),) and found.notes == ("export.json: 1 task without annotations, left out",)


def test_the_short_export_of_label_studio_and_its_choices(written) -> None:
    regions = [{"start": 1.5, "end": 2.5, "labels": ["crow"]}]
    found = read_file(written(json.dumps([{"audio": "/data/upload/a.wav", "id": 1, "label": regions}]), "min.json"))
    assert brief(found.rows) == [(("/data/upload/a.wav",), 1.5, 2.5, "crow")]
    choice = {"type": "choices", "value": {"choices": ["dog"]}}
    whole = [{"data": {"audio": "a.wav"}, "annotations": [{"result": [choice]}]}]
    found = read_file(written(json.dumps(whole), "whole.json"))
    assert brief(found.rows) == [(("a.wav",), 0, None, "dog")] and not found.has_times


def test_subtitles(written) -> None:
    found = read_file(
        written(
            "1\n00:00:01,500 --> 00:00:02,000\ncrow 0.912\n\n2\n00:01:00,000 --> 00:01:01,000\n\n"
            "3\n00:02:00,000 --> 00:02:01,000\nbig\nowl\n"
        )
    )
    assert [(row.start, row.end, row.name, row.score) for row in found.rows] == [
        (1.5, 2.0, "crow", 0.912),
        (60, 61, "", None),
        (120, 121, "big owl", None),
    ]


def test_what_sonovec_tag_prints_as_json(written) -> None:
    event = {"start": 1.0, "end": 2.0, "tag": "Dog", "score": 0.5}
    text = json.dumps({"sounds": [{"path": "/a.wav", "tags": [], "events": [event]}, {"path": "/b.wav", "events": []}]})
    assert brief(read_file(written(text, "tags.json")).rows) == [(("/a.wav",), 1, 2, "Dog")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", r"labels.txt: is in no format.*its first line is: 'hello'"),
        ("path,start,end\na.wav,0,1\n", "a table needs a column for the class"),
        ("path,start,label\na.wav,0,dog\n", "has a column 'start' and none for the end.*it has: path, start, label"),
        ("path,start,end,label\na.wav,0,x,dog\n", "line 2: end='x' is not a number"),
        ("path,start,end,label\na.wav,0,nan,dog\n", "line 2: end='nan' is not a number"),
        ("path,start,end,label\na.wav,1,5,2,dog\n", "line 2: 5 cells for 4 columns.*decimal comma"),
        ("0\t1\tdog\nx\t2\tdog\n", r"line 2: 'x\\t2\\tdog' is not: start, tab, end, tab, label"),
        ('[{"label": 1,', "labels.txt: is not JSON"),
        ('{"events": [{"x": 1}]}', "its objects have no class.*they have: path, x"),
        ('[{"device": "x"}]', "is in no format"),
        ('FILE "a.wav" WAVE\n', "a cue sheet has no ends"),
        (b"\x00\x01\x02\x03abc", "is no text"),
        (b"\xff\xfe\x00", "is damaged"),
    ],
)
def test_what_is_wrong_is_said(written, text: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_file(written(text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="labels: cannot be read"):
        (tmp_path / "labels").mkdir()
        read_file(tmp_path / "labels")
    assert not is_one(tmp_path / "labels")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings(written, encoding: str) -> None:
    found = read_file(written("0\t1\tKrähe\n2\t3\tdog\n".encode(encoding)))
    assert [row.name for row in found.rows] == ["Krähe", "dog"]
    assert (found.notes != ()) == (encoding == "cp1252")


def test_lines_in_two_encodings(written) -> None:
    found = read_file(written("0\t1\tKrähe\n".encode() + "2\t3\tMöwe\n".encode("cp1252") + b"4\t5\tA\x81\n"))
    assert [row.name for row in found.rows] == ["Krähe", "Möwe", "A\x81"]
    assert found.notes == ("labels.txt: 2 lines are not in UTF-8 and are read as Windows-1252 (line 2)",)


# -- what sonovec writes

LABELS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=";|\0"), min_size=1, max_size=12)
TIMES = st.floats(0, 1e5)
STRETCHES = st.lists(st.tuples(LABELS, TIMES, TIMES, st.floats(0, 1)), min_size=1, max_size=5)


@pytest.mark.parametrize("kind", [name for name in stretch_files.FORMATS if name not in ("cue", "labelstudio")])
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(given_ones=STRETCHES)
def test_what_sonovec_writes_is_read_as_it_was(kind: str, given_ones, tmp_path_factory) -> None:
    rows = [
        {"path": "/so und  s/a'\"b.wav", "start": start, "end": start + length, "score": score, "label": label}
        for label, start, length, score in given_ones
    ]
    target = tmp_path_factory.mktemp("formats") / f"x{stretch_files.FORMATS[kind].ending}"
    stretch_files.write(target, rows)
    assert is_one(target)
    found = read_file(target)
    assert [row.name for row in found.rows] == [" ".join(row["label"].split()) for row in rows]
    rounding = 6e-4 if kind == "srt" else 2e-6
    for read, row in zip(found.rows, rows, strict=True):
        assert read.start == pytest.approx(row["start"], abs=rounding)
        assert read.end == pytest.approx(row["end"], abs=rounding)
        assert read.score == pytest.approx(row["score"], abs=6e-4) and read.start <= read.end
        assert read.paths == (() if stretch_files.FORMATS[kind].alone else (row["path"],))
    assert found.has_times


def test_tasks_of_label_studio_are_labels_once_a_person_has_answered(tmp_path: Path) -> None:
    target = tmp_path / "x.tasks.json"
    row = {"path": "/so und  s/a%'b.wav", "start": 1.5, "end": 2.25, "score": 0.9, "label": "big dog"}
    stretch_files.write(target, [row])
    asked = read_file(target)
    assert asked.rows == () and asked.notes == ("x.tasks.json: 1 task without annotations, left out",)
    tasks = json.loads(target.read_text("utf-8"))
    for task in tasks:
        task["annotations"] = task.pop("predictions")
    target.write_text(json.dumps(tasks), "utf-8")
    (read,) = read_file(target).rows
    assert (read.name, read.start, read.end) == (row["label"], row["start"], row["end"])
    assert row["path"] in read.paths


KEYS = st.sampled_from(
    [
        "data",
        "annotations",
        "result",
        "value",
        "labels",
        "choices",
        "start",
        "end",
        "audio",
        "path",
        "label",
        "sounds",
        "events",
        "x",
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["a.wav", "/data/local-files/?d=", "http://["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TABLES = st.lists(
    st.lists(st.sampled_from(["path", "start", "END", "label", "1", "1,5", '"', "x;y", ""]), max_size=5), max_size=4
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=60)
    | st.lists(st.dictionaries(KEYS, JSON, max_size=4), max_size=3).map(lambda tasks: json.dumps(tasks).encode())
    | st.tuples(TABLES, st.sampled_from("\t,;")).map(lambda given: "\n".join(map(given[1].join, given[0])).encode())
)
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path_factory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.txt"
    file.write_bytes(content)
    try:
        found = read_file(file)
    except UsageError as error:
        assert str(error).startswith(str(file)) and "\n" not in str(error)
        return
    assert all(isinstance(row.start, float) and row.start == row.start for row in found.rows)


def test_an_empty_file_of_labels_holds_none(written) -> None:
    assert read_file(written("")).rows == () and is_one(written(""))


@pytest.mark.skipif(os.name != "posix", reason="names of POSIX")
def test_a_name_that_is_no_text_comes_back_from_json_lines(tmp_path: Path) -> None:
    from sonovec.learn.label_recordings import Recordings
    from sonovec.paths import to_text

    for name in (b"L\xf6we.wav", b"tab\there.wav", b"a  b.wav"):
        recording = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        recording.touch()
        for ending in (".jsonl", ".selections.txt", ".csv"):
            row = {"path": to_text(recording), "start": 0.0, "end": 1.0, "score": 1.0, "label": "x"}
            stretch_files.write(tmp_path / f"x{ending}", [row])
            [read] = read_file(tmp_path / f"x{ending}").rows
            assert Recordings(tmp_path).find(read.paths) == recording
