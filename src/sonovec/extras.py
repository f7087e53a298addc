"""Packages that come with an extra: imported, or said to be missing with the line that installs them."""

from __future__ import annotations

import threading
from importlib import import_module

from sonovec.errors import MissingExtraError

#: What people call a package, where it is not the name of its module.
NAMES = {
    "sklearn": "scikit-learn",
    "scipy": "scikit-learn, with SciPy",
    "scipy.fft": "SciPy",
    "scipy.ndimage": "SciPy",
    "scipy.signal": "SciPy",
    "torch": "PyTorch",
    "faster_whisper": "faster-whisper",
}

#: Python lets two threads that import parts of one package at once see modules that are not complete yet: SciPy fails then.
_IMPORTING = threading.RLock()


def require(module: str, what: str, extra: str) -> None:
    """Import a module of an extra, or say what needs it and how to install it. Threads import one after the other.

    Raises
    ------
    MissingExtraError

    Examples
    --------
    >>> require("not_there", "drawing", "evaluate")
    Traceback (most recent call last):
    sonovec.errors.MissingExtraError: drawing needs not_there: pip install 'sonovec[evaluate]'
    """
    try:
        with _IMPORTING:
            import_module(module)
    except ImportError:
        raise MissingExtraError(f"{what} needs {NAMES.get(module, module)}: pip install 'sonovec[{extra}]'") from None
