"""What a page of the browser asks of the gateway, and how many bytes it gets for it; streams, which never end, are counted as they come."""

from __future__ import annotations

from collections import Counter
from typing import Any


class PageTraffic:
    """Of one page, from here on; by Chromium's own protocol, as playwright tells sizes of what has ended only."""

    def __init__(self, page: Any) -> None:
        self._urls: dict[str, str] = {}
        self._bytes: Counter[str] = Counter()
        self._session = page.context.new_cdp_session(page)
        self._session.on("Network.requestWillBeSent", self._sent)
        self._session.on("Network.dataReceived", self._received)
        self._session.send("Network.enable")

    @property
    def requests(self) -> int:
        """How many there were."""
        return len(self._urls)

    def largest(self) -> tuple[int, str]:
        """The request for which most bytes came, and how many."""
        return max(((self._bytes[id], url) for id, url in self._urls.items()), default=(0, ""))

    def total(self) -> int:
        """All bytes that came."""
        return self._bytes.total()

    def forget(self) -> None:
        """Count anew; of a stream that is open what comes from here on, as of a request of its own."""
        self._urls.clear()
        self._bytes.clear()

    def _sent(self, told: dict[str, Any]) -> None:
        self._urls[told["requestId"]] = told["request"]["url"]

    def _received(self, told: dict[str, Any]) -> None:
        self._bytes[told["requestId"]] += told["dataLength"]
