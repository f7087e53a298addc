"""Tags written by hand, byte by byte, since no library that writes them all may be used."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from tests.audio.test_ogg import Page, pages_of

Fields = Mapping[str, Sequence[str]]

ID3 = {
    2: {"title": "TT2", "artist": "TP1", "album": "TAL", "genre": "TCO", "date": "TYE"},
    3: {"title": "TIT2", "artist": "TPE1", "album": "TALB", "genre": "TCON", "date": "TYER"},
    4: {"title": "TIT2", "artist": "TPE1", "album": "TALB", "genre": "TCON", "date": "TDRC"},
}
CODECS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
UNSYNCHRONISED = 0x80


def synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def unsynchronised(data: bytes) -> bytes:
    parts = [
        bytes([a, 0]) if a == 255 and (b >= 0xE0 or b == 0) else bytes([a])
        for a, b in zip(data, data[1:] + b"\0", strict=True)
    ]
    return b"".join(parts)


def id3_frame(version: int, name: str, data: bytes, flags: int = 0) -> bytes:
    if version == 2:
        return name.encode() + len(data).to_bytes(3, "big") + data
    size = synchsafe(len(data)) if version == 4 else struct.pack(">I", len(data))
    return name.encode() + size + bytes([0, flags]) + data


def id3_text(values: Sequence[str], encoding: int = 3) -> bytes:
    end = "\0".encode("utf-16-le" if encoding in (1, 2) else "latin-1")
    return bytes([encoding]) + end.join(value.encode(CODECS[encoding]) for value in values)


def id3_tag(version: int, frames: bytes, flags: int = 0, padding: int = 100) -> bytes:
    body = frames + bytes(padding)
    if flags & UNSYNCHRONISED and version < 4:
        body = unsynchronised(body)
    return b"ID3" + bytes([version, 0, flags]) + synchsafe(len(body)) + body


def id3(fields: Fields, version: int = 4, encoding: int = 3, *, before: bytes = b"", flags: int = 0) -> bytes:
    """A tag of version 2 with `before` as its first frames."""
    frames = b"".join(
        id3_frame(version, ID3[version][name], id3_text(values, encoding)) for name, values in fields.items()
    )
    return id3_tag(version, before + frames, flags)


def id3_cover(version: int, size: int) -> bytes:
    """A frame with a picture, whose bytes look like MPEG audio and like frames."""
    picture = (b"\xff\xe0TIT2\0\0\0\5\0\0\3no.." * (size // 17 + 1))[:size]
    about = b"\0PNG\3\0" if version == 2 else b"\0image/png\0\3\0"
    return id3_frame(version, "PIC" if version == 2 else "APIC", about + picture)


def id3v1(fields: Fields, genre: int = 255) -> bytes:
    def fixed(name: str, size: int) -> bytes:
        return "/".join(fields.get(name, ())).encode("latin-1")[:size].ljust(size, b"\0")

    parts = [fixed("title", 30), fixed("artist", 30), fixed("album", 30), fixed("date", 4), bytes(30), bytes([genre])]
    return b"TAG" + b"".join(parts)


def ape(fields: Fields, *, header: bool = True, cover: int = 0) -> bytes:
    texts = {name.title().replace("Date", "Year"): "\0".join(values) for name, values in fields.items()}
    items = [(name, 0, text.encode()) for name, text in texts.items()]
    if cover:
        items.insert(0, ("Cover Art (Front)", 2, bytes(cover)))
    body = b"".join(struct.pack("<II", len(d), flags) + name.encode() + b"\0" + d for name, flags, d in items)

    def end(flags: int) -> bytes:
        return struct.pack("<8sIIII8x", b"APETAGEX", 2000, len(body) + 32, len(items), flags)

    has = 1 << 31 if header else 0
    return (end(has | 1 << 29) if header else b"") + body + end(has)


def comments(fields: Fields, *, cover: int = 0) -> bytes:
    texts = [f"{name.upper()}={value}" for name, values in fields.items() for value in values]
    texts[:0] = ["METADATA_BLOCK_PICTURE=" + "A" * cover] if cover else []
    raw = [text.encode() for text in texts]
    return struct.pack("<I", 4) + b"test" + struct.pack("<I", len(raw)) + b"".join(
        struct.pack("<I", len(text)) + text for text in raw
    )  # fmt: skip


def flac(data: bytes, block: bytes) -> bytes:
    """FLAC with STREAMINFO, a picture of 300 kB and these comments alone before its frames."""
    at, last = 4, 0
    while not last:
        last, size = data[at] & 0x80, int.from_bytes(data[at + 1 : at + 4], "big")
        at += 4 + size
    picture = bytes([6]) + (300_000).to_bytes(3, "big") + bytes(300_000)
    return (
        data[:42].replace(b"fLaC\x80", b"fLaC\0")
        + picture
        + bytes([0x84])
        + len(block).to_bytes(3, "big")
        + block
        + data[at:]
    )


def ogg(data: bytes, block: bytes) -> bytes:
    """Ogg whose second packet has these comments, over as many pages as that takes."""
    pages = pages_of(data)
    packets, ends = [b""], []
    for place, page in enumerate(pages[1:], start=1):
        at = 0
        for length in page.lacing:
            packets[-1] += page.body[at : at + length]
            at += length
            if length < 255:
                packets.append(b"")
        ends.append(place)
        if len(packets) > (2 if pages[0].body.startswith(b"\x01vorbis") else 1) and not packets[-1]:
            break
    prefix = b"\x03vorbis" if packets[0].startswith(b"\x03vorbis") else b"OpusTags"
    packets[0] = prefix + block + b"\1"
    lacing = b"".join(bytes([255]) * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets[:-1])
    body = b"".join(packets)
    made, at = [pages[0]], 0
    for first in range(0, len(lacing), 255):
        pieces = lacing[first : first + 255]
        flags = 1 if first and lacing[first - 1] == 255 else 0
        made.append(Page(flags, 0, pages[0].serial, len(made), pieces, body[at : at + sum(pieces)]))
        at += sum(pieces)
    rest = pages[ends[-1] + 1 :]
    made += [Page(p.flags, p.granule, p.serial, len(made) + i, p.lacing, p.body) for i, p in enumerate(rest)]
    return b"".join(page.to_bytes() for page in made)


def atom(name: str, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name.encode("latin-1") + content


def ilst(fields: Fields, *, cover: int = 0, genre: int | None = None) -> bytes:
    names = {"title": "©nam", "artist": "©ART", "album": "©alb", "genre": "©gen", "date": "©day"}
    items = [atom("covr", atom("data", struct.pack(">II", 13, 0) + bytes(cover)))] if cover else []
    for name, values in fields.items():
        items.append(
            atom(names[name], b"".join(atom("data", struct.pack(">II", 1, 0) + value.encode()) for value in values))
        )
    if genre is not None:
        items.append(atom("gnre", atom("data", struct.pack(">IIH", 0, 0, genre))))
    handler = atom("hdlr", struct.pack(">II4s4s9x", 0, 0, b"mdir", b"appl"))
    return atom("udta", atom("meta", bytes(4) + handler + atom("ilst", b"".join(items))))


def mp4(data: bytes, udta: bytes) -> bytes:
    """MP4 whose `moov`, its last atom, ends in these user data."""
    at = 0
    while data[at + 4 : at + 8] != b"moov":
        at += struct.unpack_from(">I", data, at)[0]
    return data[:at] + atom("moov", data[at + 8 :].replace(b"udta", b"free") + udta)


def info(items: Mapping[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2) for name, text in items.items()
    )
    return b"LIST" + struct.pack("<I", 4 + len(body)) + b"INFO" + body


def chunk(data: bytes, name: bytes, content: bytes) -> bytes:
    """WAV or AIFF with one more chunk behind the others."""
    order = "<I" if data.startswith(b"RIFF") else ">I"
    whole = data + name + struct.pack(order, len(content)) + content + bytes(len(content) % 2)
    return whole[:4] + struct.pack(order, len(whole) - 8) + whole[8:]


def asf(data: bytes, fields: Fields, *, cover: int = 0) -> bytes:
    """ASF whose header has the first values where they belong, and the further ones in a library of metadata."""
    names = {"title": "Title", "artist": "Author", "album": "WM/AlbumTitle", "genre": "WM/Genre", "date": "WM/Year"}

    def text(value: str) -> bytes:
        return (value + "\0").encode("utf-16-le")

    def item(kind: str, content: bytes) -> bytes:
        return UUID(kind).bytes_le + struct.pack("<Q", 24 + len(content)) + content

    def extended(name: str, kind: int, value: bytes) -> bytes:
        raw = text(name)
        return struct.pack("<H", len(raw)) + raw + struct.pack("<HH", kind, len(value)) + value

    def further(name: str, kind: int, value: bytes) -> bytes:
        raw = text(name)
        return struct.pack("<HHHHI", 0, 0, len(raw), kind, len(value)) + raw + value

    first = [text(fields.get(name, ("",))[0]) for name in ("title", "artist")]
    content = struct.pack("<5H", *map(len, first), 0, 0, 0) + b"".join(first)
    pairs = [
        extended(names[name], 3, struct.pack("<I", int(fields[name][0])))
        if name == "date"
        else extended(names[name], 0, text(fields[name][0]))
        for name in fields if name not in ("title", "artist")
    ]  # fmt: skip
    more = [further("WM/Picture", 1, bytes(cover))] if cover else []
    more += [further(names[name], 0, text(value)) for name, values in fields.items() for value in values[1:]]
    library = item("44231c94-9498-49d1-a141-1d134e457054", struct.pack("<H", len(more)) + b"".join(more))
    extension = UUID("abd3d211-a9ba-11cf-8ee6-00c00c205365").bytes_le + struct.pack("<HI", 6, len(library)) + library
    objects = [
        item("5fbf03b5-a92e-11cf-8ee3-00c00c205365", extension),
        item("d2d0a440-e307-11d2-97f0-00a0c95ea850", struct.pack("<H", len(pairs)) + b"".join(pairs)),
        item("75b22633-668e-11cf-a6d9-00aa0062ce6c", content),
    ]
    size, count = struct.unpack_from("<QI", data, 16)
    added = b"".join(objects)
    # Before the header's own objects, for readers may take the first of a kind.
    header = data[:16] + struct.pack("<QI", size + len(added), count + len(objects)) + data[28:30] + added
    return header + data[30:]


def dsf(tag: bytes) -> bytes:
    sound = bytes([0x69]) * 8192
    end = 28 + 52 + 12 + len(sound)
    head = b"DSD " + struct.pack("<QQQ", 28, end + len(tag), end)
    form = b"fmt " + struct.pack("<QIIIIIIQII", 52, 1, 0, 1, 1, 2_822_400, 1, 8 * len(sound), 4096, 0)
    return head + form + b"data" + struct.pack("<Q", 12 + len(sound)) + sound + tag


#: How a file of each ending takes tags, with covers before the texts.
INTO: dict[str, Callable[[bytes, Fields], bytes]] = {
    ".mp3": lambda data, fields: id3(fields, before=id3_cover(4, 300_000)) + data,
    ".aac": lambda data, fields: id3(fields, before=id3_cover(4, 300_000)) + data,
    ".flac": lambda data, fields: flac(data, comments(fields)),
    ".ogg": lambda data, fields: ogg(data, comments(fields, cover=400_000)),
    ".opus": lambda data, fields: ogg(data, comments(fields, cover=400_000)),
    ".m4a": lambda data, fields: mp4(data, ilst(fields, cover=300_000)),
    ".wav": lambda data, fields: chunk(data, b"id3 ", id3(fields, before=id3_cover(4, 300_000))),
    ".aiff": lambda data, fields: chunk(data, b"ID3 ", id3(fields, before=id3_cover(4, 300_000))),
    ".wma": lambda data, fields: asf(data, fields, cover=300_000),
    ".wv": lambda data, fields: data + ape(fields, cover=300_000),
    ".tta": lambda data, fields: data + ape(fields, header=False),
}


def tag(path: Path, fields: Fields) -> Path:
    """Put tags into a file that has none."""
    path.write_bytes(INTO[path.suffix](path.read_bytes(), fields))
    return path
