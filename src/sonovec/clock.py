"""Times as people write them."""

from __future__ import annotations

import re


def seconds_of(text: str) -> float | None:
    """The seconds of a time as people write it; None where it is not a time.

    Examples
    --------
    >>> seconds_of("80"), seconds_of("1:20"), seconds_of("1:02:03.5"), seconds_of("90:00"), seconds_of("1:75")
    (80.0, 80.0, 3723.5, 5400.0, None)
    """
    if not re.fullmatch(r"-?\d+(\.\d*)?|(\d+:)?\d+:\d+(\.\d*)?", text):
        return None
    parts = [float(part) for part in text.split(":")]
    if any(part >= 60 for part in parts[1:]):
        return None
    return sum((part * 60.0**power for power, part in enumerate(reversed(parts))), 0.0)
