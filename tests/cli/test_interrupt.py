"""Ctrl-C ends the program, also where what it raises is swallowed, or a native call takes long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from sonovec.cli.main import COMMANDS, INTERRUPTED

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGINT as a terminal sends it")

#: A program whose command is `BODY`, and which says when it is under way.
PROGRAM = """
import sys
from unittest import mock
import click
from sonovec.cli import main, start

@click.command()
@click.option("--json", is_flag=True)
def command(json):
    {body}

with mock.patch.object(main, "_told_of", lambda name: command):
    main.main(sys.argv[1:])
"""
GOES_ON = "print('on', flush=True); import time; time.sleep(60)"
#: As callbacks of native libraries do, and what is imported while others import it.
SWALLOWED = """
    class Noisy:
        def __del__(self):
            {wait}
    noisy = Noisy()
    del noisy
    time.sleep(60)
""".format(wait=GOES_ON.replace("60", "3"))
OTHER_ERROR = f"""
    try:
        {GOES_ON}
    except BaseException:
        raise ValueError("what the interrupt has become") from None
"""
#: Python's own handlers wait for the end of this.
NATIVE = "import hashlib; print('on', flush=True); hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"


def started(body: str, *arguments: str) -> subprocess.Popen[str]:
    code = PROGRAM.format(body=body)
    process = subprocess.Popen(
        [sys.executable, "-c", code, *(arguments or ("index",))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "on\n"
    return process


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=40)
    return process.returncode, out, err


@pytest.mark.parametrize("body", [GOES_ON, SWALLOWED, OTHER_ERROR], ids=["plain", "swallowed", "another error"])
def test_it_ends_what_is_under_way_and_says_what_is_true(body):
    process = started(body)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, out) == (130, "") and time.monotonic() - begun < 30
    assert err.splitlines()[-1] == f"sonovec: interrupted; {INTERRUPTED['index']}"
    assert "Traceback" not in err and "bug" not in err


@pytest.mark.slow
def test_a_second_one_ends_it_at_once_where_python_cannot_hear_the_first():
    process = started(NATIVE)
    time.sleep(1)  # until it has begun
    process.send_signal(signal.SIGINT)
    assert process.stderr and process.stderr.readline() == "sonovec: ending; press Ctrl-C again to end at once\n"
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "", "")


def test_an_object_says_so_where_json_is_asked_for():
    process = started(GOES_ON, "list", "--json")
    process.send_signal(signal.SIGINT)
    code, out, _ = ended(process)
    assert code == 130 and '"type": "Interrupted"' in out and '"message": "interrupted"' in out


def test_one_that_is_ignored_stays_ignored():
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " + (
        "from sonovec.cli.start import main; from sonovec.cli import interrupt\n"
        "with interrupt.heard(): signal.raise_signal(signal.SIGINT)\nprint('still here')"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "still here\n"


def test_while_it_is_imported_it_ends_quietly():
    code = "import builtins, signal, sonovec.cli.start as s; n = builtins.__import__\n"
    code += "def late(name, *a, **k):\n    if name == 'sonovec.cli.main': signal.raise_signal(signal.SIGINT)\n"
    code += "    return n(name, *a, **k)\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler); builtins.__import__ = late; s.main()"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (-signal.SIGINT, "", "")


def test_what_is_said_is_of_commands_that_there_are():
    assert set(INTERRUPTED) <= set(COMMANDS)
