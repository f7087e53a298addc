"""Names of AudioSet's 527 classes, in the order in which models give their scores.

The list is a fact of the dataset: https://research.google.com/audioset (Gemmeke et al. 2017, CC BY 4.0).
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files


@cache
def classes() -> dict[str, str]:
    """Identifiers and names of all classes, in AudioSet's order.

    Examples
    --------
    >>> len(classes()), classes()["/m/0bt9lr"]
    (527, 'Dog')
    """
    text = files("sonovec.models").joinpath("audioset.csv").read_text(encoding="utf-8")
    return {row["mid"]: row["name"] for row in csv.DictReader(text.splitlines())}


def names(*, without: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Names of the classes, but for those of the identifiers `without`.

    Examples
    --------
    >>> names()[:2]
    ('Speech', 'Male speech, man speaking')
    """
    return tuple(name for mid, name in classes().items() if mid not in without)
