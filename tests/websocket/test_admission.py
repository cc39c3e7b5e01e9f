"""Our own processing of an ordinary handshake has the same outcome as Autobahn's, whatever a charger sends and is decided."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from autobahn.twisted.websocket import WebSocketServerProtocol
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from ocpp_tw.interfaces import HandshakeRefused
from ocpp_tw.websocket import admission
from ocpp_tw.websocket.footprint import CLASS_DEFAULTS, HANDSHAKE_ONLY
from ocpp_tw.websocket.handshake import read, usual_key
from websocket_peer import KEY, FakeTransport, Server, frame, request

CALL = frame(b'[2,"1","Heartbeat",{}]')

OURS = {"factory", "transport", "connected", "is_open", "is_closed", "trafficStats"}
"""Attributes that belong to one connection alone, or are not used."""

DIFFERENT = {"_transport_details", "_valid_events", "_results", "peer", "utf8validator", "send_queue", "trackedTimings"}
"""What Autobahn makes for each connection (its own private names), and nothing here uses."""


def state(protocol: Any, names: set[str]) -> dict[str, Any]:
    """The values of attributes; of other objects, their types."""
    found = {name: getattr(protocol, name, "there is none") for name in names}
    return {name: value if isinstance(value, int | float | str | bytes | list | tuple) else type(value) for name, value in found.items()}


def test_a_connection_begins_as_autobahn_begins_it() -> None:
    server = Server()
    ours, theirs = (server.factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 50123)) for _ in range(2))
    FakeTransport(ours).protocol.makeConnection(FakeTransport(ours))
    WebSocketServerProtocol.__init__(theirs)
    theirs.transport = FakeTransport(theirs)
    WebSocketServerProtocol.connectionMade(theirs)
    names = set(vars(theirs)) - OURS - DIFFERENT
    assert {"state", "data", "send_state", "wasClean", "closedByMe", "current_frame"} <= names | set(CLASS_DEFAULTS)
    assert state(ours, names) == state(theirs, names)
    server.factory.stop()


Decide = Callable[[Server, list[Deferred[None]]], Any]


def first(server: Server, undecided: list[Deferred[None]]) -> Any:
    return lambda handshake, wire: (server.admissions.sink, handshake.offered[0] if handshake.offered else None)


def nothing(server: Server, undecided: list[Deferred[None]]) -> Any:
    return lambda handshake, wire: (server.admissions.sink, None)


def invented(server: Server, undecided: list[Deferred[None]]) -> Any:
    return lambda handshake, wire: (server.admissions.sink, "made-up")


def refuses(server: Server, undecided: list[Deferred[None]]) -> Any:
    def decide(handshake: Any, wire: Any) -> Any:
        raise HandshakeRefused(401, "who\r\nare you?", (("WWW-Authenticate", "Basic"),))

    return decide


def fails(server: Server, undecided: list[Deferred[None]]) -> Any:
    def decide(handshake: Any, wire: Any) -> Any:
        raise RuntimeError("as if")

    return decide


def later(then: Decide) -> Decide:
    def make(server: Server, undecided: list[Deferred[None]]) -> Any:
        def decide(handshake: Any, wire: Any) -> Any:
            decision: Deferred[None] = Deferred()
            undecided.append(decision)

            async def decided() -> Any:
                await decision
                return then(server, undecided)(handshake, wire)

            return decided()

        return decide

    return make


def outcome(decide: Decide, pieces: tuple[bytes, ...]) -> dict[str, Any]:
    """Everything observable of a connection: its answers, the calls of the application, its state, and what it sends next."""
    server, undecided = Server(), []
    server.admissions.decide = decide(server, undecided)
    connection = server.connect()
    said = [connection.exchange(*pieces)]
    for decision in undecided:
        decision.callback(None)
    said.append(connection.exchange())
    names = {*vars(connection.protocol), *CLASS_DEFAULTS} - OURS - set(HANDSHAKE_ONLY)
    after = {name: value for name, value in state(connection.protocol, names).items() if value not in (False, type(None))}
    said.append(connection.exchange(CALL) if not connection.peer.lost else b"")
    connection.protocol.send(b'[3,"1",{}]')
    said.append(connection.exchange())
    server.close()
    calls, knocks = server.calls, server.admissions.requests
    return {
        "said": said,
        "calls": calls,
        "knocks": knocks,
        "after": after,
        "lost": connection.peer.lost,
        "aborted": connection.transport.aborted,
    }


usual = {"Host": b"csms.example.com:10800", "Upgrade": b"websocket", "Connection": b"Upgrade", "Sec_WebSocket_Version": b"13"}
others: dict[str, Any] = {
    "Host": st.sampled_from([b"h", b"h:", b"h:80", b"h: 80", b"h:x", b"[::1]", b"[::1]:80", b"a:b:1", b"", b"h:-1"]),
    "Upgrade": st.sampled_from([b"WebSocket", b"h2c, websocket", b"h2c", b"websockets", b""]),
    "Connection": st.sampled_from([b"upgrade", b"keep-alive, Upgrade", b"keep-alive,UPGRADE", b"Upgraded", b"close", b""]),
    "Sec_WebSocket_Version": st.sampled_from([b"8", b"13 ", b"013", b"14", b"x", b""]),
}
key = st.one_of(
    st.just(KEY),
    st.binary(max_size=20).map(lambda raw: b64encode(raw)),
    st.sampled_from([KEY[:-1], KEY[:-2] + b"AA", b"!" + KEY[1:], KEY + b"=", KEY[:22] + b"= "]),
)
protocols = st.sampled_from([b"ocpp1.6", b"ocpp1.6, ocpp2.0.1", b"ocpp1.6,ocpp1.6", b" ,ocpp1.6", b"soap", b"", None])
extra = st.lists(
    st.sampled_from(
        [
            b"User-Agent: x", b"Origin: null", b"Sec-WebSocket-Extensions: permessage-deflate", b"Sec-WebSocket-Extensions: x-other",
            b"Sec-WebSocket-Extensions: ", b"X-Forwarded-For: 1.2.3.4", b"Authorization: Basic eA==", b"Upgrade: websocket", b"Cookie: a=b",
            b"Host: other", b"Bad Header: 1", b"Nothing",
        ]
    ),
    max_size=2,
)  # fmt: skip
decisions = st.sampled_from([first, nothing, invented, refuses, fails, later(first), later(refuses), later(fails), later(nothing)])


@st.composite
def requests(draw: Any) -> bytes:
    """Opening handshakes, most of them usual but for one thing or two."""
    odd = draw(st.lists(st.sampled_from(sorted(usual)), max_size=2, unique=True))
    headers = usual | {name: draw(others[name]) for name in odd}
    made = request(
        draw(st.sampled_from(["/cp1", "/ocpp/CP%201", "//x/CP;1", "/", "/%ff", "http://h/c"])), *draw(extra), protocols=draw(protocols),
        without=tuple(name.replace("_", "-").encode() for name in draw(st.lists(st.sampled_from(sorted(usual)), max_size=1))),
        Sec_WebSocket_Key=draw(key), **headers,
    )  # fmt: skip
    line = draw(st.sampled_from([b"GET ", b"GET ", b"GET ", b"POST ", b"get "])) + made[4:]
    return line.replace(b"HTTP/1.1", draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0"])), 1)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests(), decisions, st.sampled_from([b"", CALL, CALL + CALL[:7]]), st.integers(1, 500))
def test_it_ends_where_autobahn_does(tidy: list[LogEvent], asked: bytes, decide: Decide, behind: bytes, cut: int) -> None:
    whole = asked + behind
    pieces = (whole[:cut], whole[cut:]) if cut < len(whole) else (whole,)
    with patch("random.uniform", lambda low, high: low):  # the interval of pings, else different for each connection
        short, failures = outcome(decide, pieces), len(tidy)  # a gate that fails is logged
        with patch.object(admission, "usual_key", lambda head: ""):
            assert outcome(decide, pieces) == short
    assert len(tidy) == 2 * failures
    tidy.clear()


@pytest.mark.parametrize("connection", [b"Upgrade", b"keep-alive, Upgrade"])
@pytest.mark.parametrize("host", [b"csms.example.com", b"csms.example.com:80", b"[::1]:80", b"[::1]"])
def test_what_chargers_send_goes_the_short_way(host: bytes, connection: bytes) -> None:
    """Else the test above would compare Autobahn with itself."""
    with patch.object(WebSocketServerProtocol, "processHandshake", side_effect=AssertionError):
        server = Server()
        server.connect_charger(b"", Host=host, Connection=connection)
        server.close()
    assert usual_key(read(request(Host=host, Connection=connection))) == KEY.decode()


@pytest.mark.parametrize("why", [ConnectionDone(), ConnectionLost(), ConnectionAborted(), OSError("something else")])
def test_every_end_is_counted_and_told(why: Exception) -> None:
    server = Server()
    connection = server.connect_charger()
    assert server.factory.countConnections == 1
    with patch.object(server.factory.protocol, "log"):
        connection.protocol.connectionLost(Failure(why))
    assert server.factory.countConnections == 0 and not server.factory.connected
    assert server.calls[-1][:2] == ("departed", 1006)
    server.connections.clear()
    server.close()
