from __future__ import annotations

import io

import numpy as np
import pytest

from sonovec.png import colours, heat_map


@pytest.mark.parametrize("shape", [(1, 1), (1, 600), (64, 3), (128, 601)])
def test_a_reader_of_pictures_reads_back_each_level(shape):
    image = pytest.importorskip("matplotlib.image")
    values = np.random.default_rng(0).random(shape)
    read = image.imread(io.BytesIO(heat_map(values)))
    expected = colours()[np.round(255 * values).astype(int)]
    np.testing.assert_array_equal(np.round(255 * read[..., :3]).astype(int), expected)


def test_what_lies_outside_and_what_is_no_number_has_a_colour():
    assert heat_map(np.array([[-3.0, 7.0, np.nan]])) == heat_map(np.array([[0.0, 1.0, 0.0]]))


def test_lighter_is_more():
    light = colours().astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(light) >= -1e-6).all() and light[-1] - light[0] > 200
