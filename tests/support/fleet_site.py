"""Operators' HTTP of a gateway in memory, over a real connection: what it tells of its fleet, each answer compared with OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.protocols.policies import WrappingFactory
from twisted.web.client import Agent, HTTPConnectionPool

from fleets import until
from ocpp_tw.ocpp.negotiation import enabled_versions
from ocpp_tw.operators.api import OperatorsApi
from ocpp_tw.operators.guard import Guard
from ocpp_tw.operators.parts import fleet_parts
from ocpp_tw.operators.tokens import Tokens
from ocpp_tw.testing import InMemoryGateway
from openapi_answers import check_answer, check_event, check_headers

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Health:
    """The store, which is well."""

    async def ping(self) -> bool:
        return True

    def unread(self) -> int | None:
        return 0

    def spooled(self) -> dict[str, Any]:
        return {}


class FleetSite:
    """It listens, and is asked by a client. ``tokens`` is the file of named ones."""

    def __init__(self, gateway: InMemoryGateway, tokens: str = "") -> None:
        application = gateway.application
        parts = fleet_parts(application.monitoring, enabled_versions(gateway.settings), reactor)
        operators = OperatorsApi(application.gateway, application.dispatcher, application.verdicts, Health(), None, application.security)
        self.factory = WrappingFactory(operators.site(Guard(Tokens("", tokens, reactor), reactor), others=parts))
        self.port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.client = HTTPClient(Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False)))

    def url(self, path: str, **query: Any) -> str:
        return f"http://127.0.0.1:{self.port.getHost().port}{path}{'?' + urlencode(query) if query else ''}"

    async def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS, **query: Any
    ) -> Any:
        """The response; its headers are in ``headers`` too."""
        response = await self.client.request(method, self.url(path, **query), data=body, headers=dict(headers))
        self.headers = {name.decode().lower(): values[-1].decode() for name, values in response.headers.getAllRawHeaders()}
        check_headers(path, response.code, self.headers, method.lower())
        return response

    async def text(self, path: str, **query: Any) -> str:
        """The answer, which is well, as it is."""
        response = await self.request("GET", path, **query)
        text = await response.text()
        assert response.code == 200, text
        return text

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON of an answer that is well."""
        answer = json.loads(await self.text(path, **query))
        check_answer(path, 200, answer)
        return answer

    async def refused(self, path: str, **query: Any) -> tuple[int, str]:
        """The status and the detail of an answer that is not."""
        response = await self.request("GET", path, **query)
        answer = await response.json()
        check_answer(path, response.code, answer)
        return response.code, answer["detail"]

    async def post(self, path: str, body: Any, token: str = "") -> tuple[int, Any]:
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        response = await self.request("POST", path, json.dumps(body).encode(), headers)
        answer = await response.json()
        check_answer(path, response.code, answer, "post")
        return response.code, answer

    async def watch(self, path: str, **query: Any) -> Watcher:
        """A stream of server-sent events, each compared with OpenAPI as it is looked at."""
        response = await self.client.get(self.url(path, **query), unbuffered=True)
        assert response.code == 200
        return Watcher(path, response)

    async def close(self) -> None:
        await self.port.stopListening()
        while self.factory.protocols:
            await deferLater(reactor, 0.01)


class Watcher:
    """Who reads a stream of server-sent events."""

    def __init__(self, path: str, response: Any) -> None:
        self.path = path
        self.events: list[tuple[str, Any]] = []
        self._text = ""
        self._response = response
        response.collect(self._read).addErrback(lambda _: None)  # it ends in the middle, when the test closes it

    def _read(self, data: bytes) -> None:
        self._text += data.decode()
        *whole, self._text = self._text.split("\n\n")
        for each in whole:
            lines = dict(line.split(": ", 1) for line in each.splitlines() if ": " in line)
            if "data" in lines:
                self.events.append((lines.get("event", ""), json.loads(lines["data"])))

    async def next(self) -> tuple[str, Any]:
        await until(lambda: self.events)
        event, told = self.events.pop(0)
        check_event(self.path, event, told)
        return event, told

    def close(self) -> None:
        self._response.original._transport.loseConnection()
