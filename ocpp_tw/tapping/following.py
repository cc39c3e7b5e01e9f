"""Reads the tap of a running gateway over HTTP: what was said last, and then what is said, connecting again when the stream ends.

Knows neither options nor how anything is shown.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

SILENCE = 45.0
"""Seconds without a byte, not even a heartbeat's, after which the stream counts as broken."""

AGAIN_AFTER = 2.0
"""Seconds until it is asked for again."""


MOST = "5000"
"""Frames and events of a charger that are asked for after a break."""

MISSED = "the stream is back: {count} were said meanwhile that gateways still know, what one knew that was started again is lost"


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

    def live(self, chargers: Sequence[str], what: Sequence[str], query: dict[str, str]) -> Iterator[dict[str, Any]]:
        """What is told of these chargers from now on, without an end. Raises `Refused` if it cannot begin; later it is asked for again, and again,
        and what gateways still know of the time between is told first."""
        asked = query | {"what": ",".join(what), "charger": listed(chargers)}
        begun, latest = False, dict.fromkeys(("frame", "event"), datetime.now(UTC).isoformat())
        while True:
            try:
                with self._ask(f"/api/live?{urlencode(asked)}") as response:
                    missed: list[dict[str, Any]] = []
                    if begun:
                        missed = self._since(latest, chargers, what, query)
                        yield {"kind": "trouble", "detail": MISSED.format(count=len(missed))}
                        yield from [dict(each) for each in missed]
                    begun = True
                    for line in iter(response.readline, b""):
                        if line.startswith(b"data: ") and (told := json.loads(line[6:])) not in missed:
                            if told["kind"] in latest:
                                latest[told["kind"]] = str(told["time"])
                            yield told
                yield {"kind": "trouble", "detail": "the stream has ended"}
            except Refused:
                if not begun:
                    raise
            except (OSError, http.client.HTTPException) as why:
                yield {"kind": "trouble", "detail": f"the stream is broken: {why}"}
            time.sleep(AGAIN_AFTER)

    def _since(self, latest: dict[str, str], chargers: Sequence[str], what: Sequence[str], query: dict[str, str]) -> list[dict[str, Any]]:
        """What gateways still know that was said after these times, in its order. Raises `Refused`."""
        found: list[dict[str, Any]] = []
        for charger in chargers:
            if "frames" in what:
                found += [{"kind": "frame", **each} for each in self.last(charger, query | {"limit": MOST})]
            if "events" in what:
                found += self.events(charger, {name: text for name, text in query.items() if name == "tags"} | {"limit": MOST})
        return sorted([each for each in found if str(each["time"]) > latest[each["kind"]]], key=lambda each: str(each["time"]))

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
