"""What is installed elsewhere: the wheel in an empty environment, and with the lowest versions that it allows."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import sonovec

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOWEST = ROOT / "constraints-lowest.txt"


def run(*command: object, **options: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    [made] = folder.glob("*.whl")
    return made


def environment(folder: Path, *requirements: object) -> Path:
    """Its Python."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    run(python, "-m", "pip", "install", "--quiet", *requirements)
    return python


def works(python: Path, folder: Path) -> None:
    """The demo indexes, searches and finds, from an installation that sees nothing of this repository."""
    told = json.loads(run(python, "-I", "-m", "sonovec", "demo", folder / "demo", "--json", cwd=folder))
    assert told["indexed"] == 84 and told["same_kind"] > 0.95
    assert run(python, "-I", "-m", "sonovec", "--version") == f"sonovec, version {sonovec.__version__}\n"


def test_the_version_has_one_source():
    assert "version" not in PROJECT and PROJECT["dynamic"] == ["version"]


def test_the_lowest_versions_are_those_of_the_project():
    pinned = {each.name: each for each in map(Requirement, LOWEST.read_text().splitlines()[1:])}
    for requirement in map(Requirement, PROJECT["dependencies"]):
        [lowest] = requirement.specifier
        [pin] = pinned.pop(requirement.name).specifier
        assert (lowest.operator, pin.operator) == (">=", "==") and Version(lowest.version) == Version(pin.version)
    assert not pinned


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(wheel, tmp_path):
    names = ZipFile(wheel).namelist()
    assert {"sonovec/py.typed", "sonovec/cli/start.py"} <= {*names}
    assert not [
        name for name in names if not name.startswith(("sonovec/", f"sonovec-{sonovec.__version__}.dist-info/"))
    ]
    python = environment(tmp_path / "empty", wheel)
    works(python, tmp_path)
    brought = json.loads(run(python, "-m", "pip", "list", "--format", "json"))
    assert not {"torch", "tensorflow", "transformers", "pandas", "matplotlib"} & {each["name"] for each in brought}


@pytest.mark.slow
def test_it_works_with_the_lowest_versions_that_it_allows(wheel, tmp_path):
    python = environment(tmp_path / "lowest", wheel, "-c", LOWEST)
    works(python, tmp_path)
