"""sonovec transcribe, with real weights of Whisper; what needs no model is checked before one is loaded."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec.audio.stream import load
from sonovec.cli.main import run

RATE = 16_000


class Piped(io.TextIOWrapper):
    """What stands for the standard input of a process."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))


@pytest.fixture(scope="module")
def folder(shared_data, tmp_path_factory):
    """Two recordings with the same name in two folders, one without speech, and one that is damaged."""
    place = tmp_path_factory.mktemp("recordings")
    speech = load(shared_data / "music" / "198-209-0000.ogg", RATE).samples
    for name, samples in (
        ("a/talk", speech[: 3 * RATE]),
        ("b/talk", speech[6 * RATE : 9 * RATE]),
        ("b/none", np.zeros(RATE)),
    ):
        file = place / f"{name}.wav"
        file.parent.mkdir(exist_ok=True)
        soundfile.write(file, samples, RATE)
    (place / "b" / "bad.wav").write_bytes((place / "a" / "talk.wav").read_bytes()[:30])
    return place


@pytest.mark.slow
def test_a_folder_is_written_once_and_what_is_missing_later(folder, tiny_en, tmp_path, capsys):
    out = tmp_path / "texts"
    command = ["transcribe", str(folder), "-m", str(tiny_en), "--out-folder", str(out), "--format", "srt", "--json"]
    assert run(command) == 1
    first = json.loads(capsys.readouterr().out)
    assert [Path(each["path"]).name for each in first["failures"]] == ["bad.wav"]
    assert len(first["sounds"]) == 3 and first["kept"] == []
    assert "Allen" in (out / "a" / "talk.srt").read_text("utf-8")
    assert (out / "b" / "none.srt").read_text("utf-8") == ""

    (out / "b" / "talk.srt").unlink()
    with (out / ".sonovec-transcripts.jsonl").open("a") as record:
        record.write('{"file": "b/no')  # as a run leaves it that was killed
    assert run(command) == 1
    second = json.loads(capsys.readouterr().out)
    assert [Path(each["path"]).parent.name for each in second["sounds"]] == ["b"]
    assert len(second["kept"]) == 2
    assert second["sounds"][0]["segments"] == next(
        each["segments"] for each in first["sounds"] if each["path"] == second["sounds"][0]["path"]
    )

    assert run([*command, "--hot-word", "Tilney"]) == 1  # other settings: all anew
    assert json.loads(capsys.readouterr().out)["kept"] == []


@pytest.mark.slow
def test_a_stream_is_printed_turn_by_turn(folder, tiny_en, tmp_path, monkeypatch, capsys):
    samples, _ = soundfile.read(folder / "a" / "talk.wav", dtype="int16")
    content = np.concatenate([samples, np.zeros(2 * RATE, np.int16), samples]).tobytes()
    monkeypatch.setattr(sys, "stdin", Piped(content))
    target = tmp_path / "talk.tsv"
    assert run(["transcribe", "-", "--rate", str(RATE), "-m", str(tiny_en), "-o", str(target), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) >= 2 and rows[-1]["start"] > 5
    assert all(row["words"] for row in rows)
    assert len(target.read_text("utf-8").splitlines()) == len(rows) + 1


@pytest.mark.slow
def test_one_file_in_several_formats(folder, tiny_en, tmp_path, capsys):
    targets = [tmp_path / f"talk.{ending}" for ending in ("txt", "TextGrid", "vtt", "json")]
    outs = [part for target in targets for part in ("-o", str(target))]
    assert run(["transcribe", str(folder / "a"), "-m", str(tiny_en), "--beam", "2", *outs]) == 0
    assert "Allen" in capsys.readouterr().out
    assert all("Allen" in target.read_text("utf-8") for target in targets)
    assert run(["transcribe", str(folder / "a"), "-m", str(tiny_en), "--align", "Mrs Allen"]) == 2
    assert "needs a CTC model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.doc"], "give a name with one of these endings"),
        (["-o", "a.txt"], "-o is of one sound, and there are "),
        (["--align", "text"], "--align is of one sound"),
        (["--format", "srt"], "add --out-folder"),
        (["--rate", "8000"], "give - in place of files"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_model_is_loaded(
    folder, arguments, message, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert run(["transcribe", str(folder), "-m", "tiny.en", *arguments]) == 2
    assert message in capsys.readouterr().err
