"""A head that is fitted while a person waits: logistic regression with one fixed setting, a class against the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonovec.learn.head import Head
from sonovec.learn.targets import HEARD, NOT_HEARD

#: Inverse strength of the L2 penalty, where the numbers of vectors have mean 0 and deviation 1 over all of them.
C = 0.3
STEPS = 200


def fit(
    vectors: NDArray[np.float32], targets: NDArray[np.int8], weights: NDArray[np.float32], usual: NDArray[np.float32]
) -> Head:
    """Fit a head; a class without any example or any counter-example has probability one half everywhere.

    Parameters
    ----------
    vectors : array, shape (n, dim)
        At length 1.
    targets : array, shape (n, n_classes)
        1, 0, or another number where nobody knows.
    weights : array, shape (n,)
    usual : array, shape (m, dim)
        Vectors that say where the middle is, and how far others lie from it.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    center = usual.mean(axis=0)
    deviation = float(np.sqrt(np.mean((usual - center) ** 2))) or 1.0
    seen = (vectors - center) / np.float32(deviation)
    n_classes, dim = targets.shape[1], vectors.shape[1]
    made, bias = np.zeros((n_classes, dim), np.float32), np.zeros(n_classes, np.float32)
    with threadpool_limits(1):  # so that the same answers give the same bits on every machine of a kind
        for column, target in enumerate(targets.T):
            known = np.isin(target, (HEARD, NOT_HEARD))
            if len(np.unique(target[known])) < 2:
                continue
            classifier = LogisticRegression(C=C, max_iter=STEPS)
            classifier.fit(seen[known], target[known], sample_weight=weights[known])
            made[column], bias[column] = classifier.coef_[0], classifier.intercept_[0]
    one = np.ones(n_classes, np.float32)
    return Head(center, np.full(dim, deviation, np.float32), made, bias, one, 0 * one)
