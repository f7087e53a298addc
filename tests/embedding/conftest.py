from __future__ import annotations

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Files of many lengths, rates and formats, the odd ones of the HEAR validator among them."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(7)
    paths = []
    for index, seconds in enumerate([1.07, 1.98, 4.0, 0.01, 9.3, 0.5, 3.2, 2.0]):
        rate = (8000, 16000, 22050, 44100)[index % 4]
        samples = rng.standard_normal((int(seconds * rate), 1 + index % 2)).astype(np.float32) / 8
        path = folder / f"{index}.{('wav', 'flac', 'ogg')[index % 3]}"
        soundfile.write(path, samples, rate)
        paths.append(path)
    return paths
