"""A minute of damaged files of every container; `fuzz_decode.py` runs for as long as one likes."""

from __future__ import annotations

import pytest

from tests.audio.fuzz_decode import run


@pytest.mark.slow
def test_damaged_files_are_decoded_or_refused() -> None:
    counts = run(60.0)
    broken = {verdict: count for verdict, count in counts.items() if verdict.startswith("BROKEN")}
    assert not broken, counts
    assert counts["decoded"] > 100 and counts["refused"] > 20, counts
