"""Links of a page to files of the repository that lie outside of ``docs``, to the pages that include those files."""

from __future__ import annotations

from sphinx.application import Sphinx

PAGES = {
    "../training/README.md": "training.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../CHANGELOG.md": "changes.md",
    "../README.md": "index.md",
}


def lead_to_pages(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the targets in the text of a page."""
    for file, target in PAGES.items():
        source[0] = source[0].replace(f"]({file})", f"]({target})")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", lead_to_pages)
    return {"parallel_read_safe": True}
