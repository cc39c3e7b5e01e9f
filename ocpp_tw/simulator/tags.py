"""Which tags may charge: what the central system says of them, and what is known of them without it.

Knows neither the wire nor what begins when a tag is accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts import Authorization, Authorize
from .dialect import Refusal
from .voice import Unanswered

if TYPE_CHECKING:
    from .charger import Charger


class Tags:
    """The local list with its version, and the authorization cache, of one charger."""

    __slots__ = ("_charger", "cache", "local", "version")

    def __init__(self, charger: Charger) -> None:
        self._charger = charger
        self.local: dict[str, Authorization] = {}
        self.version = 0
        self.cache: dict[str, Authorization] = {}

    async def authorize(self, tag: str, kind: str = "") -> bool:
        """Ask about a tag (of this type, in 2.x); without an answer, go by the list, the cache and AllowOfflineTxForUnknownId."""
        try:
            verdict = await self._charger.tell(Authorize(tag, kind))
        except (Unanswered, Refusal):
            known = self.local.get(tag) or self.cache.get(tag)
            return known.status == "Accepted" if known is not None else self._charger.configuration.truth("AllowOfflineTxForUnknownId")
        assert isinstance(verdict, Authorization)
        self.cache[tag] = verdict
        self.count(verdict.status)
        return verdict.status == "Accepted"

    def count(self, status: str) -> None:
        """The central system gave a tag this status."""
        if status != "Accepted":
            self._charger.tally.tags[status] += 1
