from __future__ import annotations

import pytest

from sonovec.errors import UsageError
from sonovec.music.keys import parse
from sonovec.music.settled import settled_key, settled_tempo

BOTH = {"tempo": 87.0, "file_tempo": 174.0, "key": "C major", "file_key": "Am"}


@pytest.mark.parametrize(("prefer", "tempo", "key"), [("heard", 87.0, "C major"), ("file", 174.0, "A minor")])
def test_who_wins(prefer, tempo, key):
    assert settled_tempo(BOTH, prefer) == tempo and settled_key(BOTH, prefer) == parse(key)


@pytest.mark.parametrize("prefer", ["heard", "file"])
@pytest.mark.parametrize("lacking", [("tempo", "key"), ("file_tempo", "file_key")])
def test_the_other_counts_where_one_is_missing(prefer, lacking):
    for fields in ({**BOTH, **dict.fromkeys(lacking)}, {n: v for n, v in BOTH.items() if n not in lacking}):
        assert settled_tempo(fields, prefer) is not None and settled_key(fields, prefer) is not None


def test_what_is_no_tempo_and_no_key_counts_as_missing():
    fields = {"file_tempo": 0.0, "file_key": "off key", "tempo": None, "key": None}
    assert settled_tempo(fields, "file") is None and settled_key(fields, "file") is None
    assert settled_tempo({}) is None and settled_key({}) is None


@pytest.mark.parametrize("settled", [settled_tempo, settled_key])
def test_another_preference(settled):
    with pytest.raises(UsageError, match=r"prefer='ours': give one of 'heard', 'file'"):
        settled(BOTH, "ours")
