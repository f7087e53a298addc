"""Pipes that nobody reads and streams that are closed end a command quietly, with a code that says what was."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Run a line of a shell in which $S is the program; gives code, output, errors."""
    folder = tmp_path_factory.mktemp("streams")

    def run(line: str) -> tuple[int, str, str]:
        environment = {**os.environ, "S": f"{sys.executable} -m sonovec"}
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=folder, env=environment)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("command", ["models", "models --json", "--help", "list -l nowhere --json"])
def test_a_reader_that_goes_away_ends_it_as_other_programs(shell, command):
    # The reader is gone before anything is written.
    code, _, errors = shell(f"exec 3> >(true); wait $!; $S {command} >&3")
    said = "sonovec: " if "nowhere" in command else ""
    assert code == 141 and errors.startswith(said) and errors.count("\n") == bool(said), errors


def test_a_reader_of_errors_that_goes_away_ends_no_work(shell):
    code, out, _ = shell("exec 3> >(true); wait $!; $S list -l nowhere --json 2>&3")
    assert code == 2 and json.loads(out)["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("$S models >&-", 0),
        ("$S models <&- >&- 2>&-", 0),
        ("$S list -l nowhere >&- 2>&-", 2),
        ("$S list -l nowhere 2>/dev/full", 2),
    ],
)
def test_closed_streams_change_no_code(shell, line, code):
    assert shell(line) == (code, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is always full, of Linux")  # noqa: PTH110
def test_output_that_does_not_fit_is_told(shell):
    assert shell("$S models >/dev/full") == (2, "", "sonovec: No space left on device\n")


@pytest.mark.parametrize(
    ("command", "kind", "message"),
    [
        ("list -l nowhere --json", "LibraryError", "no library here"),
        ("list --json --nonsense -l x", "NoSuchOption", "No such option '--nonsense'"),
        ("list --json", "MissingParameter", "Missing option '-l'"),
        ("models show nonsense --json", "UsageError", "nonsense"),
    ],
)
def test_what_could_not_run_is_an_object_where_json_is_asked_for(
    sonovec, command, kind, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SONOVEC_LIBRARY", raising=False)
    code, out, err = sonovec(*command.split())
    error = json.loads(out)["error"]
    assert code == 2 and error["type"] == kind and message in error["message"] and error["exit_code"] == 2
    assert message in err


def test_a_file_of_that_name_asks_for_no_json(sonovec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = sonovec("tag", "--", "--json")
    assert (code, out) != (0, "") and "error" not in out
