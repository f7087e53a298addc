"""What the names of files and folders say before anything is read: sound, hidden by a custom, or not finished."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

_ENDINGS = frozenset(
    ending
    for line in (
        "3g2 3gp aa3 aac ac3 adts aif aifc aiff alac amr ape asf au avi caf dff dsf dts eac3 f4a f4v flac flv gsm m2ts",
        "m4a m4b m4r m4v mka mkv mov mp1 mp2 mp3 mp4 mpa mpc mpeg mpg mpga oga ogg ogm ogv ogx oma opus ra rf64 rm",
        "rmvb snd spx tak tta voc vob w64 wav wave weba webm wma wmv wv",
    )
    for ending in line.split()
)

#: Folders that systems and programs hide, and whose custom each is. A name that merely begins with a dot is not here:
#: `...And Justice for All` is an album and `.38 Special` a band.
_HIDDEN: Mapping[str, str] = {
    name: custom
    for custom, names in {
        "a waste basket": ".trash .trashes $recycle.bin .recycle #recycle @recycle",
        "kept by version control": ".git .hg .svn .bzr",
        "kept by the file system": "lost+found .snapshot .snapshots #snapshot .zfs .btrfs",
        "small pictures and caches": ".cache .thumbnails .thumbs .thumb .@__thumb @eadir",
        "kept by macOS": ".spotlight-v100 .fseventsd .documentrevisions-v100 .temporaryitems .appledouble .appledb "
        ".appledesktop .mobilebackups",
        "kept by a program that synchronises": ".stfolder .stversions .sync .dropbox .dropbox.cache .tmp.drivedownload "
        ".tmp.driveupload",
        "the settings and data of programs": ".config .local .var .mozilla .thunderbird .wine .steam .ssh .gnupg .android "
        ".gradle .m2 .npm .yarn .cargo .rustup .gem .nuget .dotnet .docker .kube .vscode .vscode-server .idea .conda .pyenv "
        ".rbenv .nvm .java .venv .tox .nox .eggs .mypy_cache .pytest_cache .ruff_cache .ipython .jupyter "
        ".ipynb_checkpoints .fonts .icons .themes .minecraft",
    }.items()
    for name in names.split()
} | {"system volume information": "kept by the file system"}

#: Files that may hold sound and are hidden, or not complete, by the custom of those who name them so: by how their names
#: end, and, where they begin with a dot, by the whole name.
_FILES: Mapping[str, str] = {
    ending: reason
    for reason, endings in {
        "an unfinished download": "part partial crdownload download opdownload filepart incomplete aria2 ytdl !qb !ut bc!",
        "a temporary file": "tmp temp",
    }.items()
    for ending in endings.split()
}
_FRAGMENT = re.compile(r"part-frag\d+")
_DOTTED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"\.trashed-\d+-.*", "hidden: in Android's waste basket"),
        (r"\.(fuse_hidden|nfs)[0-9a-f]{16,}", "hidden: deleted while it was open"),
        (r"\.pending-\d+-.*", "an unfinished download"),
        (rf"\..+\.({'|'.join(_ENDINGS)})\.[a-z0-9]{{6}}", "an unfinished copy"),  # as rsync calls it
    )
)

#: Names, as the system has them, that `library` asks for.
MARKS = frozenset((b"tracks.lance", b"library.json", b"ledger.sqlite", b"LOCK", b"collections"))


def sounds(name: str) -> bool:
    """Whether a name ends as those of audio and video files do.

    Examples
    --------
    >>> sounds("a.FLAC"), sounds("a.txt"), sounds("mp3")
    (True, False, False)
    """
    stem, dot, ending = name.rpartition(".")
    return bool(stem and dot) and ending.lower() in _ENDINGS


def left_out(name: str, is_folder: bool) -> str | None:
    """Say why something in a folder is left out for its name; None for what is to be looked at.

    Examples
    --------
    >>> left_out(".Trash-1000", True), left_out("...And Justice for All", True)
    ('hidden: a waste basket', None)
    >>> left_out("a.mp3.crdownload", False), left_out(".a.mp3", False)
    ('an unfinished download', None)
    """
    lowered = name.lower()
    if not is_folder:
        return _left_out_file(name, lowered)
    if lowered in _HIDDEN:
        return f"hidden: {_HIDDEN[lowered]}"
    if re.fullmatch(r"\.trash-\d+", lowered):
        return "hidden: a waste basket"
    stem, _, ending = lowered.rpartition(".")
    return "an unfinished download" if ending == "download" and sounds(stem) else None


def _left_out_file(name: str, lowered: str) -> str | None:
    if name.startswith("."):
        for pattern, reason in _DOTTED:
            if pattern.fullmatch(name):
                return reason
    _, dot, ending = lowered.rpartition(".")
    if dot and _FRAGMENT.fullmatch(ending):
        return "an unfinished download"
    return _FILES.get(ending) if dot else None


def library(name: str, inside: Set[str]) -> str | None:
    """Say that a folder is a library of sonovec, from its name and the names in it; None for any other folder.

    Examples
    --------
    >>> library("music", {"library.json", "ledger.sqlite", "tracks.lance"})
    'a library of sonovec'
    >>> library("music", {"library.json", "song.mp3"}) is None
    True
    """
    lance = "tracks.lance" in inside or inside >= {"library.json", "ledger.sqlite"}
    milvus = name.endswith(".db") and inside >= {"LOCK", "collections"}
    return "a library of sonovec" if lance or milvus else None
