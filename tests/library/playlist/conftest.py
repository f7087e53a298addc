from __future__ import annotations

import pytest

import sonovec
from tests.library.playlist import made


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("playlists")
    made.write(folder)
    with sonovec.Library(folder / "plain", model="logmel") as plain:  # without the table
        plain.add([folder / "sounds" / f"{number:02}.wav" for number in range(6)])
    return folder


@pytest.fixture(scope="session")
def library(folder):
    with sonovec.Library(folder / "library") as opened:
        yield opened
