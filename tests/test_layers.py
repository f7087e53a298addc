"""What the package promises of itself: no modules import each other in a circle, and nothing heavy comes with an import."""

from __future__ import annotations

import subprocess
import sys
from graphlib import TopologicalSorter

import grimp
import pytest

import sonovec
import sonovec.demo

NEEDLESS = [
    "openvino", "soundfile", "soxr", "av", "rich", "httpx", "sonovec.audio.decode", "sonovec.audio.scan", "sonovec.cli.index",
    "sonovec.embedding.encoder", "sonovec.library.ingest", "sonovec.library.metadata", "sonovec.models.registry",
]  # fmt: skip
HEAVY = ["numpy", "pyarrow", "lance", "openvino", "torch", "soundfile", "soxr", "av", "rich", "httpx", "pymilvus"]


def test_no_modules_import_each_other_in_a_circle():
    """Not even later, within a function; what only type checkers see does not count."""
    graph = grimp.build_graph("sonovec", exclude_type_checking_imports=True, cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imported).prepare()  # raises an error that names the circle


@pytest.mark.parametrize(
    "code",
    [
        "import sonovec",
        "import contextlib, sonovec.cli.main as m\nwith contextlib.suppress(SystemExit): m.main(['--help'])",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code):
    check = f"{code}\nimport sys; print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "HEAVY []"


def test_a_search_by_what_is_stored_imports_nothing_that_embeds_or_writes(tmp_path):
    """It is what a cold `sonovec search` takes: most of its time are imports."""
    paths = sonovec.demo.write(tmp_path / "sounds", per_kind=1)[:2]
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(paths)
    code = (
        "import sys\nfrom sonovec.cli.main import run\n"
        f"assert run(['search', {str(paths[0])!r}, '-l', {str(tmp_path / 'library')!r}]) == 0\n"
        f"print('NEEDLESS', [m for m in {NEEDLESS!r} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "NEEDLESS []"


def test_the_public_names_are_found():
    for name in sonovec.__all__:
        assert getattr(sonovec, name) is not None
    assert set(sonovec.__all__) <= set(dir(sonovec))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sonovec.nothing  # noqa: B018
