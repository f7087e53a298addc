"""What a container may use of its machine: cgroups of Linux, version 1 and 2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

#: Where the system tells of the groups of this process, and where their files are.
MEMBERSHIP, ROOT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def cores_of_quota() -> float:
    """Cores that this process and those beside it in its group may keep busy; infinite where nothing limits them.

    The lowest quota of the group and of all above it counts.
    """
    return min((quota for group in _groups("cpu") for quota in _quotas(group)), default=math.inf)


def free_of_limit() -> float:
    """Bytes of memory that the group of this process may still take; infinite where nothing limits it."""
    return min((free for group in _groups("memory") for free in _free(group)), default=math.inf)


def _groups(controller: str) -> Iterator[Path]:
    """Folders of the group that this process is in, and of those above it."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            top = ROOT  # version 2
        elif controller in controllers.split(","):
            top = ROOT / controllers if (ROOT / controllers).is_dir() else ROOT / controller
        else:
            continue
        # In a container the path is often one of the host, and the group itself lies at the top.
        inside = [part for part in path.split("/") if part not in ("", "..")]
        yield from (top.joinpath(*inside[:count]) for count in range(len(inside), -1, -1))


def _quotas(group: Path) -> Iterator[float]:
    limit, period = (*_words(group / "cpu.max"), "", "")[:2]
    if not limit:
        limit, period = _word(group / "cpu.cfs_quota_us"), _word(group / "cpu.cfs_period_us")
    if limit.isdecimal() and period.isdecimal() and int(period):
        yield int(limit) / int(period)


def _free(group: Path) -> Iterator[float]:
    for most, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        limit, taken = _word(group / most), _word(group / used)
        if limit.isdecimal() and taken.isdecimal():
            yield max(0, int(limit) - int(taken))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except (OSError, UnicodeDecodeError):
        return []


def _word(file: Path) -> str:
    return next(iter(_words(file)), "")
