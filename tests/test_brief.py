from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

import sonovec
from sonovec.brief import Brief, short, shortened
from sonovec.embedding.embedding import Part
from sonovec.library.records import LibraryConfig, Segment, Space

VECTOR = np.arange(512, dtype=np.float32)


@dataclass(repr=False)
class Record(Brief):
    name: str
    array: np.ndarray
    hidden: int = field(default=1, repr=False)


def test_an_array_is_told_by_its_shape_and_a_long_text_by_its_ends():
    assert repr(Record("a" * 500, VECTOR)) == f"Record(name='{'a' * 27}...{'a' * 28}', array=<float32 (512,)>)"


@pytest.mark.parametrize("length", [0, 9, 10, 11, 500])
def test_a_shortened_text_is_never_longer(length):
    text = "".join(chr(97 + n % 26) for n in range(length))
    found = shortened(text, 10)
    assert len(found) <= 10 and (found == text) == (length <= 10)
    assert found[:3] == text[:3] and found[-3:] == text[-3:]


def test_a_value_is_one_line():
    assert (
        "\n" not in short("two\nlines")
        and "\n" not in short(np.zeros((40, 40)))
        and "\n" not in short([VECTOR, VECTOR])
    )


@pytest.mark.parametrize(
    "record",
    [
        Part(0.0, 1.0, 1.0, VECTOR),
        Segment(0, 0.0, 1.0, 1.0, VECTOR),
        sonovec.Waveform(np.zeros(160_000, np.float32), 16_000),
        Space("main", 512, {"front_end": "x" * 1000}, 10.0, "m"),
        LibraryConfig(512, {"front_end": "x" * 1000}, 10.0, "m"),
        sonovec.Report(failures=[("a" * 100, "b" * 100)] * 1000),
    ],
    ids=lambda record: type(record).__name__,
)
def test_records_are_short_at_a_prompt(record):
    assert len(repr(record)) < 700 and repr(record).startswith(f"{type(record).__name__}(")
