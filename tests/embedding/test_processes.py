"""Encoders in other processes, and processes that end: forks, pools, pickles, copies, and an exit in the middle of a run."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.embedding.encoder import Encoder
from sonovec.errors import UsageError, WeightsError
from tests.models import tiny
from tests.models.test_custom import onnx_file, write

RATE = 16000
X = (np.random.default_rng(0).standard_normal(3 * RATE) / 10).astype(np.float32)
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

#: What the scripts below begin with: an encoder that was used, and its vector.
BEGIN = f"""
import gc, os, sys, threading
import numpy as np
import sonovec
X = (np.random.default_rng(0).standard_normal({3 * RATE}) / 10).astype(np.float32)
sound = (X, {RATE})
encoder = sonovec.load(sys.argv[1])
expected = encoder.embed(sound).vector
[one_of_many] = [result.vector for result in encoder.embed_many([sound])]  # in the shape of full batches
"""


def script(code: str, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own; it must end by itself."""
    command = [sys.executable, "-c", BEGIN + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds)


@pytest.fixture(scope="module")
def of_any_length(tmp_path_factory):
    """A small Transformer, whose rows run at their own length."""
    return tiny.waveform("wav2vec2-group", tmp_path_factory.mktemp("tiny"))


# -- forks


@pytest.mark.slow
@forks
@pytest.mark.parametrize(("name", "times"), [("sonovec-1", 20), ("logmel", 20), ("any length", 5)])
def test_a_forked_child_gives_the_same_vectors_and_ends(name, times, of_any_length):
    """Many times, for what goes wrong in native code goes wrong now and then."""
    code = """
for times in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        same = [np.array_equal(result.vector, one_of_many) for result in encoder.embed_many([sound] * 3)]
        sys.exit(7 if all(same) else 1)  # through the end of the interpreter, which multiprocessing goes round
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7, times
assert np.array_equal(encoder.embed(sound).vector, expected)
print("fine")
"""
    run = script(code, of_any_length if name == "any length" else name, str(times))
    assert (run.stdout, run.stderr, run.returncode) == ("fine\n", "", 0)


@pytest.mark.slow
@forks
def test_a_child_does_not_wait_for_threads_of_networks_that_were_freed_before_the_fork():
    code = """
more = [sonovec.load("sonovec-1") for _ in range(3)]
for other in more:
    other.embed(sound)
del more, other
gc.collect()
for generation in range(3):
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert np.array_equal(encoder.embed(sound).vector, expected)
        break
    for _ in range(3):
        assert np.array_equal(sonovec.load("sonovec-1").embed(sound).vector, expected)
    assert np.array_equal(encoder.embed(sound).vector, expected)
"""
    run = script(code, "sonovec-1")
    assert (run.stderr, run.returncode) == ("", 0)


@pytest.mark.slow
@forks
def test_a_child_goes_on_where_threads_that_stayed_with_the_parent_are_taken_for_idle():
    """As happens where a network is freed a moment before the fork; forced here by not taking its threads before it."""
    code = """
from sonovec.runtime import openvino_core
openvino_core._EXECUTORS.before_fork = lambda: None
streams = max(openvino_core._EXECUTORS._most)
kept = [openvino_core.requests(openvino_core._tiny(), streams, {}) for _ in range(2)]
del kept
gc.collect()
child = os.fork()
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert np.array_equal(encoder.embed(sound).vector, expected)
else:
    assert np.array_equal(encoder.embed(sound).vector, expected)
    sys.exit(7)
"""
    run = script(code, "sonovec-1")
    assert (run.stderr, run.returncode) == ("", 0)


@pytest.mark.slow
@forks
@pytest.mark.parametrize(("name", "times"), [("sonovec-1", 10), ("any length", 3)])
def test_a_child_that_is_forked_while_the_network_runs(name, times, of_any_length):
    code = """
stop = threading.Event()
def busy():
    while not stop.is_set():
        for result in encoder.embed_many([sound] * 20):
            assert np.array_equal(result.vector, one_of_many)
threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads:
    thread.start()
for times in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        os._exit(7 if np.array_equal(encoder.embed(sound).vector, expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7, times
stop.set()
for thread in threads:
    thread.join()
print("fine")
"""
    run = script(code, of_any_length if name == "any length" else name, str(times))
    assert (run.stdout, run.stderr, run.returncode) == ("fine\n", "", 0)


@pytest.mark.slow
@forks
def test_a_run_that_is_inherited_says_so_and_the_encoder_goes_on():
    code = """
results = encoder.embed_many([sound] * 200)
next(results)
child = os.fork()
if not child:
    try:
        next(results)
    except sonovec.SonovecError as error:
        print(error)
    assert np.array_equal(encoder.embed(sound).vector, expected)
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert len(list(results)) == 199
"""
    run = script(code, "sonovec-1")
    assert run.stderr == "" and run.returncode == 0
    assert run.stdout.startswith("this process was forked while sounds were embedded; call embed or embed_many again")
    assert len(run.stdout.splitlines()) == 1


@pytest.mark.slow
@forks
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes(method, tmp_path):
    encoder = sonovec.load("sonovec-1")
    paths = [tmp_path / f"{i}.wav" for i in range(6)]
    for i, path in enumerate(paths):
        soundfile.write(path, np.roll(X, i), RATE, subtype="FLOAT")
    expected = [encoder.embed(path).vector for path in paths]
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.map(encoder.embed, paths, chunksize=1)
    for e, vector in zip(found, expected, strict=True):
        np.testing.assert_array_equal(e.vector, vector)
        assert e.passport == encoder.passport


@pytest.mark.slow
@forks
@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_joblib(backend):
    joblib = pytest.importorskip("joblib")
    encoder = sonovec.load("sonovec-1")
    expected = encoder.embed((X, RATE)).vector
    tasks = [joblib.delayed(encoder.embed)((X, RATE)) for _ in range(4)]
    for found in joblib.Parallel(2, backend=backend)(tasks):
        np.testing.assert_array_equal(found.vector, expected)


@pytest.mark.slow
@forks
def test_a_data_loader_of_pytorch():
    code = """
import torch
class Vectors(torch.utils.data.Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, i):
        return encoder.embed(sound).vector
for batch in torch.utils.data.DataLoader(Vectors(), batch_size=2, num_workers=2, multiprocessing_context="fork"):
    assert all(np.array_equal(row, expected) for row in batch.numpy())
print("fine")
"""
    run = script(code, "sonovec-1")
    assert (run.stdout, run.returncode) == ("fine\n", 0), run.stderr


@pytest.mark.slow
@forks
def test_pytorchs_own_network_is_refused_in_a_child():
    code = """
import torch
from sonovec.graph import Graph
from sonovec.runtime.torch_runtime import TorchNetwork
network = TorchNetwork(Graph("test-forked-torch", (8,), lambda: torch.nn.Linear(8, 4).eval()), "f32", "cpu")
network.run(np.zeros((2, 8), np.float32))
child = os.fork()
if not child:
    try:
        network.run(np.zeros((2, 8), np.float32))
    except sonovec.SonovecError as error:
        print(error)
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
network.run(np.zeros((2, 8), np.float32))
"""
    run = script(code, "logmel")
    assert run.returncode == 0, run.stderr
    assert "forked after the encoder was used on cpu" in run.stdout and "get_context('spawn')" in run.stdout


# -- the end of the program in the middle of a run


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sonovec-1", "logmel"])
@pytest.mark.parametrize(
    ("end", "code"), [("sys.exit(5)", 5), ("raise KeyError('mine')", 1), ("pass", 0), ("del results; sys.exit(5)", 5)]
)
def test_an_exit_with_an_open_run_is_clean(name, end, code):
    for _ in range(3):
        run = script(f"results = encoder.embed_many([(np.tile(X, 20), {RATE})] * 40)\nnext(results)\n{end}", name)
        assert run.returncode == code
        assert run.stderr.splitlines()[-1:] == (["KeyError: 'mine'"] if code == 1 else [])


@pytest.mark.slow
@pytest.mark.parametrize("use", ["embed(sound)", "submit(sound)", "embed_many([sound] * 30)"])
def test_an_exit_behind_the_last_use_of_an_encoder_is_clean(use):
    """Its threads free its network, which must not happen while the interpreter ends."""
    code = f"""
def use():
    others = [sonovec.load("sonovec-1") for _ in range(3)]
    kept = [other.{use} for other in others]
    [next(each) for each in kept if hasattr(each, "__next__")]
del encoder
use()
"""
    run = script(code, "sonovec-1", seconds=60)
    assert (run.stdout, run.stderr, run.returncode) == ("", "", 0)


@pytest.mark.slow
def test_an_exit_while_the_callers_iterator_waits_for_ever():
    code = """
def endless():
    yield sound
    threading.Event().wait()
results = encoder.embed_many(endless())
next(results)
"""
    run = script(code, "sonovec-1", seconds=60)
    assert (run.stdout, run.stderr, run.returncode) == ("", "", 0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_in_the_middle_of_an_index_run_keeps_what_was_done(tmp_path):
    (tmp_path / "sounds").mkdir()
    for i in range(60):
        soundfile.write(tmp_path / "sounds" / f"{i}.wav", np.tile(np.roll(X, i), 10), RATE)
    command = [sys.executable, "-m", "sonovec", "index", "sounds", "-l", "library", "-m", "logmel", "--json"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "library" / "ledger.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    _, complaints = running.communicate(timeout=60)
    if running.returncode != 0:  # it may have been quicker
        assert running.returncode == 130 and complaints.strip().startswith("sonovec: interrupted"), complaints
        assert len(complaints.strip().splitlines()) == 1
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert '"tracks": 60' in again.stdout


# -- pickles and copies


@pytest.fixture
def kinds(tmp_path, vggish_weights):
    """Encoders of every kind of name: built in, with a file, a folder, a card of one's own; with settings and options."""
    folders = [tmp_path / name for name in ("own", "transformer", "clap")]
    for folder in folders:
        folder.mkdir()
    card = write(folders[0], file=onnx_file(folders[0]))
    transformer = tiny.waveform("wav2vec2-group", folders[1])
    clap = tiny.clap(folders[2], fusion=False)
    return {
        "default": lambda: sonovec.load(),
        "settings": lambda: sonovec.load("logmel", hop=0.5, tail="drop"),
        "weights": lambda: sonovec.load("vggish", weights=vggish_weights, precision="f32", device="cpu", pca=True),
        "folder": lambda: sonovec.load(os.path.relpath(transformer), layer=1, pooling="max"),
        "list": lambda: sonovec.load(str(transformer), layer=[0.25] * 4),
        "hub id": lambda: sonovec.load("someone/something", weights=os.path.relpath(transformer)),
        "words": lambda: sonovec.load(str(clap)),
        "own": lambda: sonovec.load(os.path.relpath(card)),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["default", "settings", "weights", "folder", "list", "hub id", "words", "own"])
def test_a_pickle_holds_the_settings_and_gives_the_same_encoder(kinds, kind, tmp_path, monkeypatch):
    encoder = kinds[kind]()
    stored = pickle.dumps(encoder)
    assert len(stored) < 2000, "no network is in it"
    assert encoder._networks == {}, "and none is opened for it"
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(stored)
    assert again.passport == encoder.passport
    assert again.settings == encoder.settings
    np.testing.assert_array_equal(again.embed((X, RATE)).windows, encoder.embed((X, RATE)).windows)
    if encoder.knows_words:
        np.testing.assert_array_equal(again.embed_text(["rain"]), encoder.embed_text(["rain"]))


def test_tasks_of_one_process_share_an_encoder():
    stored = pickle.dumps(sonovec.load("sonovec-1"))
    assert pickle.loads(stored).network is pickle.loads(stored).network


def test_other_weights_under_the_same_name_are_refused(tmp_path):
    file = tmp_path / onnx_file(tmp_path)
    stored = pickle.dumps(sonovec.load(write(tmp_path, file=file.name)))
    other = tmp_path / "other"
    other.mkdir()
    shutil.move(other / onnx_file(other, ("n", 8000), seed=5), file)
    with pytest.raises(WeightsError, match=r"card\.yaml: its weights are not those of the encoder that was pickled"):
        pickle.loads(stored)


def test_an_encoder_that_load_did_not_make_cannot_be_pickled():
    model = sonovec.load("logmel").model
    with pytest.raises(UsageError, match=r"'logmel' cannot be pickled; only those that sonovec.load made"):
        pickle.dumps(Encoder(model))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("opened", [True, False])
def test_copies_share_the_network(copied, opened):
    encoder = sonovec.load("sonovec-1", hop=0.5)
    if opened:
        encoder.prepare()
    other = copied({"encoder": encoder})["encoder"] if copied is copy.deepcopy else copied(encoder)
    assert other is not encoder and other.passport == encoder.passport and other.model is encoder.model
    assert (other.network is encoder.network) == opened
    np.testing.assert_array_equal(other.embed((X, RATE)).vector, encoder.embed((X, RATE)).vector)
    assert Path(pickle.loads(pickle.dumps(other)).card.name) == Path(encoder.card.name)
