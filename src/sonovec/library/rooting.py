"""How roots come to be, are moved and get other names; whoever calls it holds the library's lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count, islice
from pathlib import Path

from sonovec.errors import AudioError, UsageError
from sonovec.library import roots as rules
from sonovec.library.filters import Filter, IsNull, Not, StartsWith, all_of
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Ledger
from sonovec.library.roots import PATH, Root, Roots
from sonovec.library.store import Store
from sonovec.library.vanished import mount_of
from sonovec.paths import display

#: Tracks that are looked at to find out whether a folder is what another machine, or a lost ledger, called so.
SAMPLE = 20


def declare(store: Store, ledger: Ledger, paths: Iterable[Path]) -> Roots:
    """Give aliases to the folders that are indexed, and to those of single files; within a root, none is needed."""
    for path in paths:
        given = path.is_dir()
        folder = path if given else path.parent
        around = {folder, *folder.parents}
        known = ledger.given_roots() if given else ledger.roots()
        if not around.isdisjoint(known.values()) or not folder.is_dir():
            continue
        ledger.add_root(_free_alias(store, ledger, folder), folder, given)
    return Roots.of(ledger)


def listed(store: Store, ledger: Ledger | None) -> list[Root]:
    """The roots of this machine, then the aliases that only other machines know."""
    known = ledger.roots() if ledger is not None else {}
    here = [Root(alias, folder, ledger.held_under(folder)) for alias, folder in known.items()] if ledger else []
    return [*here, *(Root(alias, None) for alias in _strangers(store, ledger))]


def _strangers(store: Store, ledger: Ledger | None) -> list[str]:
    """Aliases in the store that are not known here; each costs one look for a track of none of the others."""
    known = [] if ledger is None else [*ledger.roots(), *ledger.former_roots()]
    found: list[str] = []
    others: list[Filter] = [Not(StartsWith(PATH, f"{alias}:/")) for alias in known]
    others += [Not(StartsWith(PATH, "/")), Not(StartsWith(PATH, "file:/")), Not(IsNull(PATH))]
    while (track := next(store.tracks(all_of(*others), limit=1), None)) is not None:
        alias = rules.alias_in(track.path)
        if alias is None:  # a path of another system, as it was kept once
            others.append(Not(StartsWith(PATH, track.path)))
            continue
        found.append(alias)
        others.append(Not(StartsWith(PATH, f"{alias}:/")))
    return found


def move(store: Store, ledger: Ledger, old: str, new: Path) -> str:
    """Say where a root lies now, and give its alias.

    Raises
    ------
    UsageError
        There is no such root; or the folder is none, is another root, or lies in the old one or around it.
    """
    alias = _named(store, ledger, old)
    folders = ledger.roots()
    if not new.is_dir():
        raise UsageError(f"{display(new)}: no such folder; give the folder where the files of {alias!r} are now")
    if (other := next((a for a, folder in folders.items() if folder == new), None)) is not None:
        raise UsageError(f"{display(new)} is the root {other!r} already" + ("" if other == alias else "; see them all"))
    before = folders.get(alias)
    if before is not None and (new.is_relative_to(before) or before.is_relative_to(new)):
        raise UsageError(
            f"{display(new)} and {display(before)} lie in one another; move the files to a folder beside it"
        )
    ledger.move_root(alias, new, mount_of(new))
    return alias


def rename(store: Store, ledger: Ledger, old: str, new: str) -> str:
    """Give a root of this machine another alias, which is returned.

    Raises
    ------
    UsageError
        There is no such root here; or the new alias is taken, or cannot be one.
    """
    alias = _named(store, ledger, old)
    if alias not in ledger.roots():
        raise UsageError(f"root {alias!r} is not on this machine; rename it where it is")
    if (why := rules.fault(new)) is not None:
        raise UsageError(f"alias {new!r} {why}")
    if new in ledger.roots() or (new not in ledger.former_roots() and _sample(store, new)):
        raise UsageError(f"alias {new!r} is taken; give another")
    ledger.rename_root(alias, new)
    return new


def _named(store: Store, ledger: Ledger, name: str) -> str:
    """The alias of a root that is named by it or by its folder."""
    folders = ledger.roots()
    if name in folders:
        return name
    place = Path(name).expanduser().absolute()
    by_folder = next((alias for alias, folder in folders.items() if folder == place), None)
    if by_folder is not None:
        return by_folder
    others = _strangers(store, ledger)
    if name in others:
        return name
    known = ", ".join(map(repr, [*folders, *others])) or "none yet: index a folder first"
    raise UsageError(f"no root {name!r}; the roots are {known}")


def _free_alias(store: Store, ledger: Ledger, folder: Path) -> str:
    """The folder's name; with a number where that is another folder's, also on another machine.

    An alias that is in the library and not in this ledger is taken for this folder if a file in it is what the library has
    under that name: the same files on another machine, or a ledger that was lost.
    """
    name = rules.default_alias(folder)
    aliases = (name if number == 1 else f"{name}-{number}" for number in count(1))
    known = {**ledger.roots(), **ledger.former_roots()}
    return next(
        alias
        for alias in aliases
        if alias not in known and (not (held := _sample(store, alias)) or _is_there(alias, folder, held))
    )


def is_free(store: Store, ledger: Ledger, alias: str, tracks: Mapping[str, str]) -> bool:
    """Whether an alias is free for a root that holds these tracks, given as {what is kept for the path: id}.

    It is also if the library has one of them under that alias already, or the root of this machine that has it is the same.
    """
    known = {**ledger.former_roots(), **ledger.roots()}
    held = _sample(store, alias)
    if not held and alias not in known:
        return True
    if any(track.path in tracks for track in store.get(tracks.values()).values()):
        return True
    return alias in known and _is_there(alias, known[alias], dict(tracks))


def _sample(store: Store, alias: str) -> dict[str, str]:
    """Contents of a few tracks of an alias, by what the library keeps for their paths."""
    return {
        track.path: track.id for track in islice(store.tracks(StartsWith(PATH, f"{alias}:/"), limit=SAMPLE), SAMPLE)
    }


def _is_there(alias: str, folder: Path, held: dict[str, str]) -> bool:
    roots = Roots({alias: folder})
    for text, content in held.items():
        path = roots.local(text)
        try:
            if path is not None and path.is_file() and content_hash(path) == content:
                return True
        except (AudioError, OSError):
            continue
    return False
