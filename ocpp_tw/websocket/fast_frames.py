"""Reads and writes ordinary frames directly: complete, final, masked, uncompressed text, as nearly every message of a charger is.

Knows no connection, and judges no other frame: those are left untouched for Autobahn.
"""

from __future__ import annotations

from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled wheel for this platform: the same in Python, fifteen times slower
    from websockets.utils import apply_mask

FINAL_TEXT: Final = 0x81
MASKED: Final = 0x80


def take(data: bytes, max_size: int) -> tuple[bytes, int] | None:
    """The text of the frame at the start of ``data``, and the offset of the next frame; None when it is not an ordinary frame, or incomplete.

    Frames of 64 KiB and more, and those longer than ``max_size`` bytes, are not ordinary either (RFC 6455 §5.2).
    """
    have = len(data)
    if have < 6 or data[0] != FINAL_TEXT:
        return None
    size = data[1] - MASKED
    if size < 126:
        start = 6
        if size < 0:
            return None
    elif size == 126 and have >= 8:
        size, start = (data[2] << 8) | data[3], 8
        if size < 126:
            return None  # not the minimal encoding of the length: a protocol violation
    else:
        return None
    end = start + size
    if have < end or size > max_size:
        return None
    return apply_mask(data[start:end], data[start - 4 : start]), end


def text_frame(text: bytes) -> bytes:
    """A server's frame with this text: final and unmasked."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    if size < 65536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), text)
