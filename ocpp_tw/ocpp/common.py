"""What is read and answered the same way in every version, and helpers to read members of a payload.

Knows no version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..facts import BootNotification, DataTransfer, DataTransferResult, Heartbeat, Registration
from .frames import Payload
from .payload_json import is_integer
from .version import Translation

CODES: Mapping[str, str] = {
    "unknown": "NotImplemented",
    "unsupported": "NotSupported",
    "security": "SecurityError",
    "internal": "InternalError",
    "type": "TypeConstraintViolation",
    "enum": "PropertyConstraintViolation",
    "maxLength": "PropertyConstraintViolation",
    "minLength": "PropertyConstraintViolation",
    "maximum": "PropertyConstraintViolation",
    "minimum": "PropertyConstraintViolation",
    "multipleOf": "PropertyConstraintViolation",
    "pattern": "PropertyConstraintViolation",
}
"""The error codes that are the same in every version, by schema keyword and by our own names (`Version.codes`)."""


STATUS_BY_CERTIFICATE: Mapping[str, str] = {
    "CertificateExpired": "Expired",
    "CertificateRevoked": "Invalid",
    "CertChainError": "Invalid",
}
"""certificateStatus -> the tag's status, which overrides the verdict on the tag (C07.FR.15, 16, 17)."""


def text(payload: Payload, member: str) -> str | None:
    """A string member; None if it is missing or of another type."""
    value = payload.get(member)
    return value if isinstance(value, str) else None


def number(payload: Payload, member: str) -> int | None:
    """An integer member; None if it is missing, of another type, or out of all bounds."""
    value = payload.get(member)
    return value if is_integer(value) else None


def listed(payload: Payload, member: str) -> list[dict[str, Any]]:
    """An array member; empty if it is missing or of another type."""
    value = payload.get(member)
    return value if isinstance(value, list) else []


def inner(payload: Payload, member: str) -> Payload:
    """An object member; empty if it is missing or of another type."""
    value = payload.get(member)
    return value if isinstance(value, dict) else {}


def registration(fact: BootNotification, verdict: Registration, now: str) -> Payload:
    """The answer to a BootNotification."""
    return {"status": verdict.status, "currentTime": now, "interval": verdict.interval}


def _data_transfer_answer(fact: DataTransfer, verdict: DataTransferResult, now: str) -> Payload:
    return {"status": verdict.status} if verdict.data is None else {"status": verdict.status, "data": verdict.data}


def heartbeat(payload: bytes) -> Heartbeat | None:
    """A Heartbeat that is read in one pass: nearly all of them are the same."""
    return _HEARTBEAT if payload == b"{}" else None


_HEARTBEAT = Heartbeat()

HEARTBEAT = Translation(lambda payload: Heartbeat(), lambda fact, verdict, now: {"currentTime": now})

DATA_TRANSFER = Translation(
    lambda payload: DataTransfer(payload["vendorId"], text(payload, "messageId"), payload.get("data")),
    _data_transfer_answer,
    {"vendorId": str},
)
