from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec.errors import UsageError
from sonovec.evaluation.dataset import read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("dog/1-a.wav", "dog/2-b.wav", "rain/1-c.wav", "rain/2-d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.zeros(800), 8000)
    return tmp_path


def listed(folder: Path, text: str) -> Path:
    (folder / "list.csv").write_text(text, encoding="utf-8")
    return folder / "list.csv"


def test_sub_folders_are_classes_and_names_hold_folds(folder: Path) -> None:
    dataset = read(folder, folds=r"^(\d)-")
    assert dataset.classes == {"dog": 2, "rain": 2}
    assert dataset.folds == ("1", "2", "1", "2")
    assert read(folder).folds is None


@pytest.mark.parametrize("heading", ["path,label,fold", "filename,category,fold", "Fold,File,CLASS"])
def test_a_csv_file_lists_sounds(folder: Path, heading: str) -> None:
    columns = [name.lower() for name in heading.split(",")]
    lines = []
    for path, label, fold in [
        ("dog/1-a.wav", "dog", "x"),
        ("dog/2-b.wav", "dog", "y"),
        *[(f"rain/{n}.wav", "rain", "y") for n in ("1-c", "2-d")],
    ]:
        cells = {
            "path": path,
            "filename": path,
            "file": path,
            "label": label,
            "category": label,
            "class": label,
            "fold": fold,
        }
        lines.append(",".join(cells[name] for name in columns))
    dataset = read(listed(folder, "\n".join([heading, *lines])))
    assert dataset.classes == {"dog": 2, "rain": 2}
    assert dataset.folds == ("x", "y", "y", "y")
    assert all(path.is_file() for path in dataset.paths)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\n", "has no column path"),
        ("path\ndog/1-a.wav\n", "has no column label.*it has: path"),
        ("path,label\ndog/1-a.wav,dog\nnone.wav,dog\n", "none.wav: no such file"),
        ("path,label\ndog/1-a.wav,\n", "line 2 lacks"),
        ("path,label\ndog/1-a.wav,dog\ndog/1-a.wav,dog\n", "listed more than once"),
        ("path,label\ndog/1-a.wav,dog\ndog/2-b.wav,dog\n", "1 of 1 classes have two sounds"),
        (
            "path,label,fold\ndog/1-a.wav,dog,1\ndog/2-b.wav,dog,1\nrain/1-c.wav,r,1\nrain/2-d.wav,r,1\n",
            "all sounds are in one fold",
        ),
    ],
)
def test_what_is_wrong_with_a_csv_file_is_said(folder: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(listed(folder, text))


def test_what_is_wrong_with_a_folder_is_said(folder: Path) -> None:
    with pytest.raises(UsageError, match="neither a folder nor a CSV file"):
        read(folder / "nowhere")
    with pytest.raises(UsageError, match="list.csv: no such file"):
        read(folder / "list.csv")
    soundfile.write(folder / "loose.wav", np.zeros(800), 8000)
    with pytest.raises(UsageError, match=r"loose.wav is in no sub-folder.*1 of 5"):
        read(folder)


def test_a_file_that_is_no_csv_is_named(folder: Path) -> None:
    (folder / "list.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(UsageError, match="is not a CSV file in UTF-8"):
        read(folder / "list.csv")
