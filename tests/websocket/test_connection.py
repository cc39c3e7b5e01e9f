"""The door: who comes in and as whom, how others are turned away, and what a connection is like until its end."""

from __future__ import annotations

import gc
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
from ocpp_tw.websocket.timeouts import CLOSE_TIMEOUT, LINGER_TIMEOUT
from websocket_peer import ACCEPT, CLOSE, PING, PONG, TEXT, Street, closing, farewell, frame, frames, request

CALL = b'[2,"1","Heartbeat",{}]'


@pytest.fixture
def street() -> Iterator[Street]:
    """A door with the settings' defaults."""
    made = Street()
    yield made
    made.close()


@pytest.fixture
def door() -> Iterator[Callable[..., Street]]:
    """A door with settings of one's own."""
    made: list[Street] = []

    def make(**settings: Any) -> Street:
        made.append(Street(**settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


# who comes in


def test_comes_in(street: Street) -> None:
    """C1: a charger that does everything right; the answer is RFC 6455 §4.2.2's."""
    visit = street.enter(target="/ocpp/RDAM%20123")
    verifyObject(IWire, visit.ours)
    assert visit.peer.head == (
        b"HTTP/1.1 101 Switching Protocols\r\nServer: ocpp_tw\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
    )
    knock = street.porter.knocks[0]
    assert (knock.id, knock.domain, knock.address, knock.offered, knock.repairs) == (
        "RDAM 123", "csms.example.com:10800", "192.0.2.7", ("ocpp1.6",), (),
    )  # fmt: skip
    assert street.told == ["arrived"]
    assert knock.headers["sec-websocket-version"] == "13"
    visit.say(frame(CALL))
    assert street.told == ["arrived", CALL]


def test_converses_with_autobahn(street: Street) -> None:
    """With a client that is not made here."""
    visit = street.client("/ocpp/CP%201")
    visit.peer.sendMessage(CALL)
    visit.pump.flush()
    visit.ours.send(b'[3,"1",{}]')
    visit.pump.flush()
    visit.peer.sendClose(4321, "over")
    visit.pump.flush()
    assert street.porter.knocks[0].id == "CP 1"
    assert street.told == ["arrived", CALL, ("departed", 4321, "over")]
    assert visit.peer.seen[:2] == [("open", "ocpp1.6"), b'[3,"1",{}]']


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
def test_identity_is_of_the_raw_target(street: Street, target: str, id: str) -> None:
    """C1, C2, C4 and FIELD 16, 17: decoded once, where Autobahn's own parser cuts (``;``, ``//``) or does not decode."""
    street.enter(target=target)
    assert street.porter.knocks[0].id == id


@pytest.mark.parametrize("target", ["/", "/%ZZ", "/%f", "/%ff", "/a%2Fb", "/..", "/%2e", "/%00", "/a%0d%0aX:1", "/" + "x" * 49, "/%20a"])
def test_identity_that_makes_no_sense(street: Street, target: str) -> None:
    """C2, A15: bad escapes, non-UTF-8, control characters, a slash, nothing: 400; whoever looks for the charger is told."""
    visit = street.connect()
    assert visit.say(request(target)).startswith(b"HTTP/1.1 400 ")
    assert visit.peer.lost
    assert [each[:3] for each in street.told] == [("refused", "", 400)]


def test_longer_identities_can_be_allowed(door: Callable[..., Street]) -> None:
    """C4: the limit is a setting."""
    door(max_identity=255).enter(target="/" + "x" * 255)


@pytest.mark.parametrize("host", ["h:1", "h", "[::1]:10800", "[::1]"])
def test_domain_is_the_host_as_the_charger_sent_it(street: Street, host: str) -> None:
    """CONTRACT 1: as the Go server told it, with the port where the charger named one."""
    street.enter(Host=host.encode())
    assert street.porter.knocks[0].domain == host


# subprotocols


def by_choice(street: Street, *known: str) -> None:
    """Have the porter choose as the gateway does."""

    def decide(knock: Any, wire: Any) -> Any:
        chosen = choose(knock.offered, known)
        if chosen is None and street.factory.settings.subprotocol_mismatch == "refuse":
            raise HandshakeRefused(400, "no common subprotocol")
        return street.porter.visitor, chosen and chosen[0]

    street.porter.decide = decide


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
def test_subprotocol_is_the_first_of_the_chargers(street: Street, offered: bytes, agreed: bytes) -> None:
    """C7 and FIELD 14: the charger's order decides, and it hears its own spelling (Autobahn refuses what is offered twice)."""
    by_choice(street, "ocpp1.6", "ocpp2.0.1")
    visit = street.enter(protocols=offered)
    assert b"\r\nSec-WebSocket-Protocol: " + agreed + b"\r\n" in visit.peer.head
    assert street.told == ["arrived"]


@pytest.mark.parametrize("offered", [b"ocpp9", None, b""])
def test_no_common_subprotocol_is_refused(street: Street, offered: bytes | None) -> None:
    """C8, C9, TC_088_CSMS: by default the upgrade is refused."""
    by_choice(street, "ocpp1.6")
    assert street.connect().say(request(protocols=offered)).startswith(b"HTTP/1.1 400 no common subprotocol\r\n")
    assert street.told == [("refused", "cp1", 400, "no common subprotocol")]


@pytest.mark.parametrize("default", ["", "ocpp1.6"])
def test_no_common_subprotocol_is_closed(door: Callable[..., Street], default: str) -> None:
    """C8 by the letter of part 4: the handshake completes without the header, then 1002; a default is not for who offers another."""
    street = door(subprotocol_mismatch="close", default_subprotocol=default)
    by_choice(street, "ocpp1.6")
    visit = street.enter(frame(CALL), protocols=b"ocpp9")
    assert b"Sec-WebSocket-Protocol" not in visit.peer.head
    assert farewell(visit.say()) == (1002, "no common subprotocol")
    visit.say(frame(CALL), closing(1002))
    assert visit.peer.lost
    assert street.told == [("departed", 1002, "no common subprotocol")]  # it never arrived, but the door made a guest of it


def test_default_subprotocol(door: Callable[..., Street]) -> None:
    """C9 and FIELD 14: an old charger that offers none at all is served, and told no subprotocol."""
    visit = door(default_subprotocol="ocpp1.6").enter(frame(CALL), protocols=None)
    assert b"Sec-WebSocket-Protocol" not in visit.peer.head
    assert visit.say() == b""


def test_subprotocol_nobody_offered(street: Street, tidy: list[LogEvent]) -> None:
    """Autobahn would leave the charger without any answer; it is our mistake, so 503."""
    street.porter.decide = lambda knock, wire: (street.porter.visitor, "ocpp2.1")
    assert street.connect().say(request()).startswith(b"HTTP/1.1 503 ")
    assert tidy.pop()["log_failure"].check(ValueError)
    assert [each[0] for each in street.told] == ["refused", "departed"]


# sloppy requests


@pytest.mark.parametrize(
    "asked",
    [
        {"without": (b"Connection",)},
        {"Connection": b"keep-alive"},
    ],
)
def test_missing_connection_header(street: Street, asked: dict[str, Any]) -> None:
    """FIELD 16: Autel leaves it out; repaired and reported."""
    street.enter(**asked)
    assert street.porter.knocks[0].repairs == ("no Connection: Upgrade",)


@pytest.mark.parametrize("origin", [b"null", b"", b"nonsense", b"http://evil.example", b"file://\\\\", b"x\r\nOrigin: y"])
def test_origin_is_of_no_interest(street: Street, origin: bytes) -> None:
    """Handshake facts 13: libwebsockets' clients send an Origin; Autobahn refuses many a one."""
    street.enter(Origin=origin)


def test_header_names_in_any_case(street: Street) -> None:
    """Handshake facts 13: ``authorization`` in lower case, as EVerest and others write it."""
    street.enter(headers=(b"authorization: Basic eA==",))
    assert street.porter.knocks[0].headers["authorization"] == "Basic eA=="


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
def test_not_a_handshake(street: Street, head: bytes, status: bytes) -> None:
    """A11: no status page, no redirect, no banner; each answer is complete, so that no proxy waits for more."""
    visit = street.connect()
    answer = visit.say(head)
    assert answer.startswith(b"HTTP/1.1 " + status + b" ")
    assert b"\r\nContent-Length: 0\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1
    assert visit.peer.lost
    assert not street.porter.knocks


def test_probes_are_no_news(street: Street) -> None:
    """A scanner or a load balancer's probe asks for no upgrade: 426 with the header that RFC 9110 §15.5.22 demands, and nobody is told."""
    answer = street.connect().say(b"GET /?redirect=https://evil.example HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b"\r\nUpgrade: websocket\r\n" in answer
    assert b"evil" not in answer
    street.connect().leave()
    assert street.told == []


# the gate says no


def test_refused(street: Street) -> None:
    """The exact bytes of a refusal."""

    def refuse(knock: Any, wire: Any) -> Any:
        raise HandshakeRefused(401, "Unauthorized", (("WWW-Authenticate", 'Basic realm="ocpp"'),))

    street.porter.decide = refuse
    visit = street.connect()
    assert visit.say(request() + frame(CALL)) == (
        b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\nWWW-Authenticate: Basic realm="ocpp"\r\n\r\n'
    )
    assert visit.peer.lost
    assert street.told == [("refused", "cp1", 401, "Unauthorized")]


def test_refusal_cannot_split_the_response(street: Street) -> None:
    """A gate of an operator's own may put a charger's words into its refusal."""

    def refuse(knock: Any, wire: Any) -> Any:
        raise HandshakeRefused(403, "no\r\nX-Injected: é", (("X-Why", "a\r\nX-Injected: yes"), ("X-Other", "fine")))

    street.porter.decide = refuse
    answer = street.connect().say(request())
    assert answer == b"HTTP/1.1 403 noX-Injected: \r\nContent-Length: 0\r\nConnection: close\r\nX-Other: fine\r\n\r\n"


@pytest.mark.parametrize("late", [False, True])
def test_a_gate_with_a_bug(street: Street, tidy: list[LogEvent], late: bool) -> None:
    """Autobahn puts an exception's text into the status line; ours goes to the log alone."""

    async def later() -> Any:
        raise RuntimeError("db\r\nX-Injected: yes")

    def decide(knock: Any, wire: Any) -> Any:
        if late:
            return later()
        raise RuntimeError("db\r\nX-Injected: yes")

    street.porter.decide = decide
    visit = street.connect()
    assert visit.say(request()) == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 10\r\n\r\n"
    )
    assert visit.peer.lost
    assert tidy.pop()["log_failure"].check(RuntimeError)
    assert street.told == [("refused", "cp1", 503, "Service Unavailable")]


def test_a_gate_that_answers_nonsense(street: Street, tidy: list[LogEvent]) -> None:
    """Neither a guest nor something to wait for."""
    street.porter.decide = lambda knock, wire: None
    assert street.connect().say(request()).startswith(b"HTTP/1.1 503 ")
    assert tidy.pop()["log_failure"].check(TypeError)


def test_a_door_that_fails_at_being_told(street: Street, tidy: list[LogEvent]) -> None:
    """An error of ours costs the charger neither its refusal nor its connection."""

    def broken(*_: Any) -> None:
        raise RuntimeError("our bug")

    street.porter.arrived = street.porter.departed = street.porter.handshake_refused = broken  # type: ignore[method-assign]
    visit = street.enter()
    visit.say(frame(CALL))
    visit.leave()
    assert street.connect().say(request("/")).startswith(b"HTTP/1.1 400 ")
    assert street.told == [CALL]
    assert [each["log_failure"].check(RuntimeError) for each in tidy] == [RuntimeError] * 3
    tidy.clear()


# the gate thinks


def thinking(street: Street) -> list[Deferred[Any]]:
    """Have the porter think about each who knocks, until told."""
    thoughts: list[Deferred[Any]] = []

    def decide(knock: Any, wire: Any) -> Awaitable[Any]:
        thoughts.append(Deferred())
        return thoughts[-1]

    street.porter.decide = decide
    return thoughts


def test_a_gate_that_thinks(street: Street) -> None:
    """What comes before it has decided is neither lost nor taken for another request, however it is cut."""
    (thoughts,) = (thinking(street),)
    visit = street.connect()
    ahead = frame(b"one") + frame(b"two") + frame(b"three")
    assert visit.say(request() + ahead[:3], ahead[3:12], ahead[12:]) == b""
    assert street.told == []
    assert len(street.porter.knocks) == 1
    thoughts[0].callback((street.porter.visitor, "ocpp1.6"))
    assert visit.say(frame(b"four")).startswith(b"HTTP/1.1 101 ")
    assert street.told == ["arrived", b"one", b"two", b"three", b"four"]


def test_what_comes_ahead_is_limited(street: Street) -> None:
    """A charger may not fill our memory while the gate thinks."""
    thinking(street)
    visit = street.connect()
    visit.say(request(), b"x" * MAX_EARLY_BYTES)
    assert not visit.peer.lost
    visit.say(b"x" * MAX_EARLY_BYTES)
    assert visit.peer.lost
    assert street.told == []


def test_a_gate_that_refuses_later(street: Street) -> None:
    """As at once."""
    thoughts = thinking(street)
    visit = street.connect()
    visit.say(request(), frame(CALL))
    thoughts[0].errback(HandshakeRefused(404, "unknown charger"))
    assert visit.say().startswith(b"HTTP/1.1 404 unknown charger\r\nContent-Length: 0\r\n")
    assert street.told == [("refused", "cp1", 404, "unknown charger")]


@pytest.mark.parametrize("coroutine", [False, True])
def test_leaving_while_the_gate_thinks(street: Street, coroutine: bool) -> None:
    """The ghost: Autobahn would open the connection that is gone. The gate is told to stop thinking."""
    thoughts = thinking(street)
    decide = street.porter.decide

    async def later(knock: Any, wire: Any) -> Any:
        return await decide(knock, wire)

    if coroutine:
        street.porter.decide = later
    visit = street.connect()
    visit.say(request())
    visit.leave()
    failed: list[Any] = []
    thoughts[0].addErrback(failed.append)
    assert thoughts[0].called
    assert not street.factory.connected
    assert street.told == []


def test_a_gate_that_cannot_stop_thinking(street: Street) -> None:
    """It lets in somebody who has left: the guest it made does not arrive, but departs, or nobody would ever clear it away."""
    thoughts: list[Deferred[Any]] = []

    async def stubborn(thought: Deferred[Any]) -> Any:
        try:
            await thought
        except CancelledError:
            return street.porter.visitor, "ocpp1.6"

    def decide(knock: Any, wire: Any) -> Any:
        thoughts.append(Deferred())
        return stubborn(thoughts[-1])

    street.porter.decide = decide
    visit = street.connect()
    visit.say(request())
    visit.leave()
    assert street.told == [("departed", 1006, "left before it was let in")]


def test_a_gate_that_thinks_too_long(street: Street) -> None:
    """The handshake's time includes the gate's; then the charger is told to come again, and a late decision changes nothing."""
    thoughts = thinking(street)
    visit = street.connect()
    visit.say(request())
    thoughts[0].addErrback(lambda _: None)
    street.wait(14)
    assert visit.peer.data == b""
    street.wait(2)
    assert visit.say().startswith(b"HTTP/1.1 503 ")
    assert street.told == [("refused", "cp1", 503, "Service Unavailable")]


def test_a_decision_after_the_end(street: Street) -> None:
    """Between our hanging up and Twisted's saying that it is done, a decision must not open the connection again."""
    thoughts = thinking(street)
    visit = street.connect()
    visit.say(request())
    street.porter.wires[0].close(1012, "service restart")
    thoughts[0].callback((street.porter.visitor, "ocpp1.6"))
    visit.pump.flush()
    assert visit.peer.data == b""
    assert visit.peer.lost
    assert [each[:2] for each in street.told] == [("departed", 1006)]


def test_closed_while_deciding(street: Street) -> None:
    """`IWire.close` before there is a handshake to speak of."""

    def decide(knock: Any, wire: Any) -> Any:
        wire.send(b"nobody hears this")
        wire.ping(lambda: None)
        wire.hold(True)
        wire.close(1012, "service restart")
        return street.porter.visitor, "ocpp1.6"

    street.porter.decide = decide
    visit = street.connect()
    assert visit.say(request() + frame(CALL)) == b""
    assert visit.peer.lost
    assert [each[:2] for each in street.told] == [("departed", 1006)]


# frames


def test_frames_in_the_segment_of_the_handshake(street: Street) -> None:
    """A charger may send at once, hoping for the best; what follows is not disturbed."""
    street.enter(frame(b"one"), frame(b"two"), frame(b"three")[:4]).say(frame(b"three")[4:])
    assert street.told == ["arrived", b"one", b"two", b"three"]


def test_every_cut(street: Street) -> None:
    """A network may cut anywhere: each byte in a segment of its own."""
    visit = street.connect()
    whole = request("/ocpp/RDAM%20123") + frame(CALL) + frame(b"ping", PING) + frame("ä".encode(), fin=False) + frame(b"!", 0)
    visit.say(*(whole[i : i + 1] for i in range(len(whole))))
    assert street.told == ["arrived", CALL, "ä!".encode()]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1 << 20])
def test_sizes(street: Street, size: int) -> None:
    """The three forms of a frame's length, in both directions (RFC 6455 §5.2)."""
    visit = street.enter()
    visit.say(frame(b"x" * size))
    visit.ours.send(b"y" * size)
    assert frames(visit.say()) == [(TEXT, b"y" * size)]
    assert street.told == ["arrived", b"x" * size]


def test_we_may_say_more_than_we_hear(door: Callable[..., Street]) -> None:
    """The limit is for chargers' messages; Autobahn's sendMessage() holds ours to it too, and raises."""
    street = door(max_message=1024)
    visit = street.enter()
    visit.ours.send(b"y" * 5000)
    assert frames(visit.say()) == [(TEXT, b"y" * 5000)]


def test_fragments(street: Street) -> None:
    """Frames 14: ocpp-go sends a long answer in continuation frames; a ping may come between (RFC 6455 §5.4)."""
    visit = street.enter()
    assert frames(visit.say(frame(b"[2,", fin=False), frame(b"", 0, fin=False) + frame(b"?", PING), frame(b"]", 0))) == [(PONG, b"?")]
    assert street.told == ["arrived", b"[2,]"]


def test_our_bug_keeps_the_connection(street: Street, tidy: list[LogEvent]) -> None:
    """LIBRARIES: an exception in onMessage would drop the charger's connection."""

    def boom(text: bytes) -> None:
        if text == b"boom":
            raise RuntimeError("our bug")

    street.porter.visitor.on_frame = boom
    visit = street.enter(frame(b"boom"), frame(b"still here"))
    assert visit.say(frame(b"boom"), frame(b"and here")) == b""
    assert street.told == ["arrived", b"boom", b"still here", b"boom", b"and here"]
    assert [each["log_failure"].check(RuntimeError) for each in tidy] == [RuntimeError] * 2
    tidy.clear()


def test_answers_from_within(street: Street) -> None:
    """An answer that needs no waiting is sent while the frame is still being taken."""
    street.porter.visitor.on_frame = lambda text: street.porter.wires[0].send(text.upper())
    assert frames(street.enter(frame(b"one")).say(frame(b"two"))) == [(TEXT, b"ONE"), (TEXT, b"TWO")]


def test_pings_are_answered(street: Street) -> None:
    """C13, Frames 14: clients ping every few seconds, with and without a payload."""
    visit = street.enter()
    for _ in range(20):
        assert frames(visit.say(frame(b"", PING) + frame(b"abc", PING))) == [(PONG, b""), (PONG, b"abc")]
        street.wait(1)


def test_pongs_nobody_asked_for(street: Street) -> None:
    """RFC 6455 §5.5.3: a sign of life, and no more."""
    assert street.enter().say(frame(b"x", PONG)) == b""


# the end


@pytest.mark.parametrize(("code", "told"), [(1000, 1000), (None, 1005), (1001, 1001), (4321, 4321)])
def test_the_charger_closes(street: Street, code: int | None, told: int) -> None:
    """Frames 14: SAP sends an empty Close frame (1005), ocpp-rpc 4321. The reply comes before the end of the connection."""
    visit = street.enter()
    assert frames(visit.say(closing(code) + frame(CALL))) == [(CLOSE, b"\x03\xe8")]
    assert visit.peer.lost
    assert not visit.line.aborted
    assert street.told == ["arrived", ("departed", told, "")]


def test_the_network_breaks(street: Street) -> None:
    """No closing handshake at all."""
    street.enter().leave()
    assert street.told == ["arrived", ("departed", 1006, "peer dropped the TCP connection without previous WebSocket closing handshake")]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1008, 1011, 1012, 4000])
def test_we_close(street: Street, code: int) -> None:
    """The codes a server needs, most of which sendClose() does not admit; the connection ends without a reset."""
    visit = street.enter()
    visit.ours.close(code, "so long")
    assert farewell(visit.say()) == (code, "so long")
    visit.say(closing(code))
    assert visit.peer.lost
    assert not visit.line.aborted
    assert street.told == ["arrived", ("departed", code, "so long")]


def test_nothing_is_heard_after_our_close(street: Street) -> None:
    """What is on its way then could not be answered: the charger says it again on its next connection."""
    visit = street.enter()
    visit.ours.close(1012, "service restart")
    assert farewell(visit.say(frame(CALL), frame(b"x", PING))) == (1012, "service restart")
    visit.ours.close(1000, "again")
    visit.ours.send(b"too late")
    visit.ours.ping(lambda: None)
    assert visit.say(closing(1012)) == b""
    assert visit.peer.lost
    visit.ours.close(1000, "and again")
    visit.ours.send(b"much too late")
    visit.ours.hold(True)
    visit.ours.hold(False)
    assert street.told == ["arrived", ("departed", 1012, "service restart")]


def test_close_from_within(street: Street) -> None:
    """A guest that has enough of it in the middle of a segment."""
    street.porter.visitor.on_frame = lambda text: street.porter.wires[0].close(1008, "enough")
    visit = street.enter()
    assert farewell(visit.say(frame(b"one") + frame(b"two"))) == (1008, "enough")
    assert street.told == ["arrived", b"one"]


def test_reason_is_cut_between_characters(street: Street) -> None:
    """RFC 6455 §5.5: 123 bytes, and they must be UTF-8 all the same."""
    visit = street.enter()
    visit.ours.close(1000, "ä" * 100)
    assert farewell(visit.say()) == (1000, "ä" * 61)


def test_a_charger_that_does_not_answer_our_close(street: Street) -> None:
    """It has two seconds; a reset might take our Close frame from it even then."""
    visit = street.enter()
    visit.ours.close(1000, "so long")
    street.wait(CLOSE_TIMEOUT)
    assert not visit.peer.lost
    street.wait(1)
    assert visit.peer.lost
    assert not visit.line.aborted
    assert street.told == ["arrived", ("departed", 1000, "so long")]


def test_a_peer_that_never_takes_our_last_words(street: Street) -> None:
    """Twisted waits until all is written: a peer that does not read would keep the connection for ever."""
    visit = street.enter()
    visit.line.peer_reads = False
    visit.say(closing(1000))
    assert not visit.peer.lost
    street.wait(LINGER_TIMEOUT - 1)
    assert not visit.peer.lost
    street.wait(1)
    assert visit.line.aborted
    assert visit.peer.lost
    assert street.told == ["arrived", ("departed", 1000, "")]


def test_the_door_closes(street: Street) -> None:
    """At the end of the process whoever is still here is hung up on."""
    visits = [street.enter(), street.connect()]
    street.factory.stop()
    street.factory.stop()
    for visit in visits:
        visit.pump.flush()
        assert visit.peer.lost
    assert street.told == ["arrived", ("departed", 1006, "the door is closed")]


# signs of life


def silence(street: Street, visit: Any, most: int = 120) -> int:
    """How many seconds it takes until something is sent."""
    for second in range(1, most):
        street.wait(1)
        if visit.peer.data or visit.peer.lost:
            return second
    raise AssertionError("nothing happened")


def test_a_silent_charger_is_pinged_and_dropped(street: Street) -> None:
    """C13, F10, FIELD 3: after 30 s, give or take a fifth; then it has 30 s more."""
    visit = street.enter()
    asked = silence(street, visit)
    assert 24 <= asked <= 36
    assert frames(visit.say()) == [(PING, b"")]
    assert silence(street, visit) == 30
    assert visit.line.aborted
    assert street.told == ["arrived", ("departed", 1006, f"no sign of life for {asked + 30} s")]


def test_pings_are_spread(street: Street) -> None:
    """Or ten thousand chargers that came at once would be pinged at once for ever."""
    visits = [street.enter() for _ in range(100)]

    def pinged() -> int:
        return sum(bool(visit.peer.data) for visit in visits)

    street.wait(23)
    assert pinged() == 0
    street.wait(7)
    assert 20 < pinged() < 80
    street.wait(6)
    assert pinged() == 100


@pytest.mark.parametrize("sign", [frame(CALL), frame(b"", PING), frame(b"", PONG), frame(CALL)[:5]], ids=["call", "ping", "pong", "part"])
def test_whatever_comes_is_a_sign_of_life(street: Street, sign: bytes) -> None:
    """FIELD 3: any inbound frame counts; a charger is never closed because it does not pong."""
    visit = street.enter()
    asked = silence(street, visit)
    visit.say()
    street.wait(29)
    visit.peer.transport.write(sign)
    visit.pump.flush()
    visit.peer.data = b""
    assert silence(street, visit) == asked
    assert frames(visit.say()) == [(PING, b"")]
    assert not visit.peer.lost


def test_a_talkative_charger_is_not_pinged(street: Street) -> None:
    """It costs money where data does."""
    visit = street.enter()
    for _ in range(20):
        street.wait(20)
        assert visit.say(frame(CALL)) == b""


def test_suspended(street: Street) -> None:
    """F16: while this process did not run, nobody was heard; that is no reason to drop everybody."""
    visit = street.enter()
    street.clock.advance(3600)
    visit.pump.flush()
    assert not visit.peer.lost


def test_asked_for_a_sign_of_life(street: Street) -> None:
    """`IWire.ping`: the next thing it says answers, once."""
    visit = street.enter()
    alive: list[bool] = []
    visit.ours.ping(lambda: alive.append(True))
    assert frames(visit.say()) == [(PING, b"")]
    assert not alive
    visit.say(frame(b"", PONG), frame(CALL))
    assert alive == [True]
    visit.ours.ping(lambda: alive.append(True))
    visit.leave()
    assert alive == [True]


def test_a_bug_in_who_asked(street: Street, tidy: list[LogEvent]) -> None:
    """Nor may that cost the charger its connection."""
    visit = street.enter()
    visit.ours.ping(lambda: 1 / 0)  # type: ignore[func-returns-value]
    visit.say(frame(CALL))
    assert street.told == ["arrived", CALL]
    assert tidy.pop()["log_failure"].check(ZeroDivisionError)


def test_the_wheel_turns_whatever_happens(street: Street, tidy: list[LogEvent]) -> None:
    """An error with one connection is no reason to look after none any more."""
    first, second = street.enter(), street.enter()
    first.ours.check = lambda tick, timeout: 1 / 0
    street.wait(36)
    assert second.peer.data
    del first.ours.check
    assert len(tidy) == 36
    tidy.clear()


# too fast, too slow


def test_hold(street: Street) -> None:
    """A20: no frame reaches a guest that is not ready, not even one that has been read; none is lost, nor out of order."""
    street.porter.visitor.on_frame = lambda text: street.porter.wires[0].hold(True) if text == b"1" else None
    visit = street.enter(frame(b"1"), frame(b"2"))
    assert not visit.line.reading
    visit.say(frame(b"3"))
    assert street.told == ["arrived", b"1"]
    visit.ours.hold(False)
    visit.pump.flush()
    assert street.told == ["arrived", b"1", b"2", b"3"]
    assert visit.line.reading


def test_hold_ended_from_within(street: Street) -> None:
    """A guest that holds and lets go while it is told of a frame hears of each once, in order."""

    def on_frame(text: bytes) -> None:
        street.porter.wires[0].hold(True)
        street.porter.wires[0].hold(False)

    street.porter.visitor.on_frame = on_frame
    street.enter(frame(b"1"), frame(b"2"), frame(b"3"))
    assert street.told == ["arrived", b"1", b"2", b"3"]


def test_a_charger_that_is_held_is_not_taken_for_dead(street: Street) -> None:
    """It is we who do not listen."""
    visit = street.enter()
    visit.ours.hold(True)
    street.wait(200)
    assert not visit.peer.lost
    visit.ours.hold(False)
    assert 24 <= silence(street, visit) <= 37


def test_a_held_charger_that_leaves(street: Street) -> None:
    """What it said last goes with it: unanswered, it will say it again."""
    street.porter.visitor.on_frame = lambda text: street.porter.wires[0].hold(True)
    visit = street.enter(frame(b"1"), frame(b"2"))
    visit.leave()
    visit.ours.hold(False)
    assert [each if isinstance(each, (str, bytes)) else each[:2] for each in street.told] == ["arrived", b"1", ("departed", 1006)]


def test_a_charger_that_does_not_read(street: Street) -> None:
    """A9, F26: then we do not read from it either, so that what we hold for it is bounded; at last it is dropped."""
    street.porter.visitor.on_frame = lambda text: street.porter.wires[0].send(b"x" * 1000)
    visit = street.enter()
    visit.line.peer_reads = False
    for _ in range(200):
        visit.say(frame(CALL) * 100)
    assert not visit.line.reading
    assert visit.line.pending < visit.line.full + 2000
    assert len(visit.ours.data) < len(frame(CALL) * 101)
    street.wait(70)
    assert visit.line.aborted


def test_a_charger_that_reads_again(street: Street) -> None:
    """Slow is not dead: it gets all its answers."""
    street.porter.visitor.on_frame = lambda text: street.porter.wires[0].send(b"x" * 1000)
    visit = street.enter()
    visit.line.peer_reads = False
    visit.say(frame(CALL) * 200)
    assert not visit.line.reading
    visit.line.peer_reads = True
    assert frames(visit.say()) == [(TEXT, b"x" * 1000)] * 200
    assert visit.line.reading


def test_held_for_two_reasons(street: Street) -> None:
    """The network's recovery does not end the guest's hold, nor the other way round."""
    visit = street.enter()
    visit.ours.hold(True)
    visit.ours.pauseProducing()
    visit.ours.resumeProducing()
    assert not visit.line.reading
    visit.ours.pauseProducing()
    visit.ours.hold(False)
    assert not visit.line.reading
    visit.ours.resumeProducing()
    assert visit.line.reading


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
def test_compression(street: Street, offer: bytes) -> None:
    """C10: agreed on without a context on either side; an offer that makes no sense is passed over (RFC 7692 §5.1)."""
    visit = street.enter(headers=(OFFER + offer,))
    (agreed,) = (line for line in visit.peer.head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Extensions"))
    assert agreed.count(b"server_no_context_takeover") == agreed.count(b"client_no_context_takeover") == 1
    for _ in range(3):
        visit.say(frame(deflated(CALL), rsv=4), frame(CALL))
        visit.ours.send(b"x" * 5000)
        answer = visit.say()
        assert answer[0] == 0xC1
        assert len(answer) < 100
        unpacker = zlib.decompressobj(wbits=-10 if b"=10" in offer else -15)
        assert unpacker.decompress(answer[2:] + b"\0\0\xff\xff") == b"x" * 5000
    assert street.told == ["arrived"] + [CALL] * 6
    deflate = visit.ours._perMessageCompress
    assert deflate._compressor is deflate._decompressor is None  # else an idle charger would cost 300 KB


def test_short_messages_are_not_compressed(street: Street) -> None:
    """RFC 7692 §6 leaves it to the sender."""
    visit = street.enter(headers=(OFFER,))
    visit.ours.send(CALL)
    assert frames(visit.say()) == [(TEXT, CALL)]


@pytest.mark.parametrize(
    "offer", [b"x-webkit-deflate-frame", b"permessage-deflate; nonsense", b";;=,", b"permessage-bzip2", b"permessage-brotli"]
)
def test_no_compression(street: Street, offer: bytes) -> None:
    """What we do not know is declined, and the charger comes in all the same."""
    visit = street.enter(headers=(b"Sec-WebSocket-Extensions: " + offer,))
    assert b"Extensions" not in visit.peer.head


def test_compression_with_autobahn(street: Street) -> None:
    """With a client that is not made here, in several fragments."""
    options = {
        "perMessageCompressionOffers": [PerMessageDeflateOffer()],
        "perMessageCompressionAccept": lambda response: PerMessageDeflateResponseAccept(response),
    }
    visit = street.client(**options)
    for _ in range(3):
        visit.peer.sendMessage(CALL * 100, fragmentSize=7)
        visit.ours.send(b"y" * 4000)
        visit.pump.flush()
    assert street.told == ["arrived"] + [CALL * 100] * 3
    assert visit.peer.seen == [("open", "ocpp1.6")] + [b"y" * 4000] * 3


# what is kept


def test_little_is_kept(street: Street) -> None:
    """Ten thousand idle chargers: what was for the handshake alone is let go of, with the credentials in it; options are the class's."""
    visit = street.enter(headers=(b"Authorization: Basic c2VjcmV0",))
    kept = vars(visit.ours)
    assert len(kept) < 30
    assert "c2VjcmV0" not in repr(kept)
    assert visit.ours.autoPingInterval == 0
    assert visit.ours.maxMessagePayloadSize == 1 << 20


def test_no_timers_but_the_wheel(street: Street) -> None:
    """Whatever connections do: one timer for all."""
    street.enter().ours.close(1000, "")
    street.connect().say(request()[:20])
    street.enter()
    assert len(street.clock.getDelayedCalls()) == 1


def test_a_connection_that_has_ended_is_gone_at_once(street: Street) -> None:
    """Nothing of it waits for the garbage collector, which would stand still for all of thousands."""
    gc.disable()
    try:
        street.enter(frame(CALL)).leave()
        visit = street.visits.pop()
        ended = weakref.ref(visit.ours)
        visit.line.protocol = visit.line.producer = None  # as Twisted's own does
        street.porter.wires.clear()
        del visit
        assert ended() is None
    finally:
        gc.enable()
