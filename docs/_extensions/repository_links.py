"""Files of the repository that are pages of the site, and links between the two."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
#: By the page whose content they are; its own source is a line for those who read it elsewhere.
FILES = {
    "changes": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
    "training": "training/README.md",
}
TARGETS = {**{file: f"{page}.md" for page, file in FILES.items()}, "README.md": "index.md"}


def read_page(app: Sphinx, page: str, source: list[str]) -> None:
    """Take the text of a page from its file, and lead its links to pages."""
    if page in FILES:
        file = ROOT / FILES[page]
        app.env.note_dependency(str(file))
        source[0] = file.read_text("utf-8")
    source[0] = re.sub(r"\]\(([^)#:\s]+)", lambda link: f"]({_target(link[1])}", source[0])


def _target(link: str) -> str:
    plain = re.sub(r"^(\.\./)+", "", link)
    # Links within docs/ stay as they are; those from outside begin with its name.
    return TARGETS.get(plain, plain.removeprefix("docs/") if plain.startswith("docs/") else link)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", read_page)
    return {"parallel_read_safe": True}
