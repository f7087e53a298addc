"""What a container may use, by the files of cgroups as Docker, Kubernetes and systemd make them."""

from __future__ import annotations

import math

import pytest

from sonovec import cgroups
from sonovec.runtime import network


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Write the files that tell of the groups; `membership` is what /proc/self/cgroup says."""

    def make(membership, files):
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(cgroups, "MEMBERSHIP", tmp_path / "membership")
        monkeypatch.setattr(cgroups, "ROOT", tmp_path / "cgroup")

    return make


V1 = "12:memory:/docker/abc\n7:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"
QUOTAS = {
    "no files": ("0::/\n", {}, math.inf),
    "no limit": ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
    "a container": ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
    "a container with the host's path": ("0::/kubepods/pod1/abc\n", {"cpu.max": "50000 100000\n"}, 0.5),
    "a service": ("0::/system.slice/a.service\n", {"system.slice/a.service/cpu.max": "300000 100000\n"}, 3),
    "the group above": ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2),
    "version 1": (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 2.5),
    "version 1, no limit": (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
    "version 1, its own group": (
        V1,
        {"cpu/docker/abc/cpu.cfs_quota_us": "100000\n", "cpu/docker/abc/cpu.cfs_period_us": "50000\n"},
        2,
    ),
    "damaged": ("0::/\nnonsense\n", {"cpu.max": "?"}, math.inf),
    "an empty file": ("0::/\n", {"cpu.max": ""}, math.inf),
}


@pytest.mark.parametrize("kind", QUOTAS)
def test_quotas(system, kind):
    membership, files, cores = QUOTAS[kind]
    system(membership, files)
    assert cgroups.cores_of_quota() == cores


@pytest.mark.parametrize(
    ("quota", "cores"), [("50000", 1), ("100000", 1), ("150000", 2), ("400000", 4), ("9900000", 8), ("max", 8)]
)
def test_threads_respect_a_quota(system, monkeypatch, quota, cores):
    system("0::/\n", {"cpu.max": f"{quota} 100000\n"})
    monkeypatch.setattr(network.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.delenv("SONOVEC_JOBS", raising=False)
    assert network.settle_jobs() == cores


@pytest.mark.parametrize(
    ("membership", "files", "free"),
    [
        ("0::/\n", {"memory.max": "max\n", "memory.current": "5\n"}, math.inf),
        ("0::/\n", {"memory.max": "1000\n", "memory.current": "300\n"}, 700),
        ("0::/\n", {"memory.max": "1000\n", "memory.current": "1300\n"}, 0),
        (V1, {"memory/memory.limit_in_bytes": "1000\n", "memory/memory.usage_in_bytes": "1\n"}, 999),
        ("", {}, math.inf),
    ],
)
def test_memory(system, membership, files, free):
    system(membership, files)
    assert cgroups.free_of_limit() == free
