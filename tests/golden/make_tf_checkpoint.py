"""Write tf_checkpoint/: the same variables in both formats of TensorFlow 1, and as NumPy's arrays.

pip install tensorflow
python tests/golden/make_tf_checkpoint.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("tf_checkpoint")


def variables() -> dict[str, np.ndarray]:
    """Names with and without a scope, all types that are read, enough of them for several blocks."""
    rng = np.random.default_rng(0)
    return {
        "conv/kernel": rng.standard_normal((3, 2, 4, 5)).astype(np.float32),
        "conv/bias": np.arange(5, dtype=np.float32),
        "beta1_power": np.float32(0.9),
        "double": rng.standard_normal(30),
        "int32": np.arange(-3, 9, dtype=np.int32),
        "int64": np.array([-(2**40), 0, 2**62]),
        "uint8": np.arange(250, 256, dtype=np.uint8),
        "int8": np.arange(-2, 3, dtype=np.int8),
        "bool": np.array([True, False, True]),
        **{f"{'long_' * 12}name/{i}": rng.standard_normal((7, 9)).astype(np.float32) for i in range(60)},
    }


def main() -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    GOLDEN.mkdir(exist_ok=True)
    with tf.Graph().as_default(), v1.Session() as session:
        made = {name: v1.get_variable(name, initializer=tf.constant(array)) for name, array in variables().items()}
        session.run(v1.global_variables_initializer())
        for version in (1, 2):
            saver = v1.train.Saver(made, write_version=version)
            saver.save(session, str(GOLDEN / f"v{version}.ckpt"), write_meta_graph=False, write_state=False)
    print(*(f"{path.name} {path.stat().st_size}" for path in sorted(GOLDEN.iterdir())))


if __name__ == "__main__":
    main()
