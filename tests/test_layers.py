"""What the package promises of itself: it is quick to import, since nothing heavy comes with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ["numpy", "pyarrow", "lance", "openvino", "torch", "soundfile", "soxr", "av", "rich", "httpx", "pymilvus"]


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


def test_the_public_names_are_found():
    import sonovec

    for name in sonovec.__all__:
        assert getattr(sonovec, name) is not None
    assert set(sonovec.__all__) <= set(dir(sonovec))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sonovec.nothing  # noqa: B018
