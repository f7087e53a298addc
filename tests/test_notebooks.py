"""The notebooks of the docs, executed in a fresh kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

#: The packages that run notebooks come with the extra `references`.
pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def read(path):
    return pytest.importorskip("nbformat").read(path, as_version=4)


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs(path):
    notebook = read(path)
    pytest.importorskip("nbformat").validate(notebook)
    assert not outputs(notebook) and path.stat().st_size < 20_000
    assert all(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_cell_runs_and_what_is_shown_is_html(path, tmp_path):
    client = pytest.importorskip("nbclient")
    notebook = read(path)
    client.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()  # raises what a cell raises
    made = outputs(notebook)
    pages = "\n".join(output.data["text/html"] for output in made if "text/html" in output.get("data", {}))
    for part in (
        "Encoder sonovec-1",
        "log-mel spectrogram",
        "data:image/png;base64,",
        "over time",
        "<progress",
        "<audio",
    ):
        assert part in pages, part
    assert "<th" in pages and "Birds 1" in pages, "hits are a table"
    assert 'value="43"' in pages or 'value="42"' in pages, "the bar stands where it ended"
    said = [output.text for output in made if output.output_type == "stream"]
    assert [line for line in said if "has no rate; give (samples, rate)" in line] == said, "nothing else is printed"
