"""What a shell is told at TAB, as its own script asks for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: The name of the program as the shell calls it.
START = "import sys; sys.argv[0] = 'sonovec'; from sonovec.cli.start import main; main()"


def completed(*words: str) -> list[str]:
    asked = {"COMP_WORDS": " ".join(["sonovec", *words]), "COMP_CWORD": str(len(words))}
    environment = {**os.environ, "_SONOVEC_COMPLETE": "bash_complete", **asked}
    done = subprocess.run([sys.executable, "-c", START], env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("se",), ["plain,search"]),
        (("library", "move"), ["plain,move-root"]),
        (("embed", "-m", "yam"), ["plain,yamnet", "file,yam"]),
        (("models", "fetch", "def"), ["plain,default", "file,def"]),
        (("models", "show", "./my"), ["file,./my"]),
        (("list", "-l", "mus"), ["file,mus"]),
        (("embed", "so"), ["file,so"]),
        (("tag", "--precision", "b"), ["plain,bf16"]),
    ],
)
def test_what_begins_so_is_told(words, expected):
    assert completed(*words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell):
    environment = {**os.environ, "_SONOVEC_COMPLETE": f"{shell}_source"}
    done = subprocess.run([sys.executable, "-c", START], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "_SONOVEC_COMPLETE" in done.stdout
