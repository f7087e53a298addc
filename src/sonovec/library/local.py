"""What this machine has of a library: its ledger, the lock of who writes, and where the folders of its tracks lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sonovec.errors import LibraryError, UsageError
from sonovec.library.ledger import Ledger
from sonovec.library.location import Location, ledger_path, lock_path
from sonovec.library.lock import Lock
from sonovec.library.once import Opening, once
from sonovec.library.place import is_foreign, read_only_for
from sonovec.library.roots import Roots
from sonovec.paths import display, to_text


class LocalFiles(Opening):
    """The local side of a library, wherever its vectors are; what it opens is opened when it is first needed."""

    def __init__(self, location: Location) -> None:
        super().__init__()
        self._location = location
        self.ledger_path = ledger_path(location)

    def close(self) -> None:
        """Close the ledger; it opens again when it is needed."""
        if "ledger" in self.__dict__:
            self.__dict__.pop("ledger").close()

    @once
    def ledger(self) -> Ledger:
        """A row for every file ever seen, on this machine."""
        return Ledger(self.ledger_path, read_only=self.why_read_only() is not None)

    @contextmanager
    def ledger_to_read(self) -> Iterator[Ledger | None]:
        """The ledger, or None where there is none.

        One that this user may not write is opened for this one look: whoever may write it could change it.
        """
        if not self.ledger_path.exists():
            yield None
        elif self.why_read_only() is None:
            yield self.ledger
        else:
            with Ledger(self.ledger_path, read_only=True) as ledger:
                yield ledger

    def roots(self) -> Roots:
        """Where the folders of the library's tracks lie on this machine."""
        with suppress(LibraryError), self.ledger_to_read() as ledger:
            return Roots.of(ledger)
        return Roots({})  # its ledger cannot be read: a search goes on without

    def shown(self) -> Callable[[str, str], str]:
        """What tells, of the id of a track and what the library keeps for its path, the text of its path on this machine.

        Where its root is not known here, that is the path of a file of the same content that this machine has indexed, or
        else what the library keeps.
        """
        roots = self.roots()

        def shown(id: str, text: str) -> str:
            if roots.local(text) is None:
                with suppress(LibraryError), self.ledger_to_read() as ledger:
                    holder = next(ledger.holders(id), None) if ledger else None
                    return text if holder is None else to_text(holder.path)
            return roots.shown(text)

        return shown

    def locked(self, cannot: str) -> Lock:
        """The lock of who writes; `cannot` is what another process then cannot do."""
        remedy = "wait for it or stop it; searching works meanwhile"
        return Lock(lock_path(self._location), f"{self._location}: {cannot}", remedy)

    def why_read_only(self) -> str | None:
        """Why this user cannot write the library, or None."""
        return read_only_for(self._location)

    def refuse(self, exists: bool) -> None:
        """Refuse a folder that holds other things than a library, and one that may not be written."""
        if not exists and is_foreign(self._location):
            folder = Path(self._location.address)
            raise UsageError(
                f"{display(folder)}: is not a library and holds other files; give a new folder, such as "
                f"-l {display(folder / 'library')}"
            )
        if (reason := self.why_read_only()) is not None:
            remedy = "give another place"
            if exists:
                remedy = (
                    "it can be searched as it is; to add sounds, get the right to write it, or index into another "
                    "library"
                )
            raise LibraryError(f"{self._location}: cannot be written ({reason}); {remedy}: sonovec index PATH -l NEW")
