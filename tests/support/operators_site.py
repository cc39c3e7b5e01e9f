"""Operators' HTTP over a real connection, in front of a fake gateway."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.protocols.policies import WrappingFactory
from twisted.web.client import Agent, HTTPConnectionPool

from ocpp_tw.core.entries import Record
from ocpp_tw.core.passwords import Passwords
from ocpp_tw.core.security import Operator
from ocpp_tw.gateway.decisions import NOTHING
from ocpp_tw.memory import MemoryKeys
from ocpp_tw.operators.api import OperatorsApi
from ocpp_tw.operators.failed_logins import FailedLogin
from ocpp_tw.operators.guard import Admission, Guard
from ocpp_tw.operators.together import Application
from ocpp_tw.operators.tokens import Tokens
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway

IN_FORCE = {"registration": None, "boot_status": "Pending", "retry_interval": 60, "version": None}


class FakeDecisions:
    """Records decisions; its records are what the test puts there."""

    def __init__(self) -> None:
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.memory: dict[str, dict[str, Any]] = {}
        self.standings: dict[str, Record] = {}
        self.repeated: list[list[str]] = []
        self.failing: Exception | None = None

    async def decide(self, id: str, changes: dict[str, Any], repeated: Mapping[str, str] = NOTHING) -> dict[str, Any]:
        if self.failing:
            raise self.failing
        self.repeated.append(sorted(repeated))
        self.made.append((id, changes))
        return IN_FORCE

    async def standing(self, id: str) -> Record:
        if self.failing:
            raise self.failing
        return self.standings.get(id, Record())

    async def unregister(self, id: str) -> dict[str, Any]:
        return await self.decide(id, {})

    async def recorded(self, id: str) -> dict[str, Any] | None:
        if self.failing:
            raise self.failing
        return self.memory.get(id)


class FakeGateway:
    """One without chargers."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.passwords = Passwords(MemoryKeys())
        gateway = InMemoryGateway().gateway
        self.fleet_key, self.refusals = gateway.fleet_key, gateway.refusals
        self.stopping = False
        self.chargers: dict[str, Any] = {}
        self.decisions = FakeDecisions()


@dataclass
class FakeServices:
    """Dispatcher, store, violations and what is told of security."""

    up: bool = True
    operators: list[Operator] = field(default_factory=list)
    told: list[tuple[str, Operator, str, str]] = field(default_factory=list)
    failed: list[FailedLogin] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    result: Any = None
    seen: list[Any] = field(default_factory=list)

    spool: dict[str, Any] = field(default_factory=dict)

    async def ping(self) -> bool:
        return self.up

    def unread(self) -> int | None:
        return 12

    def spooled(self) -> dict[str, Any]:
        return self.spool

    def operator(self, kind: str, operator: Operator, charger: str, detail: str) -> None:
        self.told.append((kind, operator, charger, detail))

    async def ask(self, body: bytes, operator: Operator) -> dict[str, Any]:
        self.asked.append(body)
        self.operators.append(operator)
        if callable(self.result):
            return await self.result()
        if isinstance(self.result, Exception):
            raise self.result
        return await self.result if isinstance(self.result, Deferred) else self.result

    def report(self) -> list[Any]:
        return self.seen


class Site:
    """A site that listens, and a client of it. ``tokens`` is the file of named ones, ``guard`` stands in for the gateway's own."""

    def __init__(
        self,
        token: str = "",
        gateway: Any = None,
        verdicts: Any = None,
        evidence: bool = True,
        limit: int = 0,
        tokens: str = "",
        guard: Admission | None = None,
        others: Iterable[Application] = (),
    ) -> None:
        self.gateway = gateway or FakeGateway()
        self.services = FakeServices()
        operators = OperatorsApi(
            self.gateway, self.services, verdicts, self.services, self.services if evidence else None, self.services  # type: ignore[arg-type]
        )  # fmt: skip
        guard = guard or Guard(Tokens(token, tokens, reactor), reactor, failed=self.services.failed.append)
        self.factory = WrappingFactory(operators.site(guard, limit, others=others))
        self.port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.client = HTTPClient(Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False)))

    async def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status, and the JSON of the answer."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port.getHost().port}{path}"
        response = await self.client.request(method, url, data=data, headers=headers)
        text = await response.text()
        self.headers = response.headers
        return response.code, json.loads(text) if text.startswith(("{", "[", '"', "n")) else text

    async def close(self) -> None:
        await self.port.stopListening()
        while self.factory.protocols:
            await deferLater(reactor, 0.01)


async def raw(site: Site, request: bytes) -> bytes:
    """The whole answer to a request that no client library would send; it closes the connection."""
    got: Deferred[bytes] = Deferred()

    class Raw(Protocol):
        text = b""

        def connectionMade(self) -> None:
            self.transport.write(request)

        def dataReceived(self, data: bytes) -> None:
            self.text += data

        def connectionLost(self, reason: Any = None) -> None:
            got.callback(self.text)

    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", site.port.getHost().port), Raw())
    return await got
