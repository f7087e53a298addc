"""Makes the pages of the tutorials from their scripts: ``python docs/tutorials/make.py [NAME...]``.

A script is cut at lines that begin with ``# %%``. The comment behind one is text of the page, in Markdown; the code below the
comment is run, and what it prints stands below it. Commands (`shell.sh`) are shown as they are typed.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

FOLDER = Path(__file__).parent
#: What scripts begin with.
USE = "from shell import sh"
NAMES = ("music", "researcher", "field", "upkeep")


def cells(script: str) -> Iterator[tuple[str, str]]:
    """Text and code of each part of a script."""
    for cell in re.split(r"^# %%.*\n", script, flags=re.M):
        lines = cell.split("\n")
        n = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
        yield "\n".join(line[2:] for line in lines[:n]), "\n".join(lines[n:]).strip()


def page(name: str) -> str:
    """Run a script in the working folder, and give the page with what it printed."""
    names: dict[str, object] = {"__name__": "__main__"}
    parts = [f"<!-- Made by docs/tutorials/make.py from {name}.py: change that, and make it again. -->"]
    for text, code in cells((FOLDER / f"{name}.py").read_text("utf-8")):
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(code, f"{name}.py", "exec"), names)
        parts.append(text)
        python = _python(code)
        if python:
            parts.append(f"```python\n{python}\n```")
        if printed.getvalue():
            parts.append(f"```text\n{_tidy(printed.getvalue())}\n```")
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _python(code: str) -> str:
    """The code of a part as the page shows it: none of one that types commands, since the output has them."""
    code = code.replace(f"{USE}\n", "").replace(USE, "").strip()
    if "sh(" not in code:
        return code
    if any(not line.startswith("sh(") for line in code.split("\n")):
        raise SystemExit(f"a part either types commands or has code, so that the page has an order:\n{code}")
    return ""


def _tidy(printed: str) -> str:
    from shell import tidy

    return tidy(printed).strip("\n")


def keep(name: str, folder: Path) -> None:
    """Keep the pictures that a script made, small enough for a page."""
    from PIL import Image

    for picture in Path.cwd().glob("*.png"):
        with Image.open(picture) as image:
            image.convert("RGB").quantize(96).save(folder / f"{name}-{picture.name}", optimize=True)


def main(names: list[str]) -> None:
    """Make each page in a process and a folder of its own; ``--page NAME FILE`` is what that process does."""
    if names[:1] == ["--page"]:
        name, target = names[1], Path(names[2])
        target.write_text(page(name), encoding="utf-8")
        (target.parent / "pictures").mkdir(exist_ok=True)
        keep(name, target.parent / "pictures")
        return
    for name in names or NAMES:
        run(name, FOLDER)


def run(name: str, folder: Path) -> Path:
    """Make one page in `folder`."""
    target = folder.absolute() / f"{name}.md"
    # On most machines its name is as long as what the page calls it, so that tables keep their shape.
    with tempfile.TemporaryDirectory(prefix="x") as home:
        environment = {**os.environ, "SONOVEC_HOME": f"{home}/.sonovec"}
        subprocess.run([sys.executable, __file__, "--page", name, target], cwd=home, env=environment, check=True)
    return target


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER))
    main(sys.argv[1:])
