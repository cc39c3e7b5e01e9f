"""Signed messages of 2.x: ``Action-Signed`` with a JWS around the payload (part 4 §7). The message inside is served.

Knows no keys and verifies nothing: that is for the backend, which gets the whole signed text as the event's payload.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from ..repeated_secrets import secrets_in
from .frames import Call, Payload, Send, embedded
from .version import Version

SUFFIX = "-Signed"


def unwrapped(version: Version, call: Call | Send) -> Call | Send:
    """The message inside a signed one, with the signed text as its ``raw``; the message itself if it is not signed, or unreadable."""
    if not version.signed_messages or not call.action.endswith(SUFFIX):
        return call
    payload = signed_payload(call.payload.get("payload"))
    return call if payload is None else msgspec.structs.replace(call, action=call.action.removesuffix(SUFFIX), payload=payload)


def secrets_sent(action: str, payload: Any) -> list[str]:
    """The secrets of a request, signed or not, which its answer may repeat (`ocpp_tw.repeated_secrets`)."""
    inside = signed_payload(payload.get("payload")) if action.endswith(SUFFIX) and isinstance(payload, dict) else None
    return secrets_in(payload) if inside is None else secrets_in([payload, inside])


def signed_payload(encoded: object) -> Payload | None:
    """The JSON object in a JWS payload, which is base64url without padding (RFC 7515 §2)."""
    if not isinstance(encoded, str):
        return None
    try:
        return embedded(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, binascii.Error):
        return None
