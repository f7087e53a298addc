"""Make the small TensorFlow SavedModel of the tests of networks of one's own (needs tensorflow): python make_saved_model.py.

It takes half a second at 16 kHz and gives 8 numbers: a fixed random projection, and its hyperbolic tangent as "scores".
"""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).with_name("saved_model")
LENGTH, DIM = 8000, 8


def projection() -> np.ndarray:
    return (np.random.default_rng(7).standard_normal((LENGTH // 100, DIM)) / 10).astype(np.float32)


def expected(samples: np.ndarray) -> np.ndarray:
    return np.abs(samples.reshape(len(samples), -1, 100)).mean(axis=2) @ projection()


if __name__ == "__main__":
    import tensorflow as tf

    class Network(tf.Module):
        def __init__(self) -> None:
            self.weights = tf.Variable(projection())

        @tf.function(input_signature=[tf.TensorSpec([None, LENGTH], tf.float32, name="samples")])
        def __call__(self, samples):
            loudness = tf.reduce_mean(tf.abs(tf.reshape(samples, [-1, LENGTH // 100, 100])), axis=2)
            return {"embedding": tf.matmul(loudness, self.weights)}

    network = Network()
    tf.saved_model.save(network, str(FOLDER), signatures={"serving_default": network.__call__})
