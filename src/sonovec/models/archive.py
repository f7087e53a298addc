"""Files of weights that their authors publish inside an archive: a wheel of Python's is a zip."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from sonovec.errors import WeightsError
from sonovec.paths import display


def member(archive: Path, name: str) -> bytes:
    """Content of a file of an archive; its CRC is checked.

    Raises
    ------
    WeightsError
        If the archive is damaged, is none, or has no such file.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.read(name)
    except KeyError:
        raise WeightsError(f"{display(archive)}: holds no {name}; give weights= the published {archive.name}") from None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"{display(archive)}: not a whole archive ({reason}); fetch {archive.name} again") from error
