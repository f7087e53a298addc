"""What a file is, by its first bytes and never by its name."""

from __future__ import annotations

from typing import NamedTuple

HEAD = 4096
"""How many bytes of a file's beginning are enough for every question of this module."""

_ID3_HEADER, _ID3_FOOTER = 10, 0x10


class _Signature(NamedTuple):
    kind: str
    offset: int
    magic: bytes


_SIGNATURES = (
    _Signature("wav", 8, b"WAVE"),  # RIFF, RIFX, RF64, BW64
    _Signature("w64", 0, b"riff\x2e\x91\xcf\x11"),
    _Signature("aiff", 8, b"AIFF"),
    _Signature("aiff", 8, b"AIFC"),
    _Signature("svx", 8, b"8SVX"),
    _Signature("avi", 8, b"AVI "),
    _Signature("au", 0, b".snd"),
    _Signature("au", 0, b"dns."),
    _Signature("caf", 0, b"caff"),
    _Signature("flac", 0, b"fLaC"),
    _Signature("ogg", 0, b"OggS"),
    _Signature("mp4", 4, b"ftyp"),
    _Signature("mp4", 4, b"moov"),
    _Signature("matroska", 0, b"\x1a\x45\xdf\xa3"),
    _Signature("asf", 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    _Signature("flv", 0, b"FLV\x01"),
    _Signature("mpeg-ps", 0, b"\x00\x00\x01\xba"),
    _Signature("amr", 0, b"#!AMR"),
    _Signature("wavpack", 0, b"wvpk"),
    _Signature("ape", 0, b"MAC "),
    _Signature("tta", 0, b"TTA1"),
    _Signature("musepack", 0, b"MPCK"),
    _Signature("musepack", 0, b"MP+"),
    _Signature("dsf", 0, b"DSD "),
    _Signature("nist", 0, b"NIST_1A"),
    _Signature("voc", 0, b"Creative Voice File"),
    _Signature("realmedia", 0, b".RMF"),
    _Signature("ac3", 0, b"\x0b\x77"),
)

# Pictures share the container of mp4; their brand tells them apart.
_PICTURE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"crx ")


def id3_length(head: bytes) -> int:
    """Give the length in bytes of the ID3v2 tag that `head` begins with, 0 where there is none.

    Examples
    --------
    >>> id3_length(b"ID3" + bytes([4, 0, 0, 0, 0, 1, 2]))
    140
    """
    if not head.startswith(b"ID3") or len(head) < _ID3_HEADER:
        return 0
    size = 0
    for byte in head[6:_ID3_HEADER]:  # four bytes of seven bits each
        size = size << 7 | byte & 0x7F
    return _ID3_HEADER + size + (_ID3_HEADER if head[5] & _ID3_FOOTER else 0)


def kind(head: bytes) -> str | None:
    """Give the container or codec that `head` begins, or None where it is no audio or video that is known.

    Examples
    --------
    >>> kind(b"RIFF" + bytes(4) + b"WAVE")
    'wav'
    >>> kind(b"plain text") is None
    True
    """
    for signature in _SIGNATURES:
        if head.startswith(signature.magic, signature.offset):
            return None if head[8:12] in _PICTURE_BRANDS else signature.kind
    if head.startswith(b"ID3") or _is_mpeg_frame(head):
        return "mpeg"
    if len(head) > 188 and head[0] == head[188] == 0x47:
        return "mpeg-ts"
    return None


def has_sync(head: bytes) -> bool:
    """Say whether `head` begins with the eleven set bits of MPEG audio, the weakest sign of it."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def _is_mpeg_frame(head: bytes) -> bool:
    """Say whether a frame header of layer II, layer III or ADTS begins here, with no reserved value in it."""
    if len(head) < 4 or not has_sync(head):
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:  # ADTS; its bits before the layer are all set
        return head[1] & 0xF0 == 0xF0 and head[2] >> 2 & 15 < 13
    # Layer I is left out: nobody has such files, and UTF-16 text begins like one.
    return version != 1 and layer != 3 and head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3


def is_free_format(head: bytes) -> bool:
    """Say whether `head` begins MPEG audio of a bit rate that no table has, which its frames do not tell.

    Examples
    --------
    >>> is_free_format(bytes.fromhex("fffb0000")), is_free_format(bytes.fromhex("fffb9000"))
    (True, False)
    """
    return _is_mpeg_frame(head) and head[1] >> 1 & 3 != 0 and head[2] >> 4 == 0


# How the frames begin that players pass on to an amplifier in place of samples: DTS of 16 and 14 bits, and IEC 61937, which
# wraps AC-3 and others; each in both orders of bytes.
_HIDDEN = tuple(
    mark
    for words in ("7ffe8001", "1fffe800", "f8724e1f")
    for mark in (bytes.fromhex(words), bytes.fromhex(words[2:4] + words[:2] + words[6:] + words[4:6]))
)


def may_hide_a_stream(samples: bytes) -> bool:
    r"""Say whether samples of 16 bits have a mark among them of a compressed stream that is stored as if it were sound.

    Examples
    --------
    >>> may_hide_a_stream(bytes(100) + b"\xfe\x7f\x01\x80"), may_hide_a_stream(bytes(200))
    (True, False)
    """
    return any(mark in samples for mark in _HIDDEN)
