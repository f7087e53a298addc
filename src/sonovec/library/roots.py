"""Roots: folders that were indexed, by aliases that every machine knows, so that a path means the same on each.

A library keeps the path of a track as ``alias:/what/lies/below.wav``, and each machine's ledger says in which folder the
alias lies there. So a folder can be moved, or lie elsewhere on another machine, and no track changes. An absolute path, as
former versions kept it, stays good until its folder is indexed again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import quote_from_bytes, unquote_to_bytes

from sonovec.library.filters import And, Compare, Contains, Filter, In, Not, Or, StartsWith, any_of
from sonovec.library.ledger import Ledger
from sonovec.paths import URI, display, from_text, known_texts, to_text

#: The field of a track that `Roots.translated` translates.
PATH = "path"
#: An alias has two characters or more, since ``C:/`` begins a path, and none that ends it.
_STORED = re.compile(r"(?P<alias>[^/\\:]{2,}):/(?P<below>.*)", re.DOTALL)
_FORBIDDEN = re.compile(r"[/\\:\x00-\x1f\x7f]+")
#: What other texts begin with.
_TAKEN = frozenset({"file", "http", "https"})
MOST_LETTERS = 100
#: Folders whose beginning is remembered.
REMEMBERED = 1000


@dataclass(frozen=True)
class Root:
    """A folder that was indexed.

    Attributes
    ----------
    alias : str
        What the library calls it.
    folder : Path or None
        Where it lies on this machine, if that is known.
    files : int
        Files below it that this machine's ledger holds.
    """

    alias: str
    folder: Path | None
    files: int = 0


@dataclass(frozen=True)
class Roots:
    """The folders of aliases on this machine, and those of aliases that they had once.

    Examples
    --------
    >>> roots = Roots({"Music": Path("/home/ann/Music"), "rain": Path("/home/ann/Music/field/rain")})
    >>> roots.stored(Path("/home/ann/Music/a.wav")), roots.stored(Path("/home/ann/Music/field/rain/b.wav"))
    ('Music:/a.wav', 'rain:/b.wav')
    >>> roots.shown("rain:/b.wav"), roots.shown("nas:/b.wav"), roots.shown("/else/b.wav")
    ('/home/ann/Music/field/rain/b.wav', 'nas:/b.wav', '/else/b.wav')
    >>> roots.short("/home/ann/Music/a.wav"), Roots({"Music": Path("/m")}).short("/m/a/b.wav")
    ('Music:/a.wav', 'a/b.wav')
    """

    folders: Mapping[str, Path]
    former: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, ledger: Ledger | None) -> Roots:
        """Those that a ledger knows."""
        return cls({}) if ledger is None else cls(ledger.roots(), ledger.former_roots())

    def stored(self, path: Path) -> str:
        """What a library keeps for an absolute path: by the innermost root that it lies in, or as it is."""
        folder, name = os.path.split(path)
        begin = self._beginnings(folder)  # once for all files of a folder: they may be very many
        try:
            name.encode()
        except UnicodeEncodeError:
            begin = None
        return self._stored(path) if begin is None else begin + name

    def _stored(self, path: Path) -> str:
        alias = self.alias_of(path)
        return to_text(path) if alias is None else stored_path(alias, path.relative_to(self.folders[alias]))

    @cached_property
    def _beginnings(self) -> Callable[[str], str | None]:
        return lru_cache(REMEMBERED)(self._beginning_in)

    def _beginning_in(self, folder: str) -> str | None:
        """How all begins that is kept of the files in a folder; None where that is not to be said so simply."""
        alias = self.alias_of(Path(folder))
        if alias is None:
            return None
        beginning = self._stored(Path(folder))
        if beginning.startswith(f"{alias}://"):
            return None
        return beginning if beginning.endswith(":/") else f"{beginning}/"

    def texts(self, path: Path) -> tuple[str, ...]:
        """All texts by which a library may hold an absolute path; that of today is the first."""
        by_root = (
            stored_path(alias, path.relative_to(folder))
            for alias, folder in self._all.items()
            if path.is_relative_to(folder)
        )
        return tuple(dict.fromkeys((self.stored(path), *by_root, *known_texts(path))))

    def is_of(self, text: str, path: Path) -> bool:
        """Whether a library may hold an absolute path as this text: it is one of `texts`."""
        return self.local(text) == path or (alias_in(text) is None and text in known_texts(path))

    def local(self, text: str) -> Path | None:
        """The path on this machine of what a library keeps; None where its root is not known here."""
        return self._local(text)

    @cached_property
    def _local(self) -> Callable[[str], Path | None]:
        return lru_cache(REMEMBERED)(self._find)  # all copies of a file ask for its path

    def _find(self, text: str) -> Path | None:
        alias = alias_in(text)
        if alias is None:
            return from_text(text)
        folder = self._all.get(alias)
        return None if folder is None else folder / _below(text)

    def shown(self, text: str) -> str:
        """The text of the path on this machine; where the root is not known here, what the library keeps."""
        path = None if alias_in(text) is None else self.local(text)
        return text if path is None else to_text(path)

    def short(self, text: str) -> str:
        """The text of a path as short as it is clear: below the one root that there is, or after its root's alias."""
        stored = text if alias_in(text) else self.stored(from_text(text))
        return stored.partition(":/")[2] if len(self.folders) == 1 and alias_in(stored) in self.folders else stored

    def alias_of(self, path: Path) -> str | None:
        """The innermost root that a path lies in, or is."""
        return next((self._aliases[folder] for folder in self._around(path)), None)

    def _around(self, path: Path) -> Iterator[Path]:
        return (folder for folder in (path, *path.parents) if folder in self._aliases)

    @cached_property
    def _all(self) -> Mapping[str, Path]:
        return {**self.former, **self.folders}

    @cached_property
    def _aliases(self) -> Mapping[Path, str]:
        return {folder: alias for alias, folder in self.folders.items()}

    # -- filters

    def translated(self, condition: Filter) -> Filter:
        """A filter on paths of this machine as one on what the library keeps; other conditions stay as they are."""
        match condition:
            case Not(part):
                return Not(self.translated(part))
            case And(parts):
                return And(tuple(map(self.translated, parts)))
            case Or(parts):
                return Or(tuple(map(self.translated, parts)))
            case Compare(field, "=", value) if field == PATH:
                return In(PATH, self._texts_of(str(value)))
            case In(field, values) if field == PATH:
                return In(PATH, tuple(dict.fromkeys(text for value in values for text in self._texts_of(str(value)))))
            case StartsWith(field, text) if field == PATH:
                # What begins an alias begins no path of this machine.
                others = [Not(StartsWith(PATH, f"{alias}:/")) for alias in self._all if f"{alias}:/".startswith(text)]
                return any_of([And((condition, *others)) if others else condition, *self._beginning(text)])
            case Contains(field, text) if field == PATH:
                return any_of([condition, *self._containing(text)])
        return condition

    def _texts_of(self, text: str) -> tuple[str, ...]:
        path = self.local(text)
        texts = self.texts(path) if path is not None and path.is_absolute() else ()
        return (text, *texts) if text in texts else (text,)  # a text that is not written as paths are means none

    def _beginning(self, text: str) -> Iterator[Filter]:
        for stored, here, rest in self._beginnings_here:
            if here.startswith(text):
                yield _all_that_begins(stored)
            elif text.startswith(here):
                yield StartsWith(PATH, stored + rest(text.removeprefix(here)))

    def _containing(self, text: str) -> Iterator[Filter]:
        """Roots whose folder contains the text, and what begins in the folder and ends below it."""
        for stored, here, rest in self._beginnings_here:
            if text in here:
                yield _all_that_begins(stored)
                continue
            for cut in range(1, len(text)):
                if here.endswith(text[:cut]):
                    yield StartsWith(PATH, stored + rest(text[cut:]))

    @cached_property
    def _beginnings_here(self) -> list[tuple[str, str, Callable[[str], str]]]:
        """How begins what is kept of a root's files, how their texts begin here, and what makes the rest of one the other's.

        Of each root twice: a path with bytes that are no UTF-8, be they in the folder or below it, is a URI here.
        """
        found: list[tuple[str, str, Callable[[str], str]]] = []
        for alias, folder in self._all.items():
            text = to_text(folder).removesuffix(os.sep)
            as_uri = URI + quote_from_bytes(os.fsencode(folder.as_posix())).removesuffix("/") + "/"
            plain = (as_uri, lambda rest: os.fsdecode(unquote_to_bytes(rest)))
            found.append((f"{alias}:/", *(plain if text.startswith(URI) else (text + os.sep, _slashes))))
            found.append((f"{alias}://", as_uri, str))
        return found


def _all_that_begins(beginning: str) -> Filter:
    """All of a root whose paths are kept in one of the two ways."""
    begins = StartsWith(PATH, beginning)
    return begins if beginning.endswith("//") else And((begins, Not(StartsWith(PATH, f"{beginning}/"))))


def stored_path(alias: str, below: Path) -> str:
    r"""What a library keeps; where a name is no UTF-8, with ``%NN`` after a second slash, which no path begins with.

    Examples
    --------
    >>> stored_path("Music", Path("a/Löwe.wav")), stored_path("Music", Path(os.fsdecode(b"L\xf6we 1.wav")))
    ('Music:/a/Löwe.wav', 'Music://L%F6we%201.wav')
    """
    name = below.as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"{alias}://{quote_from_bytes(os.fsencode(name))}"
    return f"{alias}:/{'' if name == '.' else name}"


def alias_in(text: str) -> str | None:
    """The alias in what a library keeps; None for an absolute path.

    Examples
    --------
    >>> alias_in("Music:/a.wav"), alias_in("/home/Music:/a.wav"), alias_in("C:/a.wav"), alias_in("file:///a.wav")
    ('Music', None, None, None)
    """
    match = _STORED.fullmatch(text)
    return match["alias"] if match and match["alias"].lower() not in _TAKEN else None


def fault(alias: str) -> str | None:
    """Say why something cannot be an alias; None for one that can.

    Examples
    --------
    >>> fault("Music") is None, fault("a/b")
    (True, "has a slash, a colon or a control character; call it 'a-b'")
    """
    if alias == _clean(alias):
        return None
    if _FORBIDDEN.search(alias):
        why = "has a slash, a colon or a control character"
    elif len(alias) > MOST_LETTERS:
        why = f"has more than {MOST_LETTERS} letters"
    else:
        why = "is too short, or begins texts of another kind"
    return f"{why}; call it {_clean(alias)!r}"


def default_alias(folder: Path) -> str:
    """An alias for a folder, from its name.

    Examples
    --------
    >>> default_alias(Path("/home/ann/Music")), default_alias(Path("/")), default_alias(Path("/m/a:b"))
    ('Music', 'root', 'a-b')
    """
    return _clean(display(folder.name))


def _clean(name: str) -> str:
    made = _FORBIDDEN.sub("-", name).strip()[:MOST_LETTERS]
    return f"root-{made}".rstrip("-") if len(made) < 2 or made.lower() in _TAKEN else made


def _below(text: str) -> PurePosixPath:
    below = text.partition(":/")[2]
    return PurePosixPath(os.fsdecode(unquote_to_bytes(below[1:])) if below.startswith("/") else below)


def _slashes(text: str) -> str:
    return text.replace(os.sep, "/")
