"""What labels are made of what was read, and what is wrong with labels is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import UsageError
from sonovec.learn import labels
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN
from sonovec.library.records import Label


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings in two folders; none is read, but by their names."""
    for name in ("dog/1-a.wav", "dog/2-b.wav", "rain/1-c.wav", "rain/2-d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"RIFF")
    return tmp_path


def put(folder: Path, text: str, name: str = "list.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def brief(found: labels.LabelSet) -> list[tuple]:
    return [(label.path.name, label.start, label.end, label.name) for label in found.labels]


def test_folders_are_classes_and_each_recording_a_group(folder: Path) -> None:
    found = labels.read(folder)
    assert found.classes == {"dog": 2, "rain": 2} and not found.rest
    assert [label.group for label in found.labels] == [str(label.path) for label in found.labels]
    assert found.labels[0].source == "dog/1-a.wav"
    by_pattern = labels.read(folder, group=r"^(\d)-")
    assert [label.group for label in by_pattern.labels] == ["1", "2", "1", "2"]


def test_folders_that_cannot_be_classes_are_refused(folder: Path) -> None:
    (folder / "loose.wav").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match=r"loose.wav is in no sub-folder"):
        labels.read(folder)
    with pytest.raises(UsageError, match="nowhere: no such file or folder"):
        labels.read(folder / "nowhere")
    with pytest.raises(UsageError, match="audio='.*nowhere': no such file or folder"):
        labels.read(folder, audio=folder / "nowhere")
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: holds no label"):
        labels.read(folder / "empty")


def test_a_list_in_a_folder_of_classes_is_told(folder: Path) -> None:
    put(folder / "dog", "path,label\n1-a.wav,x\n")
    assert labels.read(folder).notes == ("dog/list.csv: not read; give a list of labels itself to read it",)
    (folder / "loose.wav").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match=r"loose.wav is in no sub-folder.*; dog/list.csv: not read; give a list"):
        labels.read(folder)
    with pytest.raises(UsageError, match="no file in it holds labels of a recording in .*rain"):
        labels.read(folder / "dog", audio=folder / "rain")


def test_background_by_any_of_its_names_is_no_class(folder: Path) -> None:
    (folder / "rain").rename(folder / "Background")
    found = labels.read(folder)
    assert found.classes == {"dog": 2} and [label.name for label in found.labels] == [None, None, "dog", "dog"]
    assert found.notes == (
        "'Background' (2 labels) is background: an example of what each class is not, and no answer; give it another name to "
        "make it a class",
    )


def test_a_list_names_recordings_in_many_ways(folder: Path) -> None:
    rows = ["dog/1-a.wav", str(folder / "dog/2-b.wav"), "1-c.wav", r"C:\field\rain\2-d.wav", "./rain/1-c.wav", "2-b"]
    file = put(folder, "path,start,end,label\n" + "".join(f"{row},{n},{n + 1},x\n" for n, row in enumerate(rows)))
    names = ["1-a.wav", "2-b.wav", "1-c.wav", "2-d.wav", "1-c.wav", "2-b.wav"]
    assert [each[0] for each in brief(labels.read(file))] == names
    (folder / "elsewhere").mkdir()
    moved = file.rename(folder / "elsewhere" / "list.csv")
    assert [each[0] for each in brief(labels.read(moved, audio=folder))] == names


@pytest.mark.parametrize("name", ["x" * 300 + ".wav", r"a\u0000b.wav", r"\ud800.wav", ".", "/"])
def test_what_cannot_be_a_recording_is_missing(folder: Path, name: str) -> None:
    row = f'{{"path": "{name}", "start": 0, "end": 1, "label": "x"}}\n'
    with pytest.raises(UsageError, match="none of its 1 recording"):
        labels.read(put(folder, row, "list.jsonl"))


def test_missing_recordings_are_named_and_counted(folder: Path) -> None:
    head = "path,start,end,label\n"
    file = put(folder, head + "dog/1-a.wav,0,1,x\n" + "".join(f"no{n}.wav,0,1,x\nno{n}.wav,2,3,x\n" for n in range(5)))
    found = labels.read(file)
    assert len(found.labels) == 1
    assert found.notes == ("5 recordings not found, and left out: no0.wav, no1.wav, no2.wav and 2 more",)
    with pytest.raises(UsageError, match=r"none of its 1 recording is in .*: no.wav; give audio= the folder"):
        labels.read(put(folder, head + "no.wav,0,1,x\n"))


def test_a_name_that_two_recordings_have_is_refused(folder: Path) -> None:
    (folder / "rain" / "1-a.wav").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match=r"'1-a.wav' could be .*dog/1-a.wav or .*rain/1-a.wav; write the path"):
        labels.read(put(folder, "path,label\n1-a.wav,x\n"))


def test_groups_of_a_column_and_of_a_pattern(folder: Path) -> None:
    file = put(folder, "path,label,fold,Site\ndog/1-a.wav,x,1,lake\nrain/1-c.wav,y,2,wood\n")
    found = labels.read(file)
    assert [label.group for label in found.labels] == ["1", "2"]
    assert found.notes == (
        "list.csv: columns that are not used: Site",
        "list.csv: groups are those of the column 'fold'",
    )
    assert [label.group for label in labels.read(file, group="site").labels] == ["lake", "wood"]
    assert [label.group for label in labels.read(file, group="-(.)").labels] == ["a", "c"]
    with pytest.raises(UsageError, match="group='place' finds nothing in '1-a.wav'.*no column.*Site"):
        labels.read(file, group="place")


def test_times_that_are_none_are_refused(folder: Path) -> None:
    head = "path,start,end,label\n"
    with pytest.raises(UsageError, match=r"list.csv:3: start 5 and end 3 are not 0 <= start <= end"):
        labels.read(put(folder, head + "dog/1-a.wav,0,1,x\ndog/1-a.wav,5,3,x\n"))
    with pytest.raises(UsageError, match="list.csv:2: start -1"):
        labels.read(put(folder, head + "dog/1-a.wav,-1,3,x\n"))


def test_one_stretch_with_two_labels_with_one_twice_and_with_none(folder: Path) -> None:
    rows = ["0,1,crow;wren", "0,1,crow", "2,3,", "4,5,?"]
    found = labels.read(put(folder, "path,start,end,label\n" + "".join(f"dog/1-a.wav,{row}\n" for row in rows)))
    assert brief(found)[:2] == [("1-a.wav", 0, 1, "crow"), ("1-a.wav", 0, 1, "wren")]
    assert [(label.name, label.verdict) for label in found.labels[2:]] == [(None, UNKNOWN)] * 2
    assert found.classes == {"crow": 1, "wren": 1} and found.rest
    assert found.notes == (
        "2 labels without a class: no example of anything, nor of background",
        "1 label there twice, and counted once: list.csv:3",
    )


def test_a_stretch_that_is_background_and_a_class_is_refused(folder: Path) -> None:
    file = put(folder, "path,start,end,label\ndog/1-a.wav,0,1,crow\ndog/1-a.wav,0,1,noise\n")
    with pytest.raises(
        UsageError, match=r"1-a.wav, 0 to 1 s: list.csv:2 says that 'crow' is heard, and list.csv:3 that none"
    ):
        labels.read(file)


def test_labels_beside_recordings(folder: Path) -> None:
    put(folder / "dog", "0\t1\tbark\n", "1-a.txt")
    put(folder / "dog", "", "2-b.txt")
    put(folder / "dog", "How this was recorded.\n", "1-a.notes.txt")
    table = "Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\n1\t2\t3\tdrip\n"
    put(folder / "rain", table, "1-c.Table.1.selections.txt")
    found = labels.read(folder)
    assert brief(found) == [("1-a.wav", 0, 1, "bark"), ("2-b.wav", 0, None, None), ("1-c.wav", 2, 3, "drip")]
    assert found.rest and found.notes == ("1 recording without labels, left out: rain/2-d.wav",)


def test_labels_of_one_recording_find_it(folder: Path) -> None:
    labels_of_a = put(folder / "dog", "0\t1\tbark\n", "1-a.txt")
    assert brief(labels.read(labels_of_a)) == [("1-a.wav", 0, 1, "bark")]
    apart = put(folder, "0\t1\tbark\n", "labels.txt")
    assert brief(labels.read(apart, audio=folder / "rain/1-c.wav")) == [("1-c.wav", 0, 1, "bark")]
    with pytest.raises(
        UsageError, match=r"labels.txt: none of its 1 recording is in .*: the one of labels.txt; give audio="
    ):
        labels.read(apart)
    ours = put(folder, "0\t1\tbark 0.912\n", "barks.2-b.txt")
    assert brief(labels.read(ours)) == [("2-b.wav", 0, 1, "bark")]


def test_a_folder_of_labels_apart_from_the_recordings(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    apart = tmp_path_factory.mktemp("labels")
    put(apart, "0\t1\tbark\n", "1-a.txt")
    put(apart, "0\t1\tdrip\n", "1-c.txt")
    assert brief(labels.read(apart, audio=folder)) == [("1-a.wav", 0, 1, "bark"), ("1-c.wav", 0, 1, "drip")]


def test_weak_labels_of_a_detector_are_left_out_and_no_background(folder: Path) -> None:
    text = "Start (s),End (s),Common name,Confidence,File\n0,3,Crow,0.9,dog/1-a.wav\n3,6,Crow,0.2,dog/1-a.wav\n"
    found = labels.read(put(folder, text))
    assert (
        found.classes == {"Crow": 2} and "2 labels with a score" in found.notes[0] and "lowest 0.20" in found.notes[0]
    )
    found = labels.read(put(folder, text), min_score=0.5)
    assert found.classes == {"Crow": 1} and [label.verdict for label in found.labels] == [HEARD, UNKNOWN]
    assert "1 of them below 0.5 left out" in found.notes[0]


def test_label_studio_finds_uploads_and_what_holds_nothing(folder: Path) -> None:
    region = {"type": "labels", "value": {"start": 1, "end": 2, "labels": ["bark"]}}
    tasks = [
        {"data": {"audio": "/data/upload/1/0a1b2c3d-1-a.wav"}, "annotations": [{"result": [region]}]},
        {"data": {"audio": "/data/local-files/?d=rain/1-c.wav"}, "annotations": [{"result": []}]},
    ]
    found = labels.read(put(folder, json.dumps(tasks), "export.json"))
    assert brief(found) == [("1-a.wav", 1, 2, "bark"), ("1-c.wav", 0, None, None)] and found.rest
    assert not labels.read(put(folder, json.dumps(tasks), "export.json"), rest=False).rest


def test_a_library_gives_what_people_said_and_of_detectors_what_is_asked_for(tmp_path: Path) -> None:
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.random.default_rng(ord(name)).normal(0, 0.1, 16000), 16000)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add([tmp_path / "a.wav", tmp_path / "b.wav"])
        ids = {Path(track.path).name: track.id for track in library}
        a, b = ids["a.wav"], ids["b.wav"]
        library.labels.put(
            [
                Label(a, 0, 0.5, "crow", "person:ann", 1.0),
                Label(a, 0.5, 1, "crow", "person:ann", 1.0, 0.0),
                Label(b, 0, 1, "crow", "person:ann", 1.0),
                Label(b, 0, 1, "crow", "person:bob", 2.0, 0.5),  # later
                Label(b, 0, 0.5, "wren", "wrens@1a2b3c4d", 3.0, 0.9),
                Label(b, 0.5, 1, "wren", "wrens@1a2b3c4d", 3.0, 0.4),
            ]
        )
        found = labels.read(library)
        assert sorted((*each, label.verdict) for each, label in zip(brief(found), found.labels, strict=True)) == [
            ("a.wav", 0, 0.5, "crow", HEARD),
            ("a.wav", 0.5, 1, "crow", NOT_HEARD),
            ("b.wav", 0, 1, "crow", UNKNOWN),
        ]
        assert not found.rest and "2 of wrens@1a2b3c4d" in found.notes[0]
        assert labels.read(tmp_path / "library", min_score=0.8).classes == {"crow": 1, "wren": 1}
