"""The site is built from docs/ without a warning, and nothing public is missing in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import sonovec
from sonovec.cli.main import cli
from sonovec.models import registry

DOCS = Path(__file__).parents[2] / "docs"


def built(target: Path) -> Path:
    pytest.importorskip("sphinx", reason="the site needs the extra docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", target / "read"]
    done = subprocess.run(
        [*command, DOCS, target / "html"],
        capture_output=True,
        text=True,
        check=False,
        # What is read from the network anyway fails at once.
        env={**os.environ, "NO_COLOR": "1", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"},
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return target / "html"


def commands(group: click.Group, path: str = "sonovec") -> list[str]:
    with click.Context(group) as context:
        below = {f"{path} {name}": group.get_command(context, name) for name in group.list_commands(context)}
    inner = [name for path, each in below.items() if isinstance(each, click.Group) for name in commands(each, path)]
    return [*below, *inner]


def public_names_have_their_entries(site):
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, path: path)
    entries = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    assert {f"sonovec.{name}" for name in sonovec.__all__ if name != "__version__"} <= entries


def every_command_and_every_encoder_is_there(site):
    reference = (site / "reference" / "commands.html").read_text("utf-8")
    assert [name for name in commands(cli) if f"<h2>{name}<" not in reference] == []
    table = (site / "reference" / "encoders.html").read_text("utf-8")
    assert [card.name for card in registry.cards() if f">{card.name}<" not in table] == []


def nothing_is_read_from_elsewhere(site):
    """Pages work without a network too: no font, script or style of another server."""
    import re

    foreign = re.compile(r"""(?:src|href)=["'](?:https?:)?//[^"']+\.(?:js|css|woff2?)["']""")
    assert [
        (page.name, found) for page in site.rglob("*.html") if (found := foreign.findall(page.read_text("utf-8")))
    ] == []


@pytest.mark.slow
def test_it_is_built_without_a_warning_and_nothing_is_missing(tmp_path):
    site = built(tmp_path)  # once: it takes half a minute
    public_names_have_their_entries(site)
    every_command_and_every_encoder_is_there(site)
    nothing_is_read_from_elsewhere(site)


@pytest.mark.slow
def test_the_pictures_of_the_gallery_are_made_again_and_small(tmp_path):
    subprocess.run([sys.executable, DOCS / "gallery.py", tmp_path], check=True)
    made, kept = ({path.name for path in folder.glob("*.png")} for folder in (tmp_path, DOCS / "gallery"))
    assert made == kept and {path.name for path in (DOCS / "gallery").iterdir()} == kept
    assert max(path.stat().st_size for path in (DOCS / "gallery").iterdir()) < 100_000
