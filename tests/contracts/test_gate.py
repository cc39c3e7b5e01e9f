"""`IGate`: every implementer admits a charger or refuses it with an HTTP status, at once or later; the gateway does as it says."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer
from zope.interface.verify import verifyObject

from fleets import soon
from ocpp_tw.core.stamps import Stamps
from ocpp_tw.gateway.authentication import Policy
from ocpp_tw.gateway.gate import Gate
from ocpp_tw.gateway.publisher import Publisher
from ocpp_tw.gateway.security import SecurityEvents
from ocpp_tw.interfaces import HandshakeRefused, HandshakeRequest, IGate
from ocpp_tw.memory import MemoryWire
from ocpp_tw.testing import InMemoryGateway

REQUESTS = [
    HandshakeRequest("cp1", "csms.example.com", "192.0.2.7", ("ocpp1.6",)),
    HandshakeRequest("RDAM|123", "[::1]:80", "2001:db8::1", ("ocpp1.6",), {"authorization": "Basic Y3AxOnNlY3JldA=="}),
    HandshakeRequest("é" * 48, "", "", ("ocpp2.0.1", "ocpp1.6"), {}, ("no Connection: Upgrade",)),
]


@implementer(IGate)
class PasswordGate:
    """An example of a gate that decides at once: chargers need any credentials."""

    def admit(self, request: HandshakeRequest) -> int:
        if "authorization" not in request.headers:
            raise HandshakeRefused(401, "Unauthorized", (("WWW-Authenticate", 'Basic realm="ocpp"'),))
        return 1


@implementer(IGate)
class CoroutineGate:
    """An example of a gate that decides later, in a coroutine."""

    async def admit(self, request: HandshakeRequest) -> int:
        await succeed(None)
        if request.repairs:
            raise HandshakeRefused(503, "Service Unavailable", (("Retry-After", "10"),))
        return 2


@implementer(IGate)
class DeferredGate:
    """An example of a gate that decides later, with a Deferred."""

    def admit(self, request: HandshakeRequest) -> Deferred[int]:
        def decide(_: None) -> int:
            if request.id == "cp1":
                raise HandshakeRefused(404, "unknown charger")
            return 3

        return succeed(None).addCallback(decide)


def own_gate() -> Gate:
    """The product's own, without anybody registered and with the default settings."""
    here = InMemoryGateway()
    publisher = Publisher("gw", Stamps(), here.events)
    security = SecurityEvents(here.clock, publisher)
    return Gate(Policy(0, "accept"), here.clock, here.register, here.gateway.passwords, publisher, security, here.records)


GATES = [own_gate, PasswordGate, CoroutineGate, DeferredGate]
"""The product's own, and one of each kind that an operator may write."""


@pytest.fixture(params=GATES, ids=lambda kind: kind.__name__)
def gate(request: pytest.FixtureRequest) -> Any:
    return request.param()


async def decision(gate: Any, request: HandshakeRequest) -> HandshakeRefused | int:
    """The refusal, or the security profile."""
    try:
        admitted = gate.admit(request)
        if inspect.isawaitable(admitted):
            admitted = await soon(admitted)
    except HandshakeRefused as refusal:
        return refusal
    assert admitted in (0, 1, 2, 3)
    return int(admitted)


async def test_it_provides_the_interface(gate):
    assert verifyObject(IGate, gate)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.id[:8])
async def test_a_charger_is_admitted_or_refused_with_a_status_and_a_reason(gate, request_):
    refusal = await decision(gate, request_)
    if isinstance(refusal, HandshakeRefused):
        assert 400 <= refusal.status <= 599
        assert refusal.reason.isascii() and refusal.reason.isprintable()
        assert all(isinstance(each, str) and each.isprintable() for header in refusal.headers for each in header)
        assert request_.headers.get("authorization", "nothing") not in refusal.reason


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.id[:8])
async def test_a_decision_does_not_depend_on_earlier_ones(gate, request_):
    first, second = await decision(gate, request_), await decision(gate, request_)
    if isinstance(first, HandshakeRefused) and isinstance(second, HandshakeRefused):
        assert (first.status, first.reason, first.headers) == (second.status, second.reason, second.headers)
    else:
        assert first == second


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.id[:8])
async def test_the_gateway_does_as_the_gate_decides(gate, request_):
    gateway = InMemoryGateway(gate=gate).gateway
    expected = await decision(gate, request_)
    wire = MemoryWire()
    try:
        admitted = gateway.admit(request_, wire)
        if inspect.isawaitable(admitted):
            admitted = await soon(admitted)
    except HandshakeRefused as refusal:
        assert isinstance(expected, HandshakeRefused) and (refusal.status, refusal.reason, refusal.headers) == (
            expected.status,
            expected.reason,
            expected.headers,
        )
    else:
        assert admitted[0].security_profile == expected and admitted[1] == request_.offered[0]
        gateway.departed(admitted[0], 1006, "")
    assert wire.sent == [] and wire.closed is None


async def test_by_default_every_charger_is_admitted():
    assert [await decision(own_gate(), request) for request in REQUESTS] == [0] * len(REQUESTS)
