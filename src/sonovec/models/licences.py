"""Licences of weights by their SPDX names, and whether they allow commercial use.

The names are those of the SPDX licence list (https://spdx.org/licenses); one that is not on it is a ``LicenseRef-`` of ours.
"""

from __future__ import annotations

#: What is known of a licence that nobody names.
UNKNOWN = "NOASSERTION"
#: That of NTT for BYOL-A: tests and evaluation alone.
NTT_EVALUATION = "LicenseRef-NTT-evaluation"

_COMMERCIAL_USE = {
    **dict.fromkeys(("0BSD", "AFL-3.0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "ISC", "MIT", "Zlib"), True),
    **dict.fromkeys(("CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "Unlicense", "WTFPL"), True),
    **dict.fromkeys(("AGPL-3.0", "GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0", "MPL-2.0"), True),
    **dict.fromkeys(("CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0"), False),
    **dict.fromkeys(("CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", NTT_EVALUATION), False),
}  # fmt: skip
_BY_SMALL_LETTERS = {name.lower(): name for name in _COMMERCIAL_USE}


def named(text: str) -> str:
    """The SPDX name of a licence that a model's page names in letters of any size; `UNKNOWN` where it names none.

    Examples
    --------
    >>> named("apache-2.0"), named("openrail"), named("")
    ('Apache-2.0', 'LicenseRef-openrail', 'NOASSERTION')
    """
    if text.lower() in ("", "other", "unknown"):
        return UNKNOWN
    return _BY_SMALL_LETTERS.get(text.lower(), f"LicenseRef-{text}")


def commercial_use(licence: str) -> bool | None:
    """Whether a licence, or each of some that are joined by AND, allows commercial use; None where that is not known.

    Examples
    --------
    >>> commercial_use("CC-BY-4.0 AND MIT"), commercial_use("CC-BY-NC-4.0 AND MIT"), commercial_use("LicenseRef-mine")
    (True, False, None)
    """
    allowed = {_COMMERCIAL_USE.get(part) for part in licence.split(" AND ")}
    if False in allowed:
        return False
    return None if None in allowed else True
