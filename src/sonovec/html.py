"""Pieces of HTML for notebooks. All text is escaped: names of files, and tags, come from anywhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence

#: Cells stand as text does; a notebook would move them to the right.
CELL = "text-align:left;padding:2px 10px 2px 0;vertical-align:top"
HEAD = f"{CELL};font-weight:bold"
MUTED = f"{CELL};opacity:.65"
TABLE = "border-collapse:collapse;border:none;margin:2px 0"


class Html(str):
    """Text that is HTML: it is not escaped again."""

    __slots__ = ()


def element(name: str, *content: object, **attributes: object) -> Html:
    """An element with its attributes; what is not `Html` is escaped, and None leaves an attribute out.

    Examples
    --------
    >>> element("td", "a < b", element("br"), title='"')
    '<td title="&quot;">a &lt; b<br></td>'
    """
    given = "".join(f' {key}="{html.escape(str(value))}"' for key, value in attributes.items() if value is not None)
    opened = f"<{name}{given}>"
    if name in ("br", "img"):
        return Html(opened)
    return Html(f"{opened}{joined(content)}</{name}>")


def joined(parts: Iterable[object]) -> Html:
    """Parts one behind the other; what is not `Html` is escaped."""
    return Html("".join(part if isinstance(part, Html) else html.escape(str(part)) for part in parts))


def block(title: object, *content: object) -> Html:
    """A record: its title, and what there is to see of it."""
    return element("div", element("div", title, style="font-weight:bold;margin:4px 0"), *content)


def facts(pairs: Mapping[str, object]) -> Html:
    """Names and values, one a line; those without a value are left out."""
    rows = [
        element("tr", element("td", name, style=MUTED), element("td", value, style=CELL), style="background:none")
        for name, value in pairs.items()
        if value not in (None, "")
    ]
    return element("table", *rows, style=TABLE)


def table(columns: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """Rows below a heading."""
    head = element("tr", *(element("th", name, style=HEAD) for name in columns))
    body = [element("tr", *(element("td", value, style=CELL) for value in row)) for row in rows]
    return element("table", element("thead", head), element("tbody", *body), style=TABLE)


def image(png: bytes, text: str, width: int, height: int) -> Html:
    """A picture in the page itself, drawn as large as it says, with what it shows as text."""
    return element(
        "img",
        src=f"data:image/png;base64,{base64.b64encode(png).decode()}",
        alt=text,
        title=text,
        style=f"width:{width}px;height:{height}px;image-rendering:pixelated;display:block;margin:2px 0",
    )


def player(sound: bytes, kind: str) -> Html:
    """An audio player in the page itself; `kind` is the sound's media type."""
    source = f"data:{kind};base64,{base64.b64encode(sound).decode()}"
    return element("audio", controls="controls", preload="none", src=source)
