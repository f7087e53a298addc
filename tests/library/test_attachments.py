"""What a library keeps beside its tables: whole or not at all, in each kind of store."""

from __future__ import annotations

import numpy as np
import pytest

import sonovec
from sonovec.errors import LibraryError, UsageError
from tests.explore import made


def test_bytes_are_kept_under_their_names_and_replaced_and_forgotten(local_location):
    library = made.make(local_location, made.groups(3)[0])
    large = np.random.default_rng(0).bytes(200_000)
    assert library.attachments() == [] and library.attachment("a") is None
    library.attach("a", b"")
    library.attach("map-b.npz", large)
    library.attach("a", b"other")
    columns = [*library.columns()]
    library.close()
    again = sonovec.Library(local_location)
    assert again.attachments() == ["a", "map-b.npz"]
    assert again.attachment("a") == b"other" and again.attachment("map-b.npz") == large
    again.attach("map-b.npz", large[:70_000])
    assert again.attachment("map-b.npz") == large[:70_000]
    again.attach("map-b.npz", None)
    again.attach("never", None)
    assert again.attachments() == ["a"] and again.attachment("map-b.npz") is None
    assert len(again) == 3 and [*again.columns()] == columns and [*again.spaces()] == ["main"]
    again.close()


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "a b"])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    library = made.make(tmp_path / "library", made.groups(2)[0])
    with pytest.raises(UsageError, match="give letters, digits"):
        library.attach(name, b"x")


def test_where_no_library_is_nothing_is_kept(tmp_path):
    with pytest.raises(LibraryError, match="no library here"):
        sonovec.Library(tmp_path / "none").attach("a", b"x")
    assert not (tmp_path / "none").exists()
