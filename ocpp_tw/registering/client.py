"""Asks a gateway's operators' HTTP, over connections that are kept, and waits where it is told to.

Knows neither files nor what is decided. A request that may be repeated is, if its connection ends without an answer.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

TIMEOUT = 30.0
"""Seconds that the gateway has to answer."""

TRIES = 6
"""How often a request is sent whose answer does not come, or says to try again."""

MAX_WAIT = 60.0
"""Longest wait between two tries, in seconds, whatever the answer says."""


class Unreachable(Exception):
    """There is no gateway, or none that speaks so; the text says what to do."""


class Answer(NamedTuple):
    """Status and JSON of an answer."""

    status: int
    body: Any

    @property
    def why(self) -> str:
        """What the gateway says of a request that it refuses."""
        said = self.body.get("detail") if isinstance(self.body, dict) else None
        return f"{self.status} {said or 'without a reason'}"


class Client:
    """One connection, of one thread."""

    def __init__(self, url: str, token: str = "", ca: str | None = None) -> None:
        self._parts = urlsplit(url)
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        self._tls = ssl.create_default_context(cafile=ca) if self._parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """The answer; after a 429 or a 503 that of another try. Raises `Unreachable`."""
        why, failed = "", 0
        for tried in range(TRIES):
            try:
                answer, wait = self._once(method, path, body)
            except (OSError, http.client.HTTPException) as problem:
                self.close()
                why, failed = _said(problem), failed + 1
                if isinstance(problem, ConnectionRefusedError | ssl.SSLCertVerificationError) or failed >= 3:
                    break
                time.sleep(0.5 * failed)
                continue
            if answer.status not in (429, 503) or tried == TRIES - 1:
                return answer
            time.sleep(min(wait, MAX_WAIT))
        raise Unreachable(
            f"no answer from {self._parts.scheme}://{self._parts.netloc}: {why}. Is the gateway running, and is --url its operators' HTTP?"
        )

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, method: str, path: str, body: Any) -> tuple[Answer, float]:
        if self._connection is None:
            host, port = self._parts.hostname or "", self._parts.port
            if self._tls is None:
                self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
            else:
                self._connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self._tls)
        self._connection.request(method, path, None if body is None else json.dumps(body).encode(), self._headers)
        response = self._connection.getresponse()
        content, wait = response.read(), response.headers.get("Retry-After", "1")
        try:
            said = json.loads(content)
        except ValueError:
            said = None
        return Answer(response.status, said), float(wait) if wait.isdecimal() else 1.0


def path_of(id: str) -> str:
    """The path of a charger."""
    return f"/api/chargers/{quote(id, safe='')}"


def _said(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return "its certificate is not trusted (name its authority with --ca)"
    return str(problem) or type(problem).__name__
