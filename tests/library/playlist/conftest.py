from __future__ import annotations

import pytest

from tests.library.playlist import made


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("playlists")
    made.write(folder)
    return folder


@pytest.fixture
def library(folder):
    import sonovec

    with sonovec.Library(folder / "library") as opened:
        yield opened
