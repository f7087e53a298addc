"""Chromium without a window, driven through its pipe (DevTools protocol): what a page does is asked of a real browser."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: No graphics card, as on a server; no sandbox, which root cannot have.
OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu-sandbox --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader "
    "--no-first-run --disable-extensions --disable-background-networking --disable-component-update --disable-sync "
    "--hide-scrollbars --mute-audio --remote-debugging-pipe"
)


#: Starts a program that reads commands from the pipe 3 and answers into the pipe 4.
_WITH_PIPES = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def program() -> str:
    found = os.environ.get("SONOVEC_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium: install one (apt-get install chromium), or name it by SONOVEC_TEST_CHROMIUM")
    return found


class Browser:
    """One page in a browser of its own: `requests` has the addresses that it asked for, `errors` its complaints."""

    def __init__(self, width: int = 1200, height: int = 800) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._number = 0
        self._buffer = b""
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands, self._tell = os.pipe()
        self._hear, answers = os.pipe()
        command = [program(), *OPTIONS.split(), f"--user-data-dir={self._home.name}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WITH_PIPES, str(commands), str(answers), *command],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        target = self.send("Target.createTarget", session=False, url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", session=False, targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.size(width, height)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._tell)
        os.close(self._hear)
        self._home.cleanup()

    def send(self, method: str, *, session: bool = True, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = self._session
        os.write(self._tell, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._hear, 1 << 20)
            assert part, "the browser ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        found = json.loads(message)
        told = found.get("params", {})
        if found.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif found.get("method") == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif found.get("method") == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(told["entry"]["text"])
        return found

    def size(self, width: int, height: int, *, mobile: bool = False) -> None:
        scale = 2 if mobile else 1
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )
        if mobile:
            self.send("Emulation.setTouchEmulationEnabled", enabled=True)

    def dark(self, dark: bool = True) -> None:
        value = "dark" if dark else "light"
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def open(self, path: Path, patience: float = 60) -> None:
        """Open a page of a map from its file, and wait until its points are there."""
        self.send("Page.navigate", url=path.absolute().as_uri())
        self.until("globalThis.sonovecMap?.map.frameTime > 0", patience)

    def until(self, expression: str, patience: float = 30) -> None:
        deadline = time.monotonic() + patience
        while not self.ask(expression):
            assert time.monotonic() < deadline, (expression, self.errors)
            time.sleep(0.05)

    def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        pressed = (
            {"button": "left", "buttons": 1, "clickCount": 1} if kind != "mouseMoved" or more.pop("down", 0) else {}
        )
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed, **more)

    def drag(self, *line: tuple[float, float]) -> None:
        self.mouse("mousePressed", *line[0])
        for x, y in line[1:]:
            self.mouse("mouseMoved", x, y, down=1)
        self.mouse("mouseReleased", *line[-1])

    def key(self, name: str) -> None:
        text = {"text": name} if len(name) == 1 else {"text": "\r"} if name == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=name, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=name)

    def picture(self, target: Path) -> Path:
        shot = self.send("Page.captureScreenshot", format="png")
        target.write_bytes(base64.b64decode(shot["data"]))
        return target
