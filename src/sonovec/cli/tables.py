"""Tables that fit the terminal: what is long is cut, and what is least needed is left out where there is no room."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sonovec.paths import printable

#: Cells between two columns.
GAP = 2
#: A column that is cut is never narrower.
LEAST = {"middle": 16, "end": 10}
CUT = "…"
#: Ends text that runs from right to left, so that a terminal does not draw the next column into it.
LEFT_TO_RIGHT_MARK = "\u200e"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    cut : {"no", "middle", "end"}
        Where its texts are cut if the terminal is narrow; those of others go on in the next line.
    spare : int
        Columns with a higher number are left out first, and such as are empty always; one with 0 never is.
    title : str
        What people see above it; otherwise its name.
    least : int
        Where it is cut it is never narrower, if that is more than usual.
    """

    name: str
    cut: Literal["no", "middle", "end"] = "no"
    spare: int = 0
    title: str = ""
    least: int = 0


@dataclass(frozen=True)
class Sound:
    """A sound in a table: for programs its path, for people the name that they know it by."""

    path: str
    name: str


#: The column of sounds.
SOUND = Column("path", cut="middle", title="sound")


def sound(path: str, fields: Mapping[str, Any], short: str) -> Sound:
    """A sound by its artist and title, or, where it has no title, by its path below its root.

    Examples
    --------
    >>> sound("/music/a.mp3", {"title": "Stir", "artist": "Ann"}, "a.mp3").name
    'Ann - Stir'
    >>> sound("/music/a.mp3", {"title": None, "artist": "Ann"}, "a.mp3").name
    'a.mp3'
    """
    title, artist = (" ".join(str(fields.get(name) or "").split()) for name in ("title", "artist"))
    return Sound(path, " - ".join(filter(None, (artist, title))) if title else short)


def for_programs(value: object) -> str:
    """A value in a line of tab-separated values."""
    return printable(value.path) if isinstance(value, Sound) else _text(value)


def show(columns: Sequence[Column], rows: Sequence[Sequence[object]], title: str | None) -> None:
    """Draw a table on the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    cells = [[printable(value.name) if isinstance(value, Sound) else _text(value) for value in row] for row in rows]
    shown, fitting = fitted(columns, cells, console.width)
    heading = title and Text(printable(title))
    table = Table(title=heading, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in shown:
        table.add_column(Text(column.title or column.name, "bold"), overflow="fold", no_wrap=column.cut != "no")
    for line in fitting:
        table.add_row(*map(Text, map(_marked, line)))
    console.print(table)


def fitted(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int
) -> tuple[list[Column], list[list[str]]]:
    """The columns that fit into a width, in cells of a terminal, and their texts, cut where they must be.

    Examples
    --------
    >>> columns = [Column("score"), Column("path", "middle"), Column("tags", "end", spare=1)]
    >>> fitted(columns, [["0.912", "rain/on a tin roof/3.wav", "Rain; Thunder; Wind"]], 40)[1]
    [['0.912', 'rain/on a…of/3.wav', 'Rain; Thunde…']]
    >>> fitted(columns, [["0.912", "rain/on a tin roof/3.wav", "Rain; Thunder; Wind"]], 30)[1]
    [['0.912', 'rain/on a t… roof/3.wav']]
    """
    natural = [
        max(map(_cells, [column.title or column.name, *(row[place] for row in cells)]))
        for place, column in enumerate(columns)
    ]
    least = [
        min(wide, max(LEAST.get(column.cut, wide), column.least)) for wide, column in zip(natural, columns, strict=True)
    ]

    def room(kept: Sequence[int]) -> int:
        return width - GAP * (len(kept) - 1)

    empty = {place for place, column in enumerate(columns) if column.spare and not any(row[place] for row in cells)}
    kept = [place for place in range(len(columns)) if not cells or place not in empty]
    while sum(least[place] for place in kept) > room(kept) and any(columns[place].spare for place in kept):
        kept.remove(max(kept, key=lambda place: (columns[place].spare, place)))
    widths = _shared({place: natural[place] for place in kept}, {place: least[place] for place in kept}, room(kept))
    return (
        [columns[place] for place in kept],
        [[cut(row[place], widths[place], columns[place].cut) for place in kept] for row in cells],
    )


def _shared(natural: Mapping[int, int], least: Mapping[int, int], room: int) -> dict[int, int]:
    """Widths that add up to the room there is: what may be cut most gives first."""
    widths = dict(natural)
    while sum(widths.values()) > room:
        widest = max(widths, key=lambda place: widths[place] - least[place])
        if widths[widest] == least[widest]:
            break
        widths[widest] -= 1
    return widths


def cut(text: str, width: int, where: str) -> str:
    """A text that is no wider than so many cells of a terminal; characters are not torn apart.

    Examples
    --------
    >>> cut("abcdefgh", 5, "middle"), cut("abcdefgh", 5, "end"), cut("日本語の音", 6, "middle")
    ('ab…gh', 'abcd…', '日…音')
    """
    if where == "no" or _cells(text) <= width:
        return text
    room = max(width - 1, 0)
    clusters = list(_clusters(text))
    if where == "end":
        return _beginning(clusters, room) + CUT
    end = _beginning(clusters[::-1], room // 2, reverse=True)
    return _beginning(clusters, room - _cells(end)) + CUT + end


def _beginning(clusters: Iterable[str], room: int, reverse: bool = False) -> str:
    taken: list[str] = []
    for cluster in clusters:
        room -= _cells(cluster)
        if room < 0:
            break
        taken.append(cluster)
    return "".join(taken[::-1] if reverse else taken)


def _clusters(text: str) -> Iterator[str]:
    """What a reader takes for one character: with its accents, and emoji that are joined."""
    cluster = ""
    for character in text:
        joins = unicodedata.category(character) in ("Mn", "Me", "Cf") or "\U0001f3fb" <= character <= "\U0001f3ff"
        if cluster and not joins and not cluster.endswith("\u200d"):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _marked(text: str) -> str:
    right_to_left = any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    return text + LEFT_TO_RIGHT_MARK if right_to_left else text


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))
