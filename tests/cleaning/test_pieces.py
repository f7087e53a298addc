"""Pieces of one length, however a stream comes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonovec.cleaning.pieces import Pieces


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 20))
def test_pieces_are_those_of_the_whole(sizes: list[int], length: int) -> None:
    whole = np.arange(sum(sizes), dtype=np.float32)
    given_blocks = np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []
    pieces = Pieces(length)
    found = [piece.tolist() for block in given_blocks for piece in pieces.push(block)]
    found += [piece.tolist() for piece in pieces.finish()]
    assert found == [whole[start : start + length].tolist() for start in range(0, len(whole), length)]
