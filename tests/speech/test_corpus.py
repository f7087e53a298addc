"""Transcripts are found in the layouts that people have them in; what is missing is counted, and nothing is lost."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from sonovec.errors import UsageError
from sonovec.speech.corpus import read


@pytest.fixture
def folder(tmp_path):
    """Three recordings."""
    for name in ("a.wav", "b.wav", "sub/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.zeros(160, np.float32), 16000)
    return tmp_path


def told(corpus):
    """Names, texts and groups."""
    return [(each.path.rpartition("/")[2], each.text, each.group.rpartition("/")[2]) for each in corpus.utterances]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "path,text,speaker\na.wav,One  two,ann\nsub/c.wav,three,bob\n"),
        ("t.csv", "file;transcript;client_id\na.wav;One two;ann\nsub/c.wav;three;bob\n"),
        ("t.tsv", "client_id\tpath\tsentence\tup_votes\nann\ta.wav\tOne two\t2\nbob\tsub/c.wav\tthree\t1\n"),
        (
            "t.jsonl",
            '{"audio_filepath": "a.wav", "text": "One two", "speaker": "ann", "duration": 0.01}\n\n'
            '{"audio_filepath": "sub/c.wav", "text": "three", "speaker": "bob"}\n',
        ),
    ],
)
def test_tables_are_read_under_the_usual_names(folder, name, content):
    (folder / name).write_text(content, "utf-8")
    expected = [("a.wav", "One two", "ann"), ("c.wav", "three", "bob")]
    for source in (folder / name, folder):  # the one table of a folder serves, too
        corpus = read(source)
        assert told(corpus) == expected and not corpus.notes
    assert corpus.utterances[0].end is None


def test_common_voice_keeps_its_recordings_in_clips(folder):
    (folder / "clips").mkdir()
    (folder / "a.wav").rename(folder / "clips" / "a.wav")
    (folder / "train.tsv").write_text('client_id\tpath\tsentence\nx1\ta\t"Hej" där\n', "utf-8")
    assert told(read(folder / "train.tsv")) == [("a.wav", '"Hej" där', "x1")]


def test_stretches_of_a_recording_stay_together(folder):
    (folder / "t.csv").write_text("path,start,end,text\na.wav,0,0.005,one\na.wav,0.005,0.01,two\n", "utf-8")
    corpus = read(folder / "t.csv")
    assert [(each.start, each.end) for each in corpus.utterances] == [(0.0, 0.005), (0.005, 0.01)]
    assert len({each.group for each in corpus.utterances}) == 1
    (folder / "t.csv").write_text("path,offset,duration,text\na.wav,0.005,0.003,one\n", "utf-8")
    assert read(folder / "t.csv").utterances[0].end == pytest.approx(0.008)


def test_librispeech(folder):
    place = folder / "84" / "121123"
    place.mkdir(parents=True)
    for number in range(2):
        soundfile.write(place / f"84-121123-000{number}.flac", np.zeros(160, np.float32), 16000)
    (place / "84-121123.trans.txt").write_text("84-121123-0000 GO DO\n84-121123-0001 HERE\n84-121123-0002 GONE\n")
    corpus = read(folder)
    assert told(corpus) == [("84-121123-0000.flac", "GO DO", "84"), ("84-121123-0001.flac", "HERE", "84")]
    assert corpus.notes == (f"1 recording not there, left out ({place}/84-121123-0002.flac)",)
    assert told(read(place / "84-121123.trans.txt")) == told(corpus)


def test_a_text_beside_each_recording_in_any_encoding(folder):
    (folder / "a.txt").write_bytes("Krähe".encode("cp1252"))
    (folder / "sub" / "c.txt").write_bytes("grün\n".encode("utf-16"))
    corpus = read(folder)
    assert told(corpus) == [("a.wav", "Krähe", "a.wav"), ("c.wav", "grün", "c.wav")]
    assert corpus.notes[0] == "1 recording without a text file beside, left out"
    assert "Windows-1252" in corpus.notes[1]


def test_digits_by_their_names(shared_data):
    corpus = read(shared_data / "fsdd")
    assert len(corpus) == 3000 and not corpus.notes
    assert {each.text for each in corpus.utterances} == {
        *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    }
    assert {each.group for each in corpus.utterances} == {"george", "jackson", "lucas", "nicolas", "theo", "yweweler"}
    by_index = corpus.grouped(r"_(\d+)\.flac$")
    assert len({each.group for each in by_index.utterances}) == 50


def test_what_is_missing_is_counted(folder):
    (folder / "t.csv").write_text("path,text\na.wav,one\nb.wav, \ngone.wav,two\na.wav,one more\n,three\n", "utf-8")
    corpus = read(folder / "t.csv")
    assert told(corpus) == [("a.wav", "one", "a.wav"), ("a.wav", "one more", "a.wav")]
    empty, missing, twice = corpus.notes
    assert empty == f"1 transcript empty, left out ({folder}/t.csv, line 3)"
    assert missing == f"2 recordings not there, left out ({folder}/gone.wav, {folder}/t.csv, line 6)"
    assert twice == f"1 recording with several transcripts ({folder}/a.wav)"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "path,words_\na.wav,one\n", "has no column of texts, such as 'text'; it has: path, words_"),
        ("t.csv", "", "has no column of paths, such as 'path'; it has: none"),
        ("t.csv", "path,text\ngone.wav,one\n", "nothing to hear and read: 1 recording not there"),
        ("t.csv", "path,text,start\na.wav,one,soon\n", r"line 2: start='soon' is not a number"),
        ("t.jsonl", '{"path": "a.wav"\n', "t.jsonl, line 1: is no JSON"),
        ("t.jsonl", '["a.wav"]\n', "t.jsonl, line 1: holds no object"),
        ("t.xml", "<a/>", r"give a table \(.csv, .tsv, .jsonl, .ndjson\)"),
    ],
)
def test_what_cannot_be_read_is_told(folder, name, content, message):
    (folder / name).write_text(content, "utf-8")
    with pytest.raises(UsageError, match=message):
        read(folder / name)


def test_a_folder_without_transcripts_says_what_to_do(folder):
    with pytest.raises(UsageError, match=r"has 3 recordings and no transcripts; put a\.txt beside a\.wav"):
        read(folder)
    with pytest.raises(UsageError, match="is not there"):
        read(folder / "nowhere")
    for name in ("t.csv", "u.jsonl"):
        (folder / name).write_text(json.dumps({}), "utf-8")
    with pytest.raises(UsageError, match="has 2 tables; give one of them"):
        read(folder)
