"""All environment variables are in one page of the docs."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_each_variable_is_documented():
    used = {
        name
        for file in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"SONOVEC_[A-Z_]+", file.read_text("utf-8"))
    }
    documented = set(
        re.findall(r"^\| `(SONOVEC_[A-Z_]+)`", (ROOT / "docs" / "environment.md").read_text("utf-8"), re.M)
    )
    assert used and used | {"SONOVEC_DATA"} == documented
