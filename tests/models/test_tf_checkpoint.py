from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sonovec.errors import WeightsError
from sonovec.models import tf_checkpoint
from sonovec.models.crc32c import _of_few, crc32c
from tests.golden.make_tf_checkpoint import GOLDEN, variables
from tests.models.tf_files import NUMBERS, bundle

ONE, INDEX, DATA = "v1.ckpt", "v2.ckpt.index", "v2.ckpt.data-00000-of-00001"


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("name", [ONE, INDEX, "v2.ckpt"])
def test_what_tensorflow_wrote_is_read_in_both_formats(name):
    same(tf_checkpoint.read(GOLDEN / name), variables())


def test_tensorflow_is_not_imported():
    code = f"""
import sys
from pathlib import Path
from sonovec.models import tf_checkpoint
tf_checkpoint.read(Path({str(GOLDEN / ONE)!r}))
assert not {{"tensorflow", "torch"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


kinds = st.sampled_from([kind for kind in NUMBERS if kind.kind in "fiu"])


@settings(max_examples=20)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=40),
        kinds.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0))),
        max_size=30,
    ),
    st.booleans(),
)
def test_any_variables_are_read_packed_or_not(values, snappy):
    index, data = bundle(values, snappy)
    same(tf_checkpoint.read_from({".index": index, ".data-00000-of-00001": data}.__getitem__, "made"), values)


@pytest.mark.parametrize("file", [ONE, INDEX, DATA])
@settings(max_examples=40)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_bit_is_found_or_is_nobodys(tmp_path_factory, file, place, bit):
    folder = shutil.copytree(GOLDEN, tmp_path_factory.mktemp("changed") / "copy")
    content = bytearray((folder / file).read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (folder / file).write_bytes(content)
    name = ONE if file == ONE else INDEX
    try:
        found = tf_checkpoint.read(folder / name)
    except WeightsError as error:
        assert "not a whole checkpoint of TensorFlow" in str(error) and "\n" not in str(error)
    else:
        same(found, variables())


@pytest.mark.parametrize("file", [ONE, INDEX, DATA])
@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_a_file_that_is_cut_off_is_refused(tmp_path, file, part):
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content[: int(len(content) * part)])
    with pytest.raises(WeightsError, match=r"v\d\.ckpt.*: not a whole checkpoint of TensorFlow \(.+\); fetch it again"):
        tf_checkpoint.read(tmp_path / (ONE if file == ONE else INDEX))


def test_a_missing_file_is_named(tmp_path):
    shutil.copy(GOLDEN / INDEX, tmp_path)
    with pytest.raises(WeightsError, match=r"v2\.ckpt\.data-00000-of-00001: cannot be read .* needs all of its files"):
        tf_checkpoint.read(tmp_path / INDEX)
    with pytest.raises(WeightsError, match=r"none\.index: cannot be read"):
        tf_checkpoint.read(tmp_path / "none")


@given(st.binary(max_size=300))
def test_the_crc_of_few_bytes_and_many_is_the_same(content):
    many = content * 700
    assert crc32c(many) == _of_few(many, 0xFFFFFFFF) ^ 0xFFFFFFFF


def test_names_and_axes_become_pytorchs():
    kernel = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    state = tf_checkpoint.as_state({"a/b/kernel": kernel, "a/gamma": np.ones(3, np.float32), "d/weights": kernel[0, 0]})
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "a.b.weight": (5, 4, 2, 3),
        "a.weight": (3,),
        "d.weight": (5, 4),
    }
    assert float(state["a.b.weight"][4, 3, 1, 2]) == kernel[1, 2, 3, 4]
