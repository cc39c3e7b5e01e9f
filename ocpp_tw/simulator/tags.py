"""Which tags may charge: the central system's verdict, and without it the local list and the cache.

Knows neither the connection nor what follows when a tag is accepted.
"""

from __future__ import annotations

from ..facts import Authorization, Authorize
from .errors import Refusal, Unanswered
from .host import Host


class Tags:
    """The local list with its version, and the authorization cache, of one charger."""

    __slots__ = ("_host", "cache", "local", "version")

    def __init__(self, host: Host) -> None:
        self._host = host
        self.local: dict[str, Authorization] = {}
        self.version = 0
        self.cache: dict[str, Authorization] = {}

    async def authorize(self, tag: str, kind: str = "") -> bool:
        """Authorize a tag (of type ``kind`` in 2.x); without an answer, by the list, the cache and AllowOfflineTxForUnknownId."""
        try:
            verdict = await self._host.request(Authorize(tag, kind))
        except (Unanswered, Refusal):
            stored = self.local.get(tag) or self.cache.get(tag)
            return stored.status == "Accepted" if stored is not None else self._host.configuration.truth("AllowOfflineTxForUnknownId")
        assert isinstance(verdict, Authorization)
        self.cache[tag] = verdict
        self._host.tally.tag_status(verdict.status)
        return verdict.status == "Accepted"
