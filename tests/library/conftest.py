"""Stores to hold against the contract: a folder, Milvus Lite, and a Milvus server where one can be had."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pytest
from filelock import FileLock


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory):
    """The URI of a server: SONOVEC_TEST_MILVUS_URI, or one started from the PyPI wheel `milvus` if it is installed.

    There can be one on a machine, so all workers of a run share it: the first starts it, the last stops it.
    """
    if uri := os.environ.get("SONOVEC_TEST_MILVUS_URI"):
        yield uri
        return
    program = shutil.which("milvus-server", path=Path(sys.executable).parent) or shutil.which("milvus-server")
    if program is None:
        pytest.skip("no Milvus server: set SONOVEC_TEST_MILVUS_URI, or install milvus-server (PyPI: milvus)")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    state, lock = folder / "milvus-server.json", FileLock(folder / "milvus-server.lock")
    with lock:
        server = json.loads(state.read_text()) if state.exists() else start_server(program, folder)
        state.write_text(json.dumps({**server, "users": server["users"] + 1}))
    yield f"http://127.0.0.1:{server['port']}"
    with lock:
        server = json.loads(state.read_text())
        if server["users"] > 1:
            state.write_text(json.dumps({**server, "users": server["users"] - 1}))
        else:
            os.killpg(server["process"], signal.SIGKILL)
            state.unlink()


def start_server(program, folder):
    with socket.socket() as probe:  # etcd inside it uses fixed ports
        busy = probe.connect_ex(("127.0.0.1", 2380)) == 0
    assert not busy, "a Milvus or etcd runs here already: set SONOVEC_TEST_MILVUS_URI"
    port = free_port()
    data = Path(tempfile.mkdtemp(prefix="milvus-server-", dir=folder))
    command = [program, "--data", data / "data", "--proxy-port", str(port)]
    # A group of its own: the program starts the server as a child, and would leave it behind.
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(port, process)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return {"port": port, "process": process.pid, "users": 0}


def wait_for(port: int, process: subprocess.Popen) -> None:
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, "the Milvus server stopped"
        try:
            MilvusClient(uri=f"http://127.0.0.1:{port}", timeout=3).list_collections()
            return
        except MilvusException:
            assert time.monotonic() < deadline, "the Milvus server did not come up"
            time.sleep(1)


#: The quick tests run in a folder; Milvus waits much, and is for the slow ones, but for what test_milvus_schema.py holds.
STORES = ["lance", *(pytest.param(each, marks=pytest.mark.slow) for each in ("milvus-lite", "milvus"))]


def new_location(request, folder: Path) -> str:
    if request.param == "lance":
        return str(folder / "library")
    if request.param == "milvus-lite":
        return str(folder / "library.db")
    return place_on_server(request, request.getfixturevalue("milvus_server"))


def place_on_server(request, server: str) -> str:
    """A name on the server, whose collections are dropped after the fixture: each that stays slows the server down."""
    name = f"t{uuid.uuid4().hex[:12]}"
    request.addfinalizer(lambda: drop_collections(server, name))
    return f"{server}/{name}"


def drop_collections(server: str, name: str) -> None:
    from pymilvus import MilvusClient

    client = MilvusClient(uri=server)
    for each in client.list_collections():
        if each.startswith(name):
            client.drop_collection(each)
    client.close()


@pytest.fixture(params=STORES)
def location(request, tmp_path):
    """A place where no library is yet, in each kind of store."""
    return new_location(request, tmp_path)


@pytest.fixture(params=STORES[:2])
def local_location(request, tmp_path):
    """The same without a server, whose tables take seconds to make, for what is above the stores."""
    return new_location(request, tmp_path)


@pytest.fixture(params=["milvus-lite", pytest.param("milvus", marks=pytest.mark.slow)])
def milvus_location(request, tmp_path):
    """The same, for what Milvus alone does; the quick tests run in Milvus Lite."""
    return new_location(request, tmp_path)


@pytest.fixture(scope="module", params=STORES)
def any_location(request, tmp_path_factory):
    """The same, for the tests of one file to share."""
    return new_location(request, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def milvus_library(request, milvus_server):
    """A place on the server for tests to share, since one takes seconds to make; they leave no rows behind."""
    return place_on_server(request, milvus_server)
