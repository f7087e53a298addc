"""Sentences, pauses, music and noise as one sound: each word is there once, where it was laid; see bench/transcribe.py."""

from __future__ import annotations

import csv
import re
from itertools import pairwise

import numpy as np
import pytest

from sonovec.audio.stream import load
from sonovec.speech.loading import load as load_recogniser
from sonovec.speech.recogniser import RATE
from sonovec.speech.transcribing import transcribe


def plain(text):
    return re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split()


@pytest.mark.slow
def test_sentences_are_heard_once_and_where_they_were_laid(shared_data, tiny_en):
    jiwer = pytest.importorskip("jiwer")
    with (shared_data / "train" / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == "kathleen" and row["transcript"]][5::160]
    draw = np.random.default_rng(0)
    music = load(next((shared_data / "music").glob("*waltz*.ogg")), RATE, end=12).samples
    parts, starts, at = [], [], 0
    for number, row in enumerate(rows):
        speech = load(shared_data / "train" / row["path"], RATE).samples
        starts.append((at + int(np.argmax(np.abs(speech) > 0.05 * np.abs(speech).max()))) / RATE)
        noise = 0.02 * draw.standard_normal(3 * RATE)
        parts += [speech, (np.zeros(RATE), music, noise)[number % 3].astype(np.float32)]
        at += len(parts[-2]) + len(parts[-1])
    (found,) = transcribe([(np.concatenate(parts), RATE)], load_recogniser(str(tiny_en)))
    said = " ".join(" ".join(plain(row["transcript"])) for row in rows)
    assert jiwer.wer(said, " ".join(plain(found.text))) < 0.15
    words = found.words
    assert all(word.start < word.end for word in words)
    assert all(one.end <= other.start for one, other in pairwise(words))
    off = [min(abs(word.start - start) for word in words) for start in starts]
    assert np.median(off) < 0.1
