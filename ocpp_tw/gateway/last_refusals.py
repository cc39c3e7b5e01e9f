"""Remembers of each identity the last handshake that was refused: when, from where, with which status and why, for whoever looks into it.

Kept in memory, here only. Knows neither why a handshake is refused nor who asks; what was shown in it is not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from ..core.stamps import Stamps
from ..interfaces import HandshakeRefused, HandshakeRequest

MAX_NAMES = 10_000
"""Most identities of which one is remembered, each some 300 bytes; then the one that was refused longest ago is forgotten."""


class LastRefusal(TypedDict):
    """A refused handshake, as operators are shown it."""

    time: str
    """when (UTC)"""
    remote_address: str
    """from where"""
    status: int
    """the HTTP status it was answered"""
    reason: str
    """why"""


class LastRefusals:
    """One for a gateway. ``unix`` tells the time."""

    def __init__(self, unix: Callable[[], float]) -> None:
        self._now = Stamps(unix).now
        self._refusals: dict[str, LastRefusal] = {}

    def note(self, request: HandshakeRequest, why: HandshakeRefused) -> None:
        """A handshake is refused."""
        self._refusals.pop(request.id, None)
        if len(self._refusals) >= MAX_NAMES:
            del self._refusals[next(iter(self._refusals))]
        self._refusals[request.id] = {
            "time": self._now(),
            "remote_address": request.address,
            "status": why.status,
            "reason": why.detail or why.reason,
        }

    def of(self, id: str) -> LastRefusal | None:
        """The last one of that identity; None if none is remembered."""
        return self._refusals.get(id)
