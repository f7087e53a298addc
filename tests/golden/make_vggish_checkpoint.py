"""Write the random weights of make_vggish.py as Google publishes its own: a checkpoint of TensorFlow's first format.

    pip install tensorflow
    python tests/golden/make_vggish_checkpoint.py vggish_model.ckpt

The tests run it: at 275 MiB the file is too large to keep.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from make_vggish import weights

#: Layers of the PyTorch port, and what Google's `vggish_slim.py` calls them.
SCOPES = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3/conv3_1",
    "features.8": "conv3/conv3_2",
    "features.11": "conv4/conv4_1",
    "features.13": "conv4/conv4_2",
    "embeddings.0": "fc1/fc1_1",
    "embeddings.2": "fc1/fc1_2",
    "embeddings.4": "fc2",
}


def variables() -> dict[str, np.ndarray]:
    """Google's names, and TensorFlow's order of axes."""
    state = weights()
    made = {}
    for layer, scope in SCOPES.items():
        weight = state[f"{layer}.weight"]
        made[f"vggish/{scope}/weights"] = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
        made[f"vggish/{scope}/biases"] = state[f"{layer}.bias"]
    return made


def main() -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        made, fed = {}, {}
        for name, array in variables().items():
            value = v1.placeholder(tf.float32, array.shape)
            made[name] = v1.get_variable(name, initializer=value)
            fed[value] = np.ascontiguousarray(array)
        session.run(v1.global_variables_initializer(), fed)
        v1.train.Saver(made, write_version=1).save(session, sys.argv[1], write_meta_graph=False, write_state=False)


if __name__ == "__main__":
    main()
