"""Signed messages of 2.x: ``Action-Signed`` with a JWS around the payload (part 4 §7). The message inside is served.

Knows no keys: verifying is for whoever has them, and the backend has the whole signed text in the event's payload.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from .frames import Call, Send

SUFFIX = "-Signed"


def unwrapped(call: Call | Send) -> Call | Send | None:
    """The message inside, with the signed text as its ``raw``; None when it is not signed, or not readable."""
    wrapped = call.payload.get("payload")
    if not call.action.endswith(SUFFIX) or not isinstance(wrapped, str):
        return None
    try:
        text = base64.urlsafe_b64decode(wrapped + "=" * (-len(wrapped) % 4))
        payload = msgspec.json.decode(text)
    except (ValueError, binascii.Error, RecursionError):
        return None
    return type(call)(call.id, call.action.removesuffix(SUFFIX), payload, call.raw) if isinstance(payload, dict) else None
