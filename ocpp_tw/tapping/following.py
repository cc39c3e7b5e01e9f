"""Reads the tap of a running gateway over HTTP: what was said last, and then what is said, connecting again when the stream ends.

Knows neither options nor how anything is shown.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

SILENCE = 45.0
"""Seconds without a byte, not even a heartbeat's, after which the stream counts as broken."""

AGAIN_AFTER = 2.0
"""Seconds until it is asked for again."""


class Refused(Exception):
    """The gateway does not serve this, or is not there; the text says why."""


def listed(values: Iterable[str]) -> str:
    """Several values of a parameter, as the gateway reads them."""
    return ",".join([each.replace("\\", "\\\\").replace(",", "\\,") for each in values])


class Tap:
    """The tap at a URL of operators' HTTP."""

    def __init__(self, url: str, token: str = "", ca: str | None = None) -> None:
        self._parts = urlsplit(url)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._tls = ssl.create_default_context(cafile=ca) if self._parts.scheme == "https" else None

    def last(self, charger: str, query: dict[str, str]) -> list[dict[str, Any]]:
        """The latest frames of a charger. Raises `Refused`."""
        with self._ask(f"/api/fleet/chargers/{quote(charger, safe='')}/frames?{urlencode(query)}") as response:
            return [json.loads(line) for line in response.read().splitlines()]

    def events(self, charger: str, query: dict[str, str]) -> list[dict[str, Any]]:
        """The latest events about a charger. Raises `Refused`."""
        with self._ask(f"/api/fleet/chargers/{quote(charger, safe='')}/events?{urlencode(query)}") as response:
            return [{"kind": "event", **each} for each in json.load(response)["events"]]

    def live(self, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        """What is told from now on, without an end. Raises `Refused` if it cannot begin; later it is asked for again, and again."""
        begun = False
        while True:
            try:
                with self._ask(f"/api/live?{urlencode(query)}") as response:
                    begun = True
                    for line in iter(response.readline, b""):
                        if line.startswith(b"data: "):
                            yield json.loads(line[6:])
                yield {"kind": "trouble", "detail": "the stream has ended"}
            except Refused:
                if not begun:
                    raise
            except (OSError, http.client.HTTPException) as why:
                yield {"kind": "trouble", "detail": f"the stream is broken: {why}"}
            time.sleep(AGAIN_AFTER)

    def _ask(self, path: str) -> http.client.HTTPResponse:
        host, port = self._parts.hostname or "", self._parts.port
        connection: http.client.HTTPConnection
        if self._tls is None:
            connection = http.client.HTTPConnection(host, port, timeout=SILENCE)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=SILENCE, context=self._tls)
        try:
            connection.request("GET", path, headers={**self._headers, "connection": "close"})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as why:
            connection.close()
            raise Refused(f"no answer from {self._parts.scheme}://{self._parts.netloc}: {why}. Is --url its operators' HTTP?") from None
        if response.status != 200:
            with response:
                said = response.read(2000).decode(errors="replace").strip()
            raise Refused(f"{response.status} {said}")
        return response
