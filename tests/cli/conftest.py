"""What the tests of commands share."""

from __future__ import annotations

import pytest

from sonovec.cli import main


@pytest.fixture
def sonovec(capsys):
    """Run the command in this process: exit code, what it printed, what it complained of."""

    def run(*arguments):
        capsys.readouterr()
        code = main.run([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run
