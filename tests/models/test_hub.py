"""Models from the hub: a real server of this machine's, the real client, and what is pinned."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models import tiny
from tests.models.hub_server import Hub

pytestmark = pytest.mark.slow

NAME = "tests/tiny-hubert"
#: Prints the first numbers of a vector and the revision, or the error.
CODE = """
import sys
for name in sys.argv[2].split():
    sys.modules[name] = None
import numpy as np, sonovec
try:
    encoder = sonovec.load(sys.argv[1], precision="f32", **eval(sys.argv[3]))
    vector = encoder.embed((np.sin(np.arange(16000) / 9).astype(np.float32), 16000)).vector
    print("OK", encoder.card.revision, vector[:4].tolist())
except sonovec.SonovecError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.waveform("hubert", tmp_path_factory.mktemp("tiny-hubert"))


@pytest.fixture
def hub():
    made = Hub()
    yield made
    made.close()


@pytest.fixture
def use(hub, tmp_path, run_as_user):
    """Load a model in a process of its own, since the client reads its settings when it is imported."""

    def load(name=NAME, *, offline=False, without="", settings="{}", home="home"):
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / home),
            "HF_HUB_OFFLINE": str(int(offline)),
            "HF_HUB_DISABLE_XET": "1",
            "SONOVEC_CACHE": str(tmp_path / "cache"),
        }
        run = run_as_user(sys.executable, "-c", CODE, name, without, settings, env=environment)
        assert run.returncode == 0, run.stderr
        assert run.stdout.count("\n") == 1, run.stdout
        return run.stdout.strip()

    return load


def files(folder: Path, pattern: str) -> list[Path]:
    return [path for path in folder.rglob(pattern) if path.is_file()]


def test_a_model_is_fetched_once_and_pinned(hub, use, model, tmp_path):
    commit = hub.push(NAME, model)
    first = use()
    assert first.startswith(f"OK {commit}")
    assert use(offline=True) == first
    # Neither the client, nor transformers, nor PyTorch is needed once it was converted.
    assert use(offline=True, without="huggingface_hub transformers torch") == first
    other = tmp_path / "other"
    shutil.copytree(model, other)
    (other / "README.md").write_text("a new commit\n")
    moved = hub.push(NAME, other)
    assert moved != commit and use() == first
    assert use(f"{NAME}@{moved}").startswith(f"OK {moved}")


WATCHED = """
import sys, threading, time, sonovec
told, asked = [], []

def cancel():
    asked.append(time.monotonic())
    job.cancel()

def watch(progress):
    if sys.argv[2] and progress.stage == "fetching" and "fetching" not in {each.stage for each in told}:
        threading.Timer(float(sys.argv[2]), cancel).start()
    told.append(progress)

job = sonovec.Job(watch)
try:
    sonovec.load(sys.argv[1], progress=job)
except sonovec.Cancelled as error:
    print(job.state, time.monotonic() - asked[0] < 2, error)
else:
    last = [each for each in told if each.stage == "fetching"][-1]
    print(job.state, last.unit, last.done >= last.total > 100_000, last.note)
"""


def test_a_fetch_is_watched_without_a_bar_of_the_clients_and_can_be_cancelled(hub, use, model, monkeypatch):
    hub.push(NAME, model)
    monkeypatch.setattr(sys.modules[__name__], "CODE", WATCHED)
    hub.pause = 0.1
    assert use(without="0.5").startswith("cancelled True cancelled while fetching: ")
    hub.pause = 0.001
    assert use() == f"done bytes True {NAME}"


def test_another_file_in_its_place_is_refused(hub, use, model, tmp_path):
    hub.push(NAME, model)
    use()
    [blob] = {path.resolve() for path in files(tmp_path / "home", "model.safetensors")}
    content = blob.read_bytes()
    blob.write_bytes(content[:-4] + b"\0\1\2\3")
    assert "WeightsError" in (said := use(offline=True))
    assert "is not the file that tests/tiny-hubert had when it was first used" in said and "models remove" in said
    blob.write_bytes(content)
    assert use(offline=True).startswith("OK")


def test_files_that_were_deleted_are_fetched_again_at_the_same_commit(hub, use, model, tmp_path):
    commit = hub.push(NAME, model)
    first = use()
    shutil.rmtree(tmp_path / "home")
    other = tmp_path / "other"
    shutil.copytree(model, other)
    (other / "README.md").write_text("a new commit\n")
    hub.push(NAME, other)
    assert "could not be fetched" in use(offline=True)
    assert use() == first and commit in first


def test_what_the_clients_own_cache_holds_is_found_offline(hub, use, model, tmp_path):
    """As any other program leaves it there."""
    commit = hub.push(NAME, model)
    fetch = "import sys, huggingface_hub; huggingface_hub.snapshot_download(sys.argv[1])"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    subprocess.run([sys.executable, "-c", fetch, NAME], check=True, capture_output=True, env=environment)
    assert use(offline=True).startswith(f"OK {commit}")


def test_where_the_clients_cache_cannot_be_written_our_own_is_used(hub, use, model, tmp_path, read_only):
    commit = hub.push(NAME, model)
    (tmp_path / "home").mkdir()
    read_only(tmp_path / "home")
    assert use().startswith(f"OK {commit}")
    assert files(tmp_path / "cache" / "huggingface", "model.safetensors")
    assert use(offline=True).startswith(f"OK {commit}")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tests/tiny-huber", "UsageError model 'tests/tiny-huber' is unknown here and on the hub"),
        (f"{NAME}@v9", "UsageError model 'tests/tiny-hubert@v9': no such revision"),
        ("tests/gated", "WeightsError tests/gated: its authors ask for consent"),
        ("tests/none", "UsageError model 'tests/none': its repository has no config.json"),
    ],
)
def test_what_cannot_be_had_is_told_in_a_line(name, says, hub, use, model, tmp_path):
    hub.push(NAME, model)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("nothing here\n")
    hub.push("tests/none", tmp_path / "empty")
    hub.refuse["tests/gated"] = (403, "GatedRepo")
    assert use(name).startswith(says)
    assert not files(tmp_path / "cache" / "hub", "*.json")


def test_offline_and_without_the_client_the_way_out_is_told(hub, use, model, tmp_path):
    hub.push(NAME, model)
    assert "hf download tests/tiny-hubert --local-dir FOLDER, then give weights=" in use(offline=True)
    assert "pip install 'sonovec[transformers]'" in use(without="huggingface_hub")
    assert use(offline=True, settings=f"{{'weights': {str(model)!r}}}").startswith("OK local")


def test_a_download_that_breaks_off_leaves_nothing(hub, use, model, tmp_path):
    hub.push(NAME, model)
    hub.cut = 1000
    assert "could not be fetched" in use()
    assert not files(tmp_path / "cache" / "hub", "*.json") and not files(tmp_path / "cache", "graph.xml")
    hub.cut = 0
    assert use().startswith("OK")


REMOVE = """
import sys
from sonovec.models import hub, storage
print(hub.pinned_names(), len(storage.remove(sys.argv[1]).paths) > 0, hub.pinned_names())
"""


@pytest.mark.parametrize("fetched_before", [False, True])
def test_removing_deletes_what_was_fetched_and_leaves_what_others_fetched(fetched_before, hub, use, model, tmp_path):
    hub.push(NAME, model)
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    environment["SONOVEC_CACHE"] = str(tmp_path / "cache")
    if fetched_before:
        fetch = "import sys, huggingface_hub; huggingface_hub.snapshot_download(sys.argv[1])"
        subprocess.run([sys.executable, "-c", fetch, NAME], check=True, capture_output=True, env=environment)
    use()
    command = [sys.executable, "-c", REMOVE, NAME]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert run.stdout.strip() == f"[{NAME!r}] True []"
    assert bool(files(tmp_path / "home", "model.safetensors")) == fetched_before
    assert not files(tmp_path / "cache" / "graphs", "graph.xml")


HEARS = """
import sys, numpy as np, sonovec
for name in sys.argv[2].split():
    sys.modules[name] = None
try:
    recogniser = sonovec.speech.load(sys.argv[1], precision="f32", **eval(sys.argv[3]))
    (segment,) = recogniser.hear([np.sin(np.arange(16000) / 9).astype(np.float32)])[0]
    print("OK", segment.language, segment.text)
except sonovec.SonovecError as error:
    print(type(error).__name__, error)
"""


def test_only_the_adapter_of_the_language_is_fetched_and_pinned_with_the_rest(hub, use, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "CODE", HEARS)
    folder = tiny.mms(tmp_path / "mms")
    commit = hub.push("tests/tiny-mms", folder)
    english = use("tests/tiny-mms")
    assert english.startswith("OK eng ")
    assert [path.name for path in files(tmp_path / "home", "adapter.*")] == ["adapter.eng.safetensors"]
    assert use("tests/tiny-mms", offline=True, without="huggingface_hub transformers torch") == english
    french = {"settings": "{'language': 'fra'}"}
    refused = use("tests/tiny-mms", offline=True, **french)
    assert refused.startswith("WeightsError tests/tiny-mms: adapter.fra.safetensors could not be fetched")
    assert f"--revision {commit}" in refused
    assert use("tests/tiny-mms", **french).startswith("OK fra ")
    (adapter,) = (path for path in files(tmp_path / "home", "adapter.fra.safetensors"))
    adapter.resolve().write_bytes(b"another")
    assert "is not the file that tests/tiny-mms had when it was first used" in use("tests/tiny-mms", **french)
    adapter.resolve().unlink()
    assert use("tests/tiny-mms", **french).startswith("OK fra ")
