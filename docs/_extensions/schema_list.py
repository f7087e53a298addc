"""The directive ``schema-list``: each JSON Schema in docs/schemas, with its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

FOLDER = Path(__file__).parents[1] / "schemas"


class SchemaList(SphinxDirective):
    """A section for each schema: its file, and a table of what the object has."""

    def run(self) -> list[nodes.Node]:
        """Parse what is written as MyST, as if it stood in the page."""
        lines: list[str] = []
        for file in sorted(FOLDER.glob("*.json")):
            self.env.note_dependency(str(file))
            lines += _section(file)
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, source="the schemas"), node)
        return node.children


def _section(file: Path) -> Iterator[str]:
    schema = json.loads(file.read_text("utf-8"))
    yield from (f"## {schema['title']}", "", f"{{download}}`{file.name} <../schemas/{file.name}>`", "")
    for shape in [schema] if "properties" in schema else schema["oneOf"]:
        yield from ("| field | type | meaning |", "| --- | --- | --- |")
        for name, field in shape["properties"].items():
            yield f"| `{name}` | {_type(field, schema)} | {_meaning(field)} |"
        yield ""


def _meaning(field: dict[str, Any]) -> str:
    return str(field.get("description") or field.get("items", {}).get("description", ""))


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """A type in a few words; what lists and objects hold is in the file."""
    if "$ref" in field:
        return _type(schema["$defs"][field["$ref"].rpartition("/")[2]], schema)
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    kind = field.get("type", "any")
    text = kind if isinstance(kind, str) else " or ".join(kind)
    return f"array of {_type(field['items'], schema)}" if text == "array" else text


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("schema-list", SchemaList)
    return {"parallel_read_safe": True}
