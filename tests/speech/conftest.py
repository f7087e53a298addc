"""What tests of speech share: a CTC model that is converted once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models import tiny


@pytest.fixture(scope="session")
def ctc_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small wav2vec 2.0 with random weights that writes, as `save_pretrained` lays it down."""
    return tiny.ctc("wav2vec2-group", tmp_path_factory.mktemp("tiny-ctc"))
