"""What an installation of sonovec brings with it is under permissive licences, but for what the documentation names."""

from __future__ import annotations

import importlib.metadata as metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

PERMISSIVE = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0"),
    *("HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
}  # fmt: skip
#: How people write these licences where they write no SPDX expression: in the field `License`, or as a classifier.
WORDS = {
    "Apache 2": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
#: The only ones of another kind; docs/architecture.md tells what each is for and what it asks.
NAMED = {"soxr": {"LGPL-2.1-or-later"}, "certifi": {"MPL-2.0"}}
#: Of the tests alone.
NAMED_IN_EXTRAS = {**NAMED, "hypothesis": {"MPL-2.0"}}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(requirements: Iterable[str], extras: Iterable[str] = ()) -> Iterator[Requirement]:
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in ("", *extras)):
            yield requirement


def core() -> dict[str, metadata.Distribution]:
    """What is installed with sonovec without extras, with all that those need in turn."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [*needed(PROJECT["dependencies"])]
    while waiting:
        requirement = waiting.pop()
        if (name := normal(requirement.name)) not in found:
            found[name] = metadata.distribution(name)
            waiting += needed(found[name].requires or (), requirement.extras)
    return found


def of_extras() -> dict[str, metadata.Distribution]:
    """What extras ask for themselves, as far as it is installed."""
    found = {}
    for requirement in needed(asked for extra in PROJECT["optional-dependencies"].values() for asked in extra):
        name = normal(requirement.name)
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def licences(told: metadata.PackageMetadata) -> set[str]:
    """All licences that a distribution names; of two that it gives as a choice, the permissive one."""
    classified = [line.split(" :: ")[-1] for line in told.get_all("Classifier") or () if line.startswith("License ::")]
    field = " ".join((told.get("License") or "").split())
    text = told.get("License-Expression") or (field if len(field) < 60 else "")
    parts = text.removeprefix("OSI Approved :: ").split(" AND ") if text else classified
    return {next((one for one in map(known, part.split(" OR ")) if one in PERMISSIVE), known(part)) for part in parts}


def known(words: str) -> str:
    return WORDS.get(words, words)


def copyleft(distributions: dict[str, metadata.Distribution]) -> dict[str, set[str]]:
    """What is not permissive, or not known to be: nothing said is not permission either."""
    said = {name: licences(found.metadata) or {"no licence"} for name, found in distributions.items()}
    return {name: odd for name, found in said.items() if (odd := found - PERMISSIVE)}


def test_the_core_needs_nothing_under_copyleft_but_what_is_named():
    found = core()
    assert {"av", "numpy", "pylance", "idna"} <= set(found)
    assert copyleft(found) == NAMED


def test_extras_ask_for_nothing_under_copyleft_but_what_is_named():
    found = copyleft(of_extras())
    assert found.items() <= NAMED_IN_EXTRAS.items()


def test_the_documentation_names_them():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    _, _, section = text.partition("## Licences")
    for name, odd in NAMED_IN_EXTRAS.items():
        assert f"`{name}`" in section and all(licence in section for licence in odd)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"License-Expression": "MIT"}, {"MIT"}),
        ({"License-Expression": "MIT AND GPL-2.0-or-later"}, {"MIT", "GPL-2.0-or-later"}),
        ({"License-Expression": "GPL-3.0-only OR MIT"}, {"MIT"}),
        ({"License": "GPL-2.0-or-later"}, {"GPL-2.0-or-later"}),
        ({"License": "x" * 5000, "Classifier": "License :: OSI Approved :: MIT License"}, {"MIT"}),
        ({"License": "MPL-2.0 AND MIT"}, {"MPL-2.0", "MIT"}),
        (
            {"Classifier": "License :: OSI Approved :: GNU General Public License v2 or later (GPLv2+)"},
            {"GNU General Public License v2 or later (GPLv2+)"},
        ),
        ({}, set()),
    ],
)
def test_what_a_distribution_says_is_read(tmp_path, fields, expected):
    folder = tmp_path / "x-1.dist-info"
    folder.mkdir()
    lines = {"Metadata-Version": "2.4", "Name": "x", "Version": "1", **fields}
    (folder / "METADATA").write_text("".join(f"{name}: {value}\n" for name, value in lines.items()))
    found = metadata.PathDistribution(folder)
    assert licences(found.metadata) == expected
    assert copyleft({"x": found}) == ({"x": odd} if (odd := (expected or {"no licence"}) - PERMISSIVE) else {})
