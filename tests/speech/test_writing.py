"""Transcripts as files, in the formats that other programs read."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.speech.transcript import Segment, Transcript, Word
from sonovec.speech.writing import FORMATS, format_of, text_of, write

TALK = Transcript(
    [
        Segment.of([Word(0.5, 1.0, "Say", 0.9), Word(1.0, 1.5, '"a<b"', 0.8)], 'Say "a<b"', "en"),
        Segment.of([Word(3661.0, 3662.25, "So\tlong.", 0.7)], "So\tlong.", "en"),
    ],
    duration=3700.0,
    language="en",
    model="tiny.en@1",
)


def test_each_format_is_what_it_is():
    assert text_of(TALK, "txt") == 'Say "a<b"\nSo long.\n'
    assert text_of(TALK, "srt").splitlines()[4:7] == ["2", "01:01:01,000 --> 01:01:02,250", "So long."]
    assert text_of(TALK, "vtt").startswith('WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nSay "a&lt;b"\n\n')
    assert text_of(TALK, "tsv") == 'start\tend\ttext\n500\t1500\tSay "a<b"\n3661000\t3662250\tSo long.\n'
    record = json.loads(text_of(TALK, "json"))
    assert record["segments"][0]["words"][1] == {"start": 1.0, "end": 1.5, "text": '"a<b"', "confidence": 0.8}


def intervals(text, tier):
    part = text.split(f'name = "{tier}"')[1].split("item [")[0]
    found = re.findall(r'xmin = ([\d.]+)\n\s+xmax = ([\d.]+)\n\s+text = "(.*)"\n', part)
    assert f"intervals: size = {len(found)}\n" in part
    return [(float(start), float(end), label.replace('""', '"')) for start, end, label in found]


@given(st.lists(st.floats(0.01, 5), max_size=12), st.floats(0, 3))
def test_tiers_of_a_textgrid_have_no_gaps(steps, rest):
    places = [sum(steps[: i + 1]) for i in range(len(steps))]
    words = [Word(a, b, f'w"{i}', 1.0) for i, (a, b) in enumerate(zip(places[::2], places[1::2], strict=False))]
    talk = Transcript([Segment.of([word]) for word in words], duration=(places or [0.0])[-1] + rest + 0.01)
    for tier in ("segments", "words"):
        found = intervals(text_of(talk, "TextGrid"), tier)
        assert [label for _, _, label in found if label] == [word.text for word in words]
        assert found[0][0] == 0 and found[-1][1] == pytest.approx(talk.duration, abs=1e-5)
        assert all(one[1] == other[0] for one, other in itertools.pairwise(found))


@pytest.mark.parametrize("format", FORMATS)
def test_a_transcript_without_speech_is_a_file_too(tmp_path, format):
    target = tmp_path / f"none.{format}"
    write(target, Transcript([], 2.0))
    assert "-->" not in target.read_text("utf-8")


def test_an_ending_that_is_unknown_is_told():
    with pytest.raises(UsageError, match=r"a\.doc: give a name with one of these endings: \.txt"):
        format_of(Path("a.doc"))
