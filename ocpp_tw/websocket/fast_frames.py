"""The frames that nearly every message of every charger is: complete, final, masked, uncompressed text, taken straight out of the buffer.

Knows neither connections nor what is wrong with any other frame: those are left for Autobahn, untouched.
"""

from __future__ import annotations

from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled wheel for this platform: the same in Python, at fifteen times the price
    from websockets.utils import apply_mask

FINAL_TEXT: Final = 0x81
MASKED: Final = 0x80


def take(data: bytes, longest: int) -> tuple[bytes, int] | None:
    """The text of the frame that ``data`` begins with, and where the next one begins; None when it is not such a frame, or not all there.

    Frames of 64 KiB and more, and those longer than ``longest`` bytes, are not such frames either (RFC 6455 §5.2).
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
            return None  # not the shortest way to write it: a breach
    else:
        return None
    end = start + size
    if have < end or size > longest:
        return None
    return apply_mask(data[start:end], data[start - 4 : start]), end


def text_frame(text: bytes) -> bytes:
    """The frame that a server sends the text in: final and unmasked."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    if size < 65536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), text)
