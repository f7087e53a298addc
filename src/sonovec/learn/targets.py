"""What is known of a class in a stretch or a window."""

from __future__ import annotations

#: The class is heard; it is not; nobody knows.
HEARD, NOT_HEARD, UNKNOWN = 1, 0, -1
