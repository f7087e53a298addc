"""The stores of tests/library, for what is above them."""

from __future__ import annotations

from tests.library.conftest import milvus_location, milvus_server

__all__ = ["milvus_location", "milvus_server"]
