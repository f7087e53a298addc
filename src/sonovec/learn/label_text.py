"""The text of a file of labels, whatever encoding the tool that wrote it has."""

from __future__ import annotations

import codecs
from pathlib import Path

from sonovec.errors import UsageError
from sonovec.paths import display

#: How files begin that say which encoding they have.
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
#: Bytes that show whether a file without such a mark is UTF-16: every second one is zero where most letters are Latin.
SHOWN = 64


def text_of(file: Path) -> tuple[str, str | None]:
    r"""The text of a file, and what is to be told of how it was read.

    UTF-8 and UTF-16, with a mark or without. Lines that are neither are read as Windows-1252.

    Raises
    ------
    UsageError
        It cannot be read, or is no text.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.txt")
    ...     _ = file.write_bytes("0\t1\tKrähe\n".encode("cp1252"))
    ...     text_of(file)
    ('0\t1\tKrähe\n', 'a.txt: 1 line is not in UTF-8 and is read as Windows-1252 (line 1)')
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{display(file)}: cannot be read ({error.strerror}); give a file or a folder of labels"
        ) from None
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), None) or _unmarked(content)
    try:
        if encoding:
            return content.decode(encoding), None
    except UnicodeDecodeError as error:
        raise UsageError(f"{display(file)}: is damaged ({error}); save it again as UTF-8") from None
    if b"\0" in content:
        raise UsageError(f"{display(file)}: is no text; give a file of labels")
    return _by_line(file, content)


def _unmarked(content: bytes) -> str | None:
    head = content[:SHOWN]
    even, odd = head[::2], head[1::2]
    if odd and even and odd.count(0) > len(odd) / 2 > even.count(0):
        return "utf-16-le"
    return "utf-16-be" if even and even.count(0) > len(even) / 2 else None


def _by_line(file: Path, content: bytes) -> tuple[str, str | None]:
    lines, odd = [], []
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            odd.append(number)
            lines.append(_western(line))
    if not odd:
        return "\n".join(lines), None
    what = "1 line is not in UTF-8 and is" if len(odd) == 1 else f"{len(odd)} lines are not in UTF-8 and are"
    return "\n".join(lines), f"{display(file.name)}: {what} read as Windows-1252 (line {odd[0]})"


def _western(line: bytes) -> str:
    try:
        return line.decode("cp1252")
    except UnicodeDecodeError:  # a few bytes mean nothing there
        return line.decode("latin-1")
