"""A charger's connection from its handshake, accepted or refused, to its end."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateResponseAccept
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent
from zope.interface.verify import verifyObject

from ocpp_tw.interfaces import HandshakeRefused, IWire
from ocpp_tw.ocpp.negotiation import choose
from ocpp_tw.websocket.receiving import MAX_EARLY_BYTES
from ocpp_tw.websocket.timeouts import CLOSE_TIMEOUT, LINGER_TIMEOUT, MAX_HANDSHAKE_TIME
from websocket_peer import ACCEPT, CLOSE, PING, PONG, TEXT, Server, client_close, close_frame, frame, frames, request

CALL = b'[2,"1","Heartbeat",{}]'


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with default settings."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def make_server() -> Iterator[Callable[..., Server]]:
    """Makes servers with these settings."""
    made: list[Server] = []

    def make(**settings: Any) -> Server:
        made.append(Server(**settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


# the handshake


def test_a_charger_is_accepted(server: Server) -> None:
    """C1: a charger that does everything right; the answer is RFC 6455 §4.2.2's."""
    connection = server.connect_charger(target="/ocpp/RDAM%20123")
    verifyObject(IWire, connection.protocol)
    assert connection.peer.head == (
        b"HTTP/1.1 101 Switching Protocols\r\nServer: ocpp_tw\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
    )
    handshake = server.admissions.requests[0]
    assert (handshake.id, handshake.domain, handshake.address, handshake.offered, handshake.repairs) == (
        "RDAM 123", "csms.example.com:10800", "192.0.2.7", ("ocpp1.6",), (),
    )  # fmt: skip
    assert server.calls == ["arrived"]
    assert handshake.headers["sec-websocket-version"] == "13"
    connection.exchange(frame(CALL))
    assert server.calls == ["arrived", CALL]


def test_converses_with_autobahn(server: Server) -> None:
    """With a client that is not made here."""
    connection = server.connect_autobahn("/ocpp/CP%201")
    connection.peer.sendMessage(CALL)
    connection.pump.flush()
    connection.protocol.send(b'[3,"1",{}]')
    connection.pump.flush()
    connection.peer.sendClose(4321, "over")
    connection.pump.flush()
    assert server.admissions.requests[0].id == "CP 1"
    assert server.calls == ["arrived", CALL, ("departed", 4321, "over")]
    assert connection.peer.seen[:2] == [("open", "ocpp1.6"), b'[3,"1",{}]']


@pytest.mark.parametrize(
    ("target", "id"),
    [
        ("/cp1", "cp1"),
        ("/ocpp/RDAM%20123", "RDAM 123"),
        ("/RDAM%7C123", "RDAM|123"),
        ("//cp1", "cp1"),
        ("//evil/CP1", "CP1"),
        ("/CP;001", "CP;001"),
        ("/ocpp/CP?x=/1", "CP"),
        ("/ocpp/CP/", "CP"),
        ("/ocpp/CP//?", "CP"),
        ("http://csms.example.com/ocpp/CP1", "CP1"),
        ("/%C3%A4-%25", "ä-%"),
        ("/a%2541", "a%41"),
    ],
)
def test_identity_is_of_the_raw_target(server: Server, target: str, id: str) -> None:
    """C1, C2, C4 and FIELD 16, 17: decoded once, where Autobahn's own parser cuts (``;``, ``//``) or does not decode."""
    server.connect_charger(target=target)
    assert server.admissions.requests[0].id == id


@pytest.mark.parametrize("target", ["/", "/%ZZ", "/%f", "/%ff", "/a%2Fb", "/..", "/%2e", "/%00", "/a%0d%0aX:1", "/" + "x" * 49, "/%20a"])
def test_identity_that_makes_no_sense(server: Server, target: str) -> None:
    """C2, A15: bad escapes, non-UTF-8, control characters, a slash, nothing: 400; whoever looks for the charger is told."""
    connection = server.connect()
    assert connection.exchange(request(target)).startswith(b"HTTP/1.1 400 ")
    assert connection.peer.lost
    assert [each[:3] for each in server.calls] == [("refused", "", 400)]


@pytest.mark.parametrize(
    "target", ["/ocpp?id=X", "/ocpp/", "/ocpp", "/OCPP/?cpid=X", "http://csms.example.com/ocpp/", "/ws/ocpp/", "/%6Fcpp?id=X"]
)
def test_the_endpoint_alone_is_nobody(server: Server, target: str) -> None:
    """Chargers whose identity went into a query, or is empty, would all be one charger named "ocpp"."""
    connection = server.connect()
    assert connection.exchange(request(target)).startswith(b"HTTP/1.1 400 ")
    assert [each[:3] for each in server.calls] == [("refused", "", 400)] and "/ocpp/CP1" in server.calls[0][3]


@pytest.mark.parametrize("target", ["/ocpp/ocpp-1", "/ocpp1", "/ocpp/CP1?id=X"])
def test_what_only_looks_like_the_endpoint_is_a_name(server: Server, target: str) -> None:
    server.connect_charger(target=target)


def test_a_charger_whose_head_cannot_be_read_is_told_of(server: Server) -> None:
    """FIELD 14: a header in Latin-1, one that comes twice, too long a head."""
    for number, (header, status) in enumerate(((b"X-Site: M\xfcnchen", 400), (b"Host: other", 400), (b"X: " + b"x" * 9000, 431))):
        connection = server.connect()
        connection.exchange(request(f"/ocpp/CP{number}", header))
        assert connection.peer.lost and server.calls[-1][:3] == ("refused", f"CP{number}", status)
    connection = server.connect()
    connection.exchange(request("/%ff", b"X: \xfc"))
    assert server.calls[-1][:3] == ("refused", "", 400)


def test_a_scanner_is_not_told_of(server: Server) -> None:
    connection = server.connect()
    connection.exchange(b"GET /admin.php HTTP/1.1\r\nHost: h\r\nX: \xfc\r\n\r\n")
    assert connection.peer.lost and server.calls == []


def test_longer_identities_can_be_allowed(make_server: Callable[..., Server]) -> None:
    """C4: the limit is a setting."""
    make_server(max_identity=255).connect_charger(target="/" + "x" * 255)


@pytest.mark.parametrize("host", ["h:1", "h", "[::1]:10800", "[::1]"])
def test_domain_is_the_host_as_the_charger_sent_it(server: Server, host: str) -> None:
    """CONTRACT 1: as the Go server told it, with the port where the charger named one."""
    server.connect_charger(Host=host.encode())
    assert server.admissions.requests[0].domain == host


# subprotocols


def by_choice(server: Server, *known: str) -> None:
    """Have the admissions choose as the gateway does."""

    def decide(handshake: Any, wire: Any) -> Any:
        chosen = choose(handshake.offered, known)
        if chosen is None and server.factory.settings.subprotocol_mismatch == "refuse":
            raise HandshakeRefused(400, "no common subprotocol")
        return server.admissions.sink, chosen and chosen[0]

    server.admissions.decide = decide


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (b"ocpp1.6", b"ocpp1.6"),
        (b"ocpp0.1, ocpp1.6", b"ocpp1.6"),
        (b"ocpp2.0.1,ocpp1.6", b"ocpp2.0.1"),
        (b"ocpp1.6,ocpp2.0.1", b"ocpp1.6"),
        (b"OCPP1.6", b"OCPP1.6"),
        (b"ocpp1.6j", b"ocpp1.6j"),
        (b"ocpp1.6, ocpp1.6", b"ocpp1.6"),
        (b", ocpp1.6 ,,", b"ocpp1.6"),
        (b"ocpp0.1\r\nSec-WebSocket-Protocol: OCPP2.0.1", b"OCPP2.0.1"),
    ],
)
def test_subprotocol_is_the_first_of_the_chargers(server: Server, offered: bytes, agreed: bytes) -> None:
    """C7 and FIELD 14: the charger's order decides, and it hears its own spelling (Autobahn refuses what is offered twice)."""
    by_choice(server, "ocpp1.6", "ocpp2.0.1")
    connection = server.connect_charger(protocols=offered)
    assert b"\r\nSec-WebSocket-Protocol: " + agreed + b"\r\n" in connection.peer.head
    assert server.calls == ["arrived"]


@pytest.mark.parametrize("offered", [b"ocpp9", None, b""])
def test_no_common_subprotocol_is_refused(server: Server, offered: bytes | None) -> None:
    """C8, C9, TC_088_CSMS: by default the upgrade is refused."""
    by_choice(server, "ocpp1.6")
    assert server.connect().exchange(request(protocols=offered)).startswith(b"HTTP/1.1 400 no common subprotocol\r\n")
    assert server.calls == [("refused", "cp1", 400, "no common subprotocol")]


@pytest.mark.parametrize("default", ["", "ocpp1.6"])
def test_no_common_subprotocol_is_closed(make_server: Callable[..., Server], default: str) -> None:
    """C8 by the letter of part 4: the handshake completes without the header, then 1002; a default is not for who offers another."""
    server = make_server(subprotocol_mismatch="close", default_subprotocol=default)
    by_choice(server, "ocpp1.6")
    connection = server.connect_charger(frame(CALL), protocols=b"ocpp9")
    assert b"Sec-WebSocket-Protocol" not in connection.peer.head
    assert close_frame(connection.exchange()) == (1002, "no common subprotocol")
    connection.exchange(frame(CALL), client_close(1002))
    assert connection.peer.lost
    assert server.calls == [("departed", 1002, "no common subprotocol")]  # it never arrived, but it was admitted and has a sink


def test_default_subprotocol(make_server: Callable[..., Server]) -> None:
    """C9 and FIELD 14: an old charger that offers none at all is served, and told no subprotocol."""
    connection = make_server(default_subprotocol="ocpp1.6").connect_charger(frame(CALL), protocols=None)
    assert b"Sec-WebSocket-Protocol" not in connection.peer.head
    assert connection.exchange() == b""


def test_subprotocol_nobody_offered(server: Server, tidy: list[LogEvent]) -> None:
    """Autobahn would leave the charger without any answer; it is our mistake, so 503."""
    server.admissions.decide = lambda handshake, wire: (server.admissions.sink, "ocpp2.1")
    assert server.connect().exchange(request()).startswith(b"HTTP/1.1 503 ")
    assert tidy.pop()["log_failure"].check(ValueError)
    assert [each[0] for each in server.calls] == ["refused", "departed"]


# sloppy requests


@pytest.mark.parametrize(
    "asked",
    [
        {"without": (b"Connection",)},
        {"Connection": b"keep-alive"},
    ],
)
def test_missing_connection_header(server: Server, asked: dict[str, Any]) -> None:
    """FIELD 16: Autel leaves it out; repaired and reported."""
    server.connect_charger(**asked)
    assert server.admissions.requests[0].repairs == ("no Connection: Upgrade",)


@pytest.mark.parametrize("origin", [b"null", b"", b"nonsense", b"http://evil.example", b"file://\\\\", b"x\r\nOrigin: y"])
def test_origin_is_of_no_interest(server: Server, origin: bytes) -> None:
    """Handshake facts 13: libwebsockets' clients send an Origin; Autobahn refuses many a one."""
    server.connect_charger(Origin=origin)


def test_header_names_in_any_case(server: Server) -> None:
    """Handshake facts 13: ``authorization`` in lower case, as EVerest and others write it."""
    server.connect_charger(headers=(b"authorization: Basic eA==",))
    assert server.admissions.requests[0].headers["authorization"] == "Basic eA=="


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (request(without=(b"Upgrade",)), b"426"),
        (request().replace(b"GET", b"POST"), b"405"),
        (request().replace(b"HTTP/1.1", b"HTTP/1.0"), b"505"),
        (request(without=(b"Host",)), b"400"),
        (request(without=(b"Sec-WebSocket-Key",)), b"400"),
        (request(Sec_WebSocket_Key=b"x\r\nY: z"), b"400"),
        (request(Sec_WebSocket_Version=b"12"), b"400"),
        (request(without=(b"Sec-WebSocket-Version",)), b"400"),
        (request(Upgrade=b"h2c"), b"400"),
        (b"\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
    ],
)
def test_not_a_handshake(server: Server, head: bytes, status: bytes) -> None:
    """A11: no status page, no redirect, no banner; each answer is complete, so that no proxy waits for more."""
    connection = server.connect()
    answer = connection.exchange(head)
    assert answer.startswith(b"HTTP/1.1 " + status + b" ")
    assert b"\r\nContent-Length: 0\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1
    assert connection.peer.lost
    assert not server.admissions.requests


def test_probes_are_no_news(server: Server) -> None:
    """A scanner or a load balancer's probe asks for no upgrade: 426 with the header that RFC 9110 §15.5.22 demands, and nobody is told."""
    answer = server.connect().exchange(b"GET /?redirect=https://evil.example HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b"\r\nUpgrade: websocket\r\n" in answer
    assert b"evil" not in answer
    server.connect().disconnect()
    assert server.calls == []


# refusals


def test_refused(server: Server) -> None:
    """The exact bytes of a refusal."""

    def refuse(handshake: Any, wire: Any) -> Any:
        raise HandshakeRefused(401, "Unauthorized", (("WWW-Authenticate", 'Basic realm="ocpp"'),))

    server.admissions.decide = refuse
    connection = server.connect()
    assert connection.exchange(request() + frame(CALL)) == (
        b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\nWWW-Authenticate: Basic realm="ocpp"\r\n\r\n'
    )
    assert connection.peer.lost
    assert server.calls == [("refused", "cp1", 401, "Unauthorized")]


def test_refusal_cannot_split_the_response(server: Server) -> None:
    """A gate of an operator's own may put a charger's words into its refusal."""

    def refuse(handshake: Any, wire: Any) -> Any:
        raise HandshakeRefused(403, "no\r\nX-Injected: é", (("X-Why", "a\r\nX-Injected: yes"), ("X-Other", "fine")))

    server.admissions.decide = refuse
    answer = server.connect().exchange(request())
    assert answer == b"HTTP/1.1 403 noX-Injected: \r\nContent-Length: 0\r\nConnection: close\r\nX-Other: fine\r\n\r\n"


@pytest.mark.parametrize("late", [False, True])
def test_a_decision_that_raises(server: Server, tidy: list[LogEvent], late: bool) -> None:
    """Autobahn puts an exception's text into the status line; ours goes to the log alone."""

    async def later() -> Any:
        raise RuntimeError("db\r\nX-Injected: yes")

    def decide(handshake: Any, wire: Any) -> Any:
        if late:
            return later()
        raise RuntimeError("db\r\nX-Injected: yes")

    server.admissions.decide = decide
    connection = server.connect()
    assert connection.exchange(request()) == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 10\r\n\r\n"
    )
    assert connection.peer.lost
    assert tidy.pop()["log_failure"].check(RuntimeError)
    assert server.calls == [("refused", "cp1", 503, "Service Unavailable")]


def test_a_decision_of_the_wrong_type(server: Server, tidy: list[LogEvent]) -> None:
    """Neither a sink nor something to wait for."""
    server.admissions.decide = lambda handshake, wire: None
    assert server.connect().exchange(request()).startswith(b"HTTP/1.1 503 ")
    assert tidy.pop()["log_failure"].check(TypeError)


def test_an_application_whose_callbacks_fail(server: Server, tidy: list[LogEvent]) -> None:
    """An error of ours costs the charger neither its refusal nor its connection."""

    def broken(*_: Any) -> None:
        raise RuntimeError("our bug")

    server.admissions.arrived = server.admissions.departed = server.admissions.handshake_refused = broken  # type: ignore[method-assign]
    connection = server.connect_charger()
    connection.exchange(frame(CALL))
    connection.disconnect()
    assert server.connect().exchange(request("/")).startswith(b"HTTP/1.1 400 ")
    assert server.calls == [CALL]
    assert [each["log_failure"].check(RuntimeError) for each in tidy] == [RuntimeError] * 3
    tidy.clear()


# decisions that take time


def undecided(server: Server) -> list[Deferred[Any]]:
    """Leave each handshake undecided; the test makes the decisions."""
    decisions: list[Deferred[Any]] = []

    def decide(handshake: Any, wire: Any) -> Awaitable[Any]:
        decisions.append(Deferred())
        return decisions[-1]

    server.admissions.decide = decide
    return decisions


def test_a_decision_that_takes_time(server: Server) -> None:
    """What comes before it has decided is neither lost nor taken for another request, however it is cut."""
    (decisions,) = (undecided(server),)
    connection = server.connect()
    ahead = frame(b"one") + frame(b"two") + frame(b"three")
    assert connection.exchange(request() + ahead[:3], ahead[3:12], ahead[12:]) == b""
    assert server.calls == []
    assert len(server.admissions.requests) == 1
    decisions[0].callback((server.admissions.sink, "ocpp1.6"))
    assert connection.exchange(frame(b"four")).startswith(b"HTTP/1.1 101 ")
    assert server.calls == ["arrived", b"one", b"two", b"three", b"four"]


def test_bytes_before_the_decision_are_limited(server: Server) -> None:
    """A charger may not fill our memory while the gate thinks."""
    undecided(server)
    connection = server.connect()
    connection.exchange(request(), b"x" * MAX_EARLY_BYTES)
    assert not connection.peer.lost
    connection.exchange(b"x" * MAX_EARLY_BYTES)
    assert connection.peer.lost
    assert server.calls == []


def test_a_refusal_later(server: Server) -> None:
    """As at once."""
    decisions = undecided(server)
    connection = server.connect()
    connection.exchange(request(), frame(CALL))
    decisions[0].errback(HandshakeRefused(404, "unknown charger"))
    assert connection.exchange().startswith(b"HTTP/1.1 404 unknown charger\r\nContent-Length: 0\r\n")
    assert server.calls == [("refused", "cp1", 404, "unknown charger")]


@pytest.mark.parametrize("coroutine", [False, True])
def test_a_charger_that_leaves_before_the_decision(server: Server, coroutine: bool) -> None:
    """Autobahn would open the connection that is gone. The pending decision is cancelled."""
    decisions = undecided(server)
    decide = server.admissions.decide

    async def later(handshake: Any, wire: Any) -> Any:
        return await decide(handshake, wire)

    if coroutine:
        server.admissions.decide = later
    connection = server.connect()
    connection.exchange(request())
    connection.disconnect()
    failed: list[Any] = []
    decisions[0].addErrback(failed.append)
    assert decisions[0].called
    assert not server.factory.connected
    assert server.calls == []


def test_a_decision_that_ignores_its_cancellation(server: Server) -> None:
    """It lets in somebody who has left: the sink that it made does not arrive, but departs, or nobody would ever clear it away."""
    decisions: list[Deferred[Any]] = []

    async def stubborn(decision: Deferred[Any]) -> Any:
        try:
            await decision
        except CancelledError:
            return server.admissions.sink, "ocpp1.6"

    def decide(handshake: Any, wire: Any) -> Any:
        decisions.append(Deferred())
        return stubborn(decisions[-1])

    server.admissions.decide = decide
    connection = server.connect()
    connection.exchange(request())
    connection.disconnect()
    assert server.calls == [("departed", 1006, "left before it was let in")]


def test_a_decision_that_takes_too_long(server: Server) -> None:
    """The gate's time is not the charger's; but in the end it is told to come again, and a late decision changes nothing."""
    decisions = undecided(server)
    connection = server.connect()
    connection.exchange(request())
    decisions[0].addErrback(lambda _: None)
    server.wait(MAX_HANDSHAKE_TIME)
    assert connection.peer.data == b""
    server.wait(1)
    assert connection.exchange().startswith(b"HTTP/1.1 503 ")
    assert server.calls == [("refused", "cp1", 503, "Service Unavailable")]


def test_a_decision_after_the_end(server: Server) -> None:
    """Between our hanging up and Twisted's saying that it is done, a decision must not open the connection again."""
    decisions = undecided(server)
    connection = server.connect()
    connection.exchange(request())
    server.admissions.wires[0].close(1012, "service restart")
    decisions[0].callback((server.admissions.sink, "ocpp1.6"))
    connection.pump.flush()
    assert connection.peer.data == b""
    assert connection.peer.lost
    assert [each[:2] for each in server.calls] == [("departed", 1006)]


def test_closed_while_deciding(server: Server) -> None:
    """`IWire.close` before there is a handshake to speak of."""

    def decide(handshake: Any, wire: Any) -> Any:
        wire.send(b"not sent")
        wire.ping(lambda: None)
        wire.hold(True)
        wire.close(1012, "service restart")
        return server.admissions.sink, "ocpp1.6"

    server.admissions.decide = decide
    connection = server.connect()
    assert connection.exchange(request() + frame(CALL)) == b""
    assert connection.peer.lost
    assert [each[:2] for each in server.calls] == [("departed", 1006)]


# frames


def test_frames_in_the_segment_of_the_handshake(server: Server) -> None:
    """A charger may send at once, hoping for the best; what follows is not disturbed."""
    server.connect_charger(frame(b"one"), frame(b"two"), frame(b"three")[:4]).exchange(frame(b"three")[4:])
    assert server.calls == ["arrived", b"one", b"two", b"three"]


def test_every_cut(server: Server) -> None:
    """A network may cut anywhere: each byte in a segment of its own."""
    connection = server.connect()
    whole = request("/ocpp/RDAM%20123") + frame(CALL) + frame(b"ping", PING) + frame("ä".encode(), fin=False) + frame(b"!", 0)
    connection.exchange(*(whole[i : i + 1] for i in range(len(whole))))
    assert server.calls == ["arrived", CALL, "ä!".encode()]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1 << 20])
def test_sizes(server: Server, size: int) -> None:
    """The three forms of a frame's length, in both directions (RFC 6455 §5.2)."""
    connection = server.connect_charger()
    connection.exchange(frame(b"x" * size))
    connection.protocol.send(b"y" * size)
    assert frames(connection.exchange()) == [(TEXT, b"y" * size)]
    assert server.calls == ["arrived", b"x" * size]


def test_our_messages_may_be_longer_than_the_chargers(make_server: Callable[..., Server]) -> None:
    """The limit is for chargers' messages; Autobahn's sendMessage() holds ours to it too, and raises."""
    server = make_server(max_message=1024)
    connection = server.connect_charger()
    connection.protocol.send(b"y" * 5000)
    assert frames(connection.exchange()) == [(TEXT, b"y" * 5000)]


def test_fragments(server: Server) -> None:
    """Frames 14: ocpp-go sends a long answer in continuation frames; a ping may come between (RFC 6455 §5.4)."""
    connection = server.connect_charger()
    assert frames(connection.exchange(frame(b"[2,", fin=False), frame(b"", 0, fin=False) + frame(b"?", PING), frame(b"]", 0))) == [
        (PONG, b"?")
    ]
    assert server.calls == ["arrived", b"[2,]"]


def test_our_bug_keeps_the_connection(server: Server, tidy: list[LogEvent]) -> None:
    """LIBRARIES: an exception in onMessage would drop the charger's connection."""

    def boom(text: bytes) -> None:
        if text == b"boom":
            raise RuntimeError("our bug")

    server.admissions.sink.on_frame = boom
    connection = server.connect_charger(frame(b"boom"), frame(b"still here"))
    assert connection.exchange(frame(b"boom"), frame(b"and here")) == b""
    assert server.calls == ["arrived", b"boom", b"still here", b"boom", b"and here"]
    assert [each["log_failure"].check(RuntimeError) for each in tidy] == [RuntimeError] * 2
    tidy.clear()


def test_answers_from_within(server: Server) -> None:
    """An answer that needs no waiting is sent while the frame is still being taken."""
    server.admissions.sink.on_frame = lambda text: server.admissions.wires[0].send(text.upper())
    assert frames(server.connect_charger(frame(b"one")).exchange(frame(b"two"))) == [(TEXT, b"ONE"), (TEXT, b"TWO")]


def test_pings_are_answered(server: Server) -> None:
    """C13, Frames 14: clients ping every few seconds, with and without a payload."""
    connection = server.connect_charger()
    for _ in range(20):
        assert frames(connection.exchange(frame(b"", PING) + frame(b"abc", PING))) == [(PONG, b""), (PONG, b"abc")]
        server.wait(1)


def test_pongs_nobody_asked_for(server: Server) -> None:
    """RFC 6455 §5.5.3: a sign of life, and no more."""
    assert server.connect_charger().exchange(frame(b"x", PONG)) == b""


# the end


@pytest.mark.parametrize(("code", "told"), [(1000, 1000), (None, 1005), (1001, 1001), (4321, 4321)])
def test_the_charger_closes(server: Server, code: int | None, told: int) -> None:
    """Frames 14: SAP sends an empty Close frame (1005), ocpp-rpc 4321. The reply comes before the end of the connection."""
    connection = server.connect_charger()
    assert frames(connection.exchange(client_close(code) + frame(CALL))) == [(CLOSE, b"\x03\xe8")]
    assert connection.peer.lost
    assert not connection.transport.aborted
    assert server.calls == ["arrived", ("departed", told, "")]


def test_the_network_breaks(server: Server) -> None:
    """No closing handshake at all."""
    server.connect_charger().disconnect()
    assert server.calls == [
        "arrived",
        ("departed", 1006, "peer dropped the TCP connection without previous WebSocket closing handshake"),
    ]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1008, 1011, 1012, 4000])
def test_we_close(server: Server, code: int) -> None:
    """The codes a server needs, most of which sendClose() does not admit; the connection ends without a reset."""
    connection = server.connect_charger()
    connection.protocol.close(code, "so long")
    assert close_frame(connection.exchange()) == (code, "so long")
    connection.exchange(client_close(code))
    assert connection.peer.lost
    assert not connection.transport.aborted
    assert server.calls == ["arrived", ("departed", code, "so long")]


def test_nothing_is_heard_after_our_close(server: Server) -> None:
    """What is on its way then could not be answered: the charger says it again on its next connection."""
    connection = server.connect_charger()
    connection.protocol.close(1012, "service restart")
    assert close_frame(connection.exchange(frame(CALL), frame(b"x", PING))) == (1012, "service restart")
    connection.protocol.close(1000, "again")
    connection.protocol.send(b"too late")
    connection.protocol.ping(lambda: None)
    assert connection.exchange(client_close(1012)) == b""
    assert connection.peer.lost
    connection.protocol.close(1000, "and again")
    connection.protocol.send(b"much too late")
    connection.protocol.hold(True)
    connection.protocol.hold(False)
    assert server.calls == ["arrived", ("departed", 1012, "service restart")]


def test_close_from_within(server: Server) -> None:
    """A sink that closes in the middle of a segment."""
    server.admissions.sink.on_frame = lambda text: server.admissions.wires[0].close(1008, "enough")
    connection = server.connect_charger()
    assert close_frame(connection.exchange(frame(b"one") + frame(b"two"))) == (1008, "enough")
    assert server.calls == ["arrived", b"one"]


def test_reason_is_cut_between_characters(server: Server) -> None:
    """RFC 6455 §5.5: 123 bytes, and they must be UTF-8 all the same."""
    connection = server.connect_charger()
    connection.protocol.close(1000, "ä" * 100)
    assert close_frame(connection.exchange()) == (1000, "ä" * 61)


def test_a_charger_that_does_not_answer_our_close(server: Server) -> None:
    """It has two seconds; a reset might take our Close frame from it even then."""
    connection = server.connect_charger()
    connection.protocol.close(1000, "so long")
    server.wait(CLOSE_TIMEOUT)
    assert not connection.peer.lost
    server.wait(1)
    assert connection.peer.lost
    assert not connection.transport.aborted
    assert server.calls == ["arrived", ("departed", 1000, "so long")]


def test_a_peer_that_never_takes_our_last_words(server: Server) -> None:
    """Twisted waits until all is written: a peer that does not read would keep the connection for ever."""
    connection = server.connect_charger()
    connection.transport.peer_reads = False
    connection.exchange(client_close(1000))
    assert not connection.peer.lost
    server.wait(LINGER_TIMEOUT - 1)
    assert not connection.peer.lost
    server.wait(1)
    assert connection.transport.aborted
    assert connection.peer.lost
    assert server.calls == ["arrived", ("departed", 1000, "")]


def test_stopping_the_factory_closes_all_connections(server: Server) -> None:
    """At the end of the process whoever is still here is hung up on."""
    connections = [server.connect_charger(), server.connect()]
    server.factory.stop()
    server.factory.stop()
    for connection in connections:
        connection.pump.flush()
        assert connection.peer.lost
    assert server.calls == ["arrived", ("departed", 1006, "the door is closed")]


# signs of life


def seconds_until_sent(server: Server, connection: Any, most: int = 120) -> int:
    """How many seconds it takes until something is sent."""
    for second in range(1, most):
        server.wait(1)
        if connection.peer.data or connection.peer.lost:
            return second
    raise AssertionError("nothing happened")


def test_a_silent_charger_is_pinged_and_dropped(server: Server) -> None:
    """C13, F10, FIELD 3: after 30 s, give or take a fifth; then it has 30 s more."""
    connection = server.connect_charger()
    asked = seconds_until_sent(server, connection)
    assert 24 <= asked <= 36
    assert frames(connection.exchange()) == [(PING, b"")]
    assert seconds_until_sent(server, connection) == 30
    assert connection.transport.aborted
    assert server.calls == ["arrived", ("departed", 1006, f"no sign of life for {asked + 30} s")]


def test_pings_are_spread(server: Server) -> None:
    """Or ten thousand chargers that came at once would be pinged at once for ever."""
    connections = [server.connect_charger() for _ in range(100)]

    def pinged() -> int:
        return sum(bool(connection.peer.data) for connection in connections)

    server.wait(23)
    assert pinged() == 0
    server.wait(7)
    assert 20 < pinged() < 80
    server.wait(6)
    assert pinged() == 100


@pytest.mark.parametrize("sign", [frame(CALL), frame(b"", PING), frame(b"", PONG), frame(CALL)[:5]], ids=["call", "ping", "pong", "part"])
def test_whatever_comes_is_a_sign_of_life(server: Server, sign: bytes) -> None:
    """FIELD 3: any inbound frame counts; a charger is never closed because it does not pong."""
    connection = server.connect_charger()
    asked = seconds_until_sent(server, connection)
    connection.exchange()
    server.wait(29)
    connection.peer.transport.write(sign)
    connection.pump.flush()
    connection.peer.data = b""
    assert seconds_until_sent(server, connection) == asked
    assert frames(connection.exchange()) == [(PING, b"")]
    assert not connection.peer.lost


def test_a_talkative_charger_is_not_pinged(server: Server) -> None:
    """It costs money where data does."""
    connection = server.connect_charger()
    for _ in range(20):
        server.wait(20)
        assert connection.exchange(frame(CALL)) == b""


def test_suspended(server: Server) -> None:
    """F16: while this process did not run, nobody was heard; that is no reason to drop everybody."""
    connection = server.connect_charger()
    server.clock.advance(3600)
    connection.pump.flush()
    assert not connection.peer.lost


def test_a_ping_is_answered_by_the_next_sign_of_life(server: Server) -> None:
    """`IWire.ping`: the next thing it says answers, once."""
    connection = server.connect_charger()
    alive: list[bool] = []
    connection.protocol.ping(lambda: alive.append(True))
    assert frames(connection.exchange()) == [(PING, b"")]
    assert not alive
    connection.exchange(frame(b"", PONG), frame(CALL))
    assert alive == [True]
    connection.protocol.ping(lambda: alive.append(True))
    connection.disconnect()
    assert alive == [True]


def test_a_callback_of_a_ping_that_fails(server: Server, tidy: list[LogEvent]) -> None:
    """Nor may that cost the charger its connection."""
    connection = server.connect_charger()
    connection.protocol.ping(lambda: 1 / 0)  # type: ignore[func-returns-value]
    connection.exchange(frame(CALL))
    assert server.calls == ["arrived", CALL]
    assert tidy.pop()["log_failure"].check(ZeroDivisionError)


def test_the_timer_continues_after_an_error(server: Server, tidy: list[LogEvent]) -> None:
    """An error with one connection does not stop the checks of the others."""
    first, second = server.connect_charger(), server.connect_charger()
    first.protocol.check = lambda tick, timeout: 1 / 0
    server.wait(36)
    assert second.peer.data
    del first.protocol.check
    assert len(tidy) == 36
    tidy.clear()


# too fast, too slow


def test_hold(server: Server) -> None:
    """A20: no frame reaches a sink that is not ready, not even one that has been read; none is lost, nor out of order."""
    server.admissions.sink.on_frame = lambda text: server.admissions.wires[0].hold(True) if text == b"1" else None
    connection = server.connect_charger(frame(b"1"), frame(b"2"))
    assert not connection.transport.reading
    connection.exchange(frame(b"3"))
    assert server.calls == ["arrived", b"1"]
    connection.protocol.hold(False)
    connection.pump.flush()
    assert server.calls == ["arrived", b"1", b"2", b"3"]
    assert connection.transport.reading


def test_hold_ended_from_within(server: Server) -> None:
    """A sink that holds and resumes while it is given a message gets each once, in order."""

    def on_frame(text: bytes) -> None:
        server.admissions.wires[0].hold(True)
        server.admissions.wires[0].hold(False)

    server.admissions.sink.on_frame = on_frame
    server.connect_charger(frame(b"1"), frame(b"2"), frame(b"3"))
    assert server.calls == ["arrived", b"1", b"2", b"3"]


def test_a_charger_that_is_held_is_not_taken_for_dead(server: Server) -> None:
    """It is we who do not listen."""
    connection = server.connect_charger()
    connection.protocol.hold(True)
    server.wait(200)
    assert not connection.peer.lost
    connection.protocol.hold(False)
    assert 24 <= seconds_until_sent(server, connection) <= 37


def test_a_held_charger_that_leaves(server: Server) -> None:
    """What it said last goes with it: unanswered, it will say it again."""
    server.admissions.sink.on_frame = lambda text: server.admissions.wires[0].hold(True)
    connection = server.connect_charger(frame(b"1"), frame(b"2"))
    connection.disconnect()
    connection.protocol.hold(False)
    assert [each if isinstance(each, (str, bytes)) else each[:2] for each in server.calls] == ["arrived", b"1", ("departed", 1006)]


def test_a_charger_that_does_not_read(server: Server) -> None:
    """A9, F26: then we do not read from it either, so that what we hold for it is bounded; at last it is dropped."""
    server.admissions.sink.on_frame = lambda text: server.admissions.wires[0].send(b"x" * 1000)
    connection = server.connect_charger()
    connection.transport.peer_reads = False
    for _ in range(200):
        connection.exchange(frame(CALL) * 100)
    assert not connection.transport.reading
    assert connection.transport.pending < connection.transport.full + 2000
    assert len(connection.protocol.data) < len(frame(CALL) * 101)
    server.wait(70)
    assert connection.transport.aborted


def test_a_charger_that_reads_again(server: Server) -> None:
    """Slow is not dead: it gets all its answers."""
    server.admissions.sink.on_frame = lambda text: server.admissions.wires[0].send(b"x" * 1000)
    connection = server.connect_charger()
    connection.transport.peer_reads = False
    connection.exchange(frame(CALL) * 200)
    assert not connection.transport.reading
    connection.transport.peer_reads = True
    assert frames(connection.exchange()) == [(TEXT, b"x" * 1000)] * 200
    assert connection.transport.reading


def test_held_for_two_reasons(server: Server) -> None:
    """The network's recovery does not end the application's hold, nor the other way round."""
    connection = server.connect_charger()
    connection.protocol.hold(True)
    connection.protocol.pauseProducing()
    connection.protocol.resumeProducing()
    assert not connection.transport.reading
    connection.protocol.pauseProducing()
    connection.protocol.hold(False)
    assert not connection.transport.reading
    connection.protocol.resumeProducing()
    assert connection.transport.reading


# compression

OFFER = b"Sec-WebSocket-Extensions: permessage-deflate"


def deflated(text: bytes) -> bytes:
    """RFC 7692 §7.2.1."""
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize(
    "offer",
    [
        b"",
        b"; client_max_window_bits",
        b"; client_no_context_takeover; server_no_context_takeover",
        b"; server_max_window_bits=10",
        b"; nonsense=1, permessage-deflate",
        b"; server_max_window_bits=8, x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
    ],
)
def test_compression(server: Server, offer: bytes) -> None:
    """C10: agreed on without a context on either side; an offer that makes no sense is passed over (RFC 7692 §5.1)."""
    connection = server.connect_charger(headers=(OFFER + offer,))
    (agreed,) = (line for line in connection.peer.head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Extensions"))
    assert agreed.count(b"server_no_context_takeover") == agreed.count(b"client_no_context_takeover") == 1
    for _ in range(3):
        connection.exchange(frame(deflated(CALL), rsv=4), frame(CALL))
        connection.protocol.send(b"x" * 5000)
        answer = connection.exchange()
        assert answer[0] == 0xC1
        assert len(answer) < 100
        unpacker = zlib.decompressobj(wbits=-10 if b"=10" in offer else -15)
        assert unpacker.decompress(answer[2:] + b"\0\0\xff\xff") == b"x" * 5000
    assert server.calls == ["arrived"] + [CALL] * 6


def test_compression_holds_no_memory_between_messages(server: Server) -> None:
    """Else each idle charger would cost 300 KB, most of it zlib's state."""
    connections = [server.connect_charger(headers=(OFFER,)) for _ in range(5)]
    tracemalloc.start()
    try:
        for connection in connections:
            connection.exchange(frame(deflated(CALL), rsv=4))
            connection.protocol.send(b"x" * 5000)
            connection.exchange()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


def test_short_messages_are_not_compressed(server: Server) -> None:
    """RFC 7692 §6 leaves it to the sender."""
    connection = server.connect_charger(headers=(OFFER,))
    connection.protocol.send(CALL)
    assert frames(connection.exchange()) == [(TEXT, CALL)]


@pytest.mark.parametrize(
    "offer", [b"x-webkit-deflate-frame", b"permessage-deflate; nonsense", b";;=,", b"permessage-bzip2", b"permessage-brotli"]
)
def test_no_compression(server: Server, offer: bytes) -> None:
    """What we do not know is declined, and the charger comes in all the same."""
    connection = server.connect_charger(headers=(b"Sec-WebSocket-Extensions: " + offer,))
    assert b"Extensions" not in connection.peer.head


def test_compression_with_autobahn(server: Server) -> None:
    """With a client that is not made here, in several fragments."""
    options = {
        "perMessageCompressionOffers": [PerMessageDeflateOffer()],
        "perMessageCompressionAccept": lambda response: PerMessageDeflateResponseAccept(response),
    }
    connection = server.connect_autobahn(**options)
    for _ in range(3):
        connection.peer.sendMessage(CALL * 100, fragmentSize=7)
        connection.protocol.send(b"y" * 4000)
        connection.pump.flush()
    assert server.calls == ["arrived"] + [CALL * 100] * 3
    assert connection.peer.seen == [("open", "ocpp1.6")] + [b"y" * 4000] * 3


# memory


def test_an_idle_connection_is_small(server: Server) -> None:
    """Ten thousand idle chargers: what was for the handshake alone is let go of, with the credentials in it; options are the class's."""
    connection = server.connect_charger(headers=(b"Authorization: Basic c2VjcmV0",))
    kept = vars(connection.protocol)
    assert len(kept) < 30
    assert "c2VjcmV0" not in repr(kept)
    assert connection.protocol.autoPingInterval == 0
    assert connection.protocol.maxMessagePayloadSize == 1 << 20


def test_one_timer_for_all_connections(server: Server) -> None:
    """Whatever connections do: one timer for all."""
    server.connect_charger().protocol.close(1000, "")
    server.connect().exchange(request()[:20])
    server.connect_charger()
    assert len(server.clock.getDelayedCalls()) == 1


def test_a_connection_that_has_ended_is_gone_at_once(server: Server) -> None:
    """Nothing of it waits for the garbage collector, which would stand still for all of thousands."""
    gc.disable()
    try:
        server.connect_charger(frame(CALL)).disconnect()
        connection = server.connections.pop()
        ended = weakref.ref(connection.protocol)
        connection.transport.protocol = connection.transport.producer = None  # as Twisted's own does
        server.admissions.wires.clear()
        del connection
        assert ended() is None
    finally:
        gc.enable()
