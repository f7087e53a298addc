"""The promises of the design, as tests assert them."""

from __future__ import annotations

import numpy as np

#: Lowest cosine of one row's vectors in two compiled shapes.
COSINE = {"f32": 0.999999, "bf16": 0.99995}


#: What the card of every model with weights to fetch says.
CARD = ("trained_on", "reference", "front_end", "summary", "weights", "extras")


def assert_card_is_complete(card, *also):
    """The card says what each must say, and `also` these."""
    for field in (*CARD, *also):
        assert getattr(card, field), field


def assert_same_vectors(found, expected, precision="f32"):
    """Promise 1 where the compiled shapes may differ: one sound embedded alone, and the same one of many."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    found, expected = (np.atleast_2d(rows).reshape(-1, found.shape[-1]) for rows in (found, expected))
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    same = (found == expected).all(axis=1)
    cosines = np.where(same, 1, (found * expected).sum(axis=1) / np.where(norms == 0, 1, norms))
    assert cosines.min(initial=1) > COSINE[precision.split("-")[0]]
    lengths = np.linalg.norm(found, axis=1) / np.where(
        same, np.linalg.norm(found, axis=1), np.linalg.norm(expected, axis=1)
    )
    np.testing.assert_allclose(lengths[norms > 0], 1, rtol=1e-3 if precision == "f32" else 1e-2)
