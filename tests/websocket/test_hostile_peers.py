"""Attackers and broken software: whatever they send, it costs them the connection and us next to nothing."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from ocpp_tw.interfaces import HandshakeRefused
from ocpp_tw.websocket import addresses
from ocpp_tw.websocket.control_frames import FORGIVEN, MAX_CONTROL_FRAMES, MAX_PONGS
from ocpp_tw.websocket.handshake import MAX_HEAD
from ocpp_tw.websocket.receiving import MAX_FRAGMENTS
from ocpp_tw.websocket.timeouts import MAX_HANDSHAKE_TIME
from websocket_peer import BINARY, CLOSE, PING, PONG, TEXT, Server, client_close, close_frame, frame, frames, request

CALL = b'[2,"1","Heartbeat",{}]'


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with default settings."""
    made = Server()
    yield made
    made.close()


# before the handshake


@pytest.mark.parametrize(
    "line",
    [
        b"X: a\x85Authorization: Basic eA==",
        *(b"X: a" + bytes([byte]) + b"Authorization: Basic eA==" for byte in (0, 1, 0x0A, 0x0B, 0x0C, 0x0D, 0x1B, 0x1C, 0x1D, 0x1E, 0x7F, 0xA0, 0xFF)),
        b"Authorization : Basic eA==",
        b" folded",
        b"no colon",
        b": nameless",
        b"Authorization: Basic eA==\r\nAuthorization: Basic eQ==",
        b"authorization: Basic eA==\r\nAuthorization: Basic eA==",
        b"Host: other",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    ],
)  # fmt: skip
def test_headers_that_two_readers_may_read_differently(server: Server, line: bytes) -> None:
    """A12: Autobahn splits lines at NEL and other control characters, joins what comes twice, and takes a space before the colon."""
    connection = server.connect()
    assert connection.exchange(request("/cp1", line)).startswith(b"HTTP/1.1 400 ")
    assert connection.peer.lost
    assert not server.admissions.requests


@pytest.mark.parametrize("header", ["Sec_WebSocket_Key", "Host", "Upgrade", "Sec_WebSocket_Version"])
def test_answers_quote_nothing_that_hurts(server: Server, header: str) -> None:
    """Autobahn's reasons quote the charger, in the status line; they are cut, and of one printable line."""
    answer = server.connect().exchange(request(**{header: b"x" * 300 + b"\t:9z"}))
    line, _, rest = answer.partition(b"\r\n")
    assert line.startswith(b"HTTP/1.1 400 ")
    assert len(line) < 150
    assert line.decode("ascii").isprintable()
    assert rest == b"Content-Length: 0\r\nConnection: close\r\n\r\n"


def test_a_head_too_long(server: Server) -> None:
    """A10: Autobahn knows no limit; ours is 8 KiB, whether or not the end ever comes."""
    connection = server.connect()
    assert connection.exchange(request("/cp1", b"X: " + b"a" * MAX_HEAD)).startswith(b"HTTP/1.1 431 ")
    assert connection.peer.lost
    connection = server.connect()
    assert connection.exchange(b"GET / HTTP/1.1\r\nX: " + b"a" * (MAX_HEAD // 2)) == b""
    assert connection.exchange(b"a" * (MAX_HEAD // 2)).startswith(b"HTTP/1.1 431 ")
    assert connection.peer.lost


def test_a_head_without_end(server: Server) -> None:
    """A10, F29: a hundred megabytes of it."""
    connection = server.connect()
    before = tracemalloc_of(lambda: [connection.protocol.dataReceived(b"a" * 65536) for _ in range(1600)])
    assert before < 1 << 20
    connection.pump.flush()
    assert connection.peer.lost


def test_many_lines(server: Server) -> None:
    """As many headers as fit: thousands of names, or one name thousands of times."""
    assert server.connect().exchange(request("/cp1", *(b"a%d:" % each for each in range(1000)))).startswith(b"HTTP/1.1 101 ")
    assert server.connect().exchange(request("/cp1", *[b"a:"] * 1900)).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("drip", [b"", b"G"])
def test_a_slow_handshake(server: Server, drip: bytes) -> None:
    """A10, F29: 5 s in all, however busy it seems."""
    connections = [server.connect() for _ in range(3)]
    for _ in range(5):
        server.wait(1)
        for connection in connections:
            assert connection.exchange(drip) == b""
            assert not connection.peer.lost
    server.wait(1)
    assert all(connection.peer.lost for connection in connections)
    assert server.calls == []


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The warnings that are logged."""
    told: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"] is LogLevel.warn:
            told.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield told
    globalLogPublisher.removeObserver(observe)


def test_slow_handshakes_are_told_once_a_minute(server: Server, lines: list[str]) -> None:
    """F23: with their number."""
    for _ in range(3):
        server.connect()
    server.wait(20)
    server.connect()
    server.wait(20)
    assert lines == ["handshakes not completed in 5.0 s: 1, the last from 192.0.2.7"]
    server.wait(60)
    assert lines[1:] == ["handshakes not completed in 5.0 s: 3, the last from 192.0.2.7"]
    server.wait(200)
    assert len(lines) == 2


def test_what_we_and_the_network_need_is_not_the_charger_s_time(server: Server) -> None:
    """A burst of thousands, or a slow line: bytes of its handshake wait to be read, or ours have not reached it; but not for ever."""
    patient, endless = server.connect(), server.connect()
    patient.transport.in_transit = endless.transport.in_transit = lambda: True
    server.wait(20)
    patient.transport.in_transit = lambda: False
    server.wait(4)
    assert patient.exchange(request()).startswith(b"HTTP/1.1 101 ")
    server.wait(MAX_HANDSHAKE_TIME - 24)
    assert not endless.peer.lost
    server.wait(1)
    assert endless.peer.lost


def test_bytes_after_a_refusal(server: Server) -> None:
    """What comes after we hung up is not even kept."""
    connection = server.connect()
    connection.transport.peer_reads = False
    connection.exchange(b"nonsense\r\n\r\n")
    assert tracemalloc_of(lambda: [connection.protocol.dataReceived(b"a" * 65536) for _ in range(100)]) < 1 << 18


# frames that break the protocol


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(b"x", rsv=4), 1002, id="RSV1 without compression (ocpp-go 358)"),
        pytest.param(frame(b"x", rsv=2), 1002, id="RSV2"),
        pytest.param(frame(b"x", rsv=1), 1002, id="RSV3"),
        pytest.param(frame(b"x", PING, rsv=4), 1002, id="RSV on a control frame"),
        pytest.param(frame(b"x", mask=None), 1002, id="unmasked"),
        *(pytest.param(frame(b"x", opcode), 1002, id=f"opcode {opcode}") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        pytest.param(frame(b"x", 0), 1002, id="a continuation of nothing"),
        pytest.param(frame(b"x", fin=False) + frame(b"y"), 1002, id="a message within a message"),
        pytest.param(frame(b"x", PING, fin=False), 1002, id="a fragmented ping"),
        pytest.param(frame(b"x" * 126, PING), 1002, id="a long ping"),
        pytest.param(b"\x81\xfe\x00\x05\0\0\0\0hello", 1002, id="length not minimal, 16 bits"),
        pytest.param(b"\x81\xff" + struct.pack("!Q", 5) + b"\0\0\0\0hello", 1002, id="length not minimal, 64 bits"),
        pytest.param(b"\x81\xff" + struct.pack("!Q", 1 << 63) + b"\0\0\0\0", 1002, id="length of more than 63 bits"),
        pytest.param(frame(b"x", CLOSE), 1002, id="half a close code"),
        *(pytest.param(client_close(code), 1002, id=f"close code {code}") for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)),
        pytest.param(frame(b"\x03\xe8\xff", CLOSE), 1007, id="close reason not UTF-8"),
        pytest.param(frame(b"x", BINARY), 1003, id="binary"),
        pytest.param(frame(b"", BINARY), 1003, id="binary and empty"),
        pytest.param(frame(b"x", BINARY, fin=False), 1003, id="binary and unfinished"),
        pytest.param(frame(b"\xff"), 1007, id="not UTF-8"),
        pytest.param(frame(b"\xed\xa0\x80"), 1007, id="a surrogate"),
        pytest.param(frame(b"\xc0\x80"), 1007, id="an overlong form"),
        pytest.param(frame(b"\xf4\x90\x80\x80"), 1007, id="beyond Unicode"),
        pytest.param(frame("ä".encode()[:1]), 1007, id="half a character"),
        pytest.param(frame(b"x" * ((1 << 20) + 1)), 1009, id="a byte too long"),
        pytest.param(frame(b"x" * (1 << 20), fin=False) + frame(b"x", 0), 1009, id="a byte too long, in fragments"),
        pytest.param(b"\x81\xff" + struct.pack("!Q", 1 << 62) + b"\0\0\0\0", 1009, id="2^62 bytes announced"),
        pytest.param(frame(b"\x01\x02\x03", 0x70 | BINARY), 1002, id="everything at once"),
    ],
)  # fmt: skip
def test_violations(server: Server, data: bytes, code: int) -> None:
    """F27, R2: the proper close code; nothing that follows in the same segment is heard; the end comes within seconds."""
    connection = server.connect_charger(frame(b"before"))
    assert close_frame(connection.exchange(data + frame(b"after") + frame(b"", PING)))[0] == code
    assert connection.exchange(frame(b"later"), b"\xff" * 100) == b""
    server.wait(3)
    assert connection.peer.lost
    assert server.calls[:2] == ["arrived", b"before"]
    assert [each[:2] for each in server.calls[2:]] == [("departed", code)]


@pytest.mark.parametrize("data", [frame(b"be\xff"), frame(b"b", fin=False) + frame(b"e\xff", 0)])
def test_the_sink_is_given_what_is_not_utf8(server: Server, data: bytes) -> None:
    """Apart from the messages: to be looked at, not to be processed."""
    connection = server.connect_charger()
    assert close_frame(connection.exchange(data))[0] == 1007
    assert server.admissions.sink.not_utf8 == [b"be\xff"] and server.calls == ["arrived"]


def test_one_violation_is_enough(server: Server) -> None:
    """What follows is not looked at, or a second one would end the connection before the peer has read why."""
    connection = server.connect_charger()
    assert len(frames(connection.exchange(frame(b"x", mask=None) * 3))) == 1
    assert not connection.peer.lost


def test_a_great_frame_is_not_even_kept(server: Server) -> None:
    """A8, F27: refused by its header; what comes of it nonetheless is thrown away."""
    connection = server.connect_charger()
    assert close_frame(connection.exchange(b"\x81\xff" + struct.pack("!Q", 100 << 20) + b"\0\0\0\0"))[0] == 1009
    assert tracemalloc_of(lambda: [connection.protocol.dataReceived(b"a" * 65536) for _ in range(1600)]) < 1 << 18


def test_endless_fragments(server: Server) -> None:
    """A8: tiny ones cost nothing to send, and Autobahn takes millions of them."""
    connection = server.connect_charger()
    tiny = frame(b"z", 0, fin=False)
    assert connection.exchange(frame(b"x", fin=False) + tiny * (MAX_FRAGMENTS - 2) + frame(b"y", 0)) == b""
    assert server.calls == ["arrived", b"x" + b"z" * (MAX_FRAGMENTS - 2) + b"y"]
    assert close_frame(connection.exchange(frame(b"x", fin=False) + tiny * MAX_FRAGMENTS * 3)) == (1008, "too many fragments")
    assert len(frames(connection.exchange(tiny * MAX_FRAGMENTS * 3))) == 0


def test_messages_of_many_fragments(server: Server) -> None:
    """The limit is for a message, not for a connection."""
    connection = server.connect_charger()
    for _ in range(5):
        assert connection.exchange(frame(b"x", fin=False) + frame(b"z", 0, fin=False) * 1000 + frame(b"", 0)) == b""


def test_a_flood_of_pings(server: Server) -> None:
    """A9: Autobahn answers 372,000 in 6 s and buffers the pongs; we answer ten a second, and a thousand are enough."""
    connection = server.connect_charger()
    assert len(frames(connection.exchange(frame(b"x" * 125, PING) * 100))) == MAX_PONGS
    server.wait(1)
    assert connection.exchange(frame(b"", PING)) == b"\x8a\0"
    answer = connection.exchange(frame(b"", PING) * 5000)
    assert [each[0] for each in frames(answer)] == [PONG] * (MAX_PONGS - 1) + [CLOSE]
    assert close_frame(answer[2 * (MAX_PONGS - 1) :]) == (1008, "too many control frames")


@pytest.mark.parametrize("kind", [frame(b"x", PONG), frame(b"", PING), frame(b"x", fin=False) + frame(b"", 0)])
def test_a_flood_of_any_frames_without_a_message(server: Server, kind: bytes) -> None:
    """A9b, A9c: 113,000 pongs a second were taken, and 990 pings a second for ever. What a dead line had kept back is no flood."""
    connection = server.connect_charger()
    connection.exchange(kind * (MAX_CONTROL_FRAMES - 1))
    for _ in range(5):
        server.wait(1)
        connection.exchange(kind * FORGIVEN)
    connection.exchange(frame(CALL))
    assert server.calls[-1] == CALL
    assert close_frame(connection.exchange(kind * 5000)[-27:]) == (1008, "too many control frames")


def test_a_flood_over_many_connections(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A9b: what comes from one address is read at a pace; nobody is cut off, and all of it is read in the end. One that sends few is not held."""
    monkeypatch.setattr(addresses, "MAX_CONTROL_FRAMES", 100)
    connections = [server.connect_charger() for _ in range(10)]
    neighbour, other = server.connect_charger(), server.connect_charger(address="198.51.100.1")
    for connection in connections:
        connection.exchange((frame(b"", PONG) * 60 + frame(CALL)) * 3)
    held = [each for each in connections if not each.transport.reading]
    assert len(held) >= 8
    before = server.calls.count(CALL)
    for each in (neighbour, other):
        each.exchange(frame(b"", PING) + frame(CALL))
    assert server.calls.count(CALL) == before + 2
    server.wait(30)
    assert server.calls.count(CALL) == 32


# compression


def bomb(size: int) -> bytes:
    """So many zeros, deflated a thousand times smaller."""
    packer = zlib.compressobj(9, wbits=-15)
    return (packer.compress(bytes(size)) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("pieces", [1, 40])
def test_a_bomb(server: Server, pieces: int) -> None:
    """A7 (GHSA-hxp9-w8x3-p566): 48 kB that would be 50 MB."""
    connection = server.connect_charger(headers=(b"Sec-WebSocket-Extensions: permessage-deflate",))
    data = bomb(50 << 20)
    assert len(data) < 60_000
    size = len(data) // pieces + 1
    parts = [data[each : each + size] for each in range(0, len(data), size)]
    sent = [frame(part, TEXT if n == 0 else 0, fin=n == len(parts) - 1, rsv=0 if n else 4) for n, part in enumerate(parts)]
    assert tracemalloc_of(lambda: [connection.protocol.dataReceived(each) for each in sent]) < 5 << 20
    assert close_frame(connection.exchange())[0] == 1009
    assert server.calls == ["arrived"]


def test_a_message_of_exactly_the_limit(server: Server) -> None:
    """It is no bomb."""
    connection = server.connect_charger(headers=(b"Sec-WebSocket-Extensions: permessage-deflate",))
    assert connection.exchange(frame(bomb(1 << 20), rsv=4)) == b""
    assert server.calls == ["arrived", bytes(1 << 20)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(b"\xff\xff\xff\xff", rsv=4), 1007),
        (frame(bomb(10)[:-1] + b"\x07", rsv=4), 1007),
        (frame(b"x", PING, rsv=4), 1002),
        (frame(b"x", fin=False, rsv=4) + frame(b"y", 0, rsv=4), 1002),
        (frame(b"x", rsv=6), 1002),
    ],
)
def test_compression_that_is_none(server: Server, data: bytes, code: int) -> None:
    """Broken streams and bits in the wrong place."""
    connection = server.connect_charger(headers=(b"Sec-WebSocket-Extensions: permessage-deflate",))
    assert close_frame(connection.exchange(data + frame(CALL)))[0] == code
    assert server.calls == ["arrived"]


def tracemalloc_of(act: Any) -> int:
    """How many bytes were at most in use at once for an act."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# anything at all

chunks = st.one_of(
    st.binary(max_size=300),
    st.builds(
        frame,
        st.one_of(st.binary(max_size=200), st.just(CALL), st.just(b"x" * 70_000), st.just(bomb(5000)), st.just(b"\x03\xe8bye")),
        st.integers(0, 15),
        fin=st.booleans(),
        rsv=st.sampled_from([0, 0, 0, 4, 1, 7]),
        mask=st.sampled_from([b"\0\0\0\0", b"abcd", b"abcd", None]),
    ),
    st.sampled_from(
        [frame(CALL), client_close(), client_close(None), frame(b"", PING), frame(b"", PONG), frame(b"x", fin=False), frame(b"y", 0)]
    ),
)

targets = st.one_of(st.just("/cp1"), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(lambda text: "/" + text))

heads = st.one_of(
    st.just(request()),
    st.just(request("/cp1", b"Sec-WebSocket-Extensions: permessage-deflate")),
    st.builds(
        request,
        targets,
        st.binary(max_size=40),
        protocols=st.one_of(st.none(), st.binary(max_size=20)),
        Sec_WebSocket_Extensions=st.one_of(
            st.binary(max_size=30), st.sampled_from([b"permessage-deflate; x", b"permessage-deflate; server_max_window_bits"])
        ),
    ),
    st.binary(max_size=200),
)

steps = st.one_of(
    st.tuples(st.just("say"), chunks),
    st.tuples(st.just("say"), chunks),
    st.tuples(st.just("say"), chunks),
    st.tuples(st.just("wait"), st.integers(1, 40)),
    st.tuples(st.just("send"), st.sampled_from([b"{}", b"z" * 2000, b"z" * 70_000])),
    st.tuples(st.just("hold"), st.booleans()),
    st.tuples(st.just("ping"), st.none()),
    st.tuples(st.just("close"), st.sampled_from([1000, 1012, 4000])),
    st.tuples(st.just("read"), st.booleans()),
    st.tuples(st.just("decide"), st.booleans()),
    st.tuples(st.just("leave"), st.none()),
)


def failures(events: list[LogEvent]) -> list[Any]:
    """What was logged of our own mistakes."""
    found = [each for each in events if each.get("log_failure") is not None or each["log_level"] in (LogLevel.error, LogLevel.critical)]
    return [formatEvent(each) or each["log_failure"] for each in found]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(heads, st.lists(chunks, max_size=6), st.lists(st.integers(0, 400), max_size=6))
def test_any_bytes_cut_anywhere(head: bytes, more: list[bytes], cuts: list[int]) -> None:
    """A8-A12, F27, F28: nothing is raised, nothing logged as a failure, nothing left, before the handshake or after it."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        server = Server()
        connection, data = server.connect(), head + b"".join(more)
        ends = [*sorted(cuts), len(data)]
        connection.exchange(*(data[start:end] for start, end in zip([0, *ends], ends, strict=False)))
        check(server)
        server.wait(20)
        server.close()
        check(server)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert not failures(events)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(heads, st.booleans(), st.lists(steps, max_size=12))
def test_whatever_both_sides_do(head: bytes, undecided: bool, todo: list[tuple[str, Any]]) -> None:
    """The same, with a decision that may take time, an application that interferes, and a peer that may not read."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        server, decision = Server(), Deferred[Any]()
        if undecided:
            server.admissions.decide = lambda handshake, wire: decision
        connection = server.connect()
        connection.exchange(head)
        for what, value in todo:
            wire = server.admissions.wires[0] if server.admissions.wires else None
            if what == "say" and not connection.peer.lost:
                connection.exchange(value)
            elif what == "wait":
                server.wait(value)
            elif what == "read":
                connection.transport.peer_reads = value
            elif what == "leave" and not connection.peer.lost:
                connection.disconnect()
            elif what == "decide" and wire and undecided and not decision.called:
                if value:
                    decision.callback((server.admissions.sink, None))
                else:
                    decision.errback(HandshakeRefused(403, "no"))
            elif wire and what == "send":
                wire.send(value)
            elif wire and what == "hold":
                wire.hold(value)
            elif wire and what == "ping":
                wire.ping(lambda: None)
            elif wire and what == "close":
                wire.close(value, "enough")
            check(server)
        server.close()
        check(server)
        decision.addErrback(lambda _: None)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert not failures(events)


def check(server: Server) -> None:
    """What is true at any time of the calls for one connection."""
    kinds = [each[0] if isinstance(each, tuple) else "frame" if isinstance(each, bytes) else each for each in server.calls]
    if "refused" in kinds:
        assert kinds.count("refused") == 1
        assert "arrived" not in kinds
    assert kinds.count("arrived") <= 1
    assert "frame" not in kinds or kinds[0] == "arrived"
    assert "departed" not in kinds[:-1]
    assert len(server.admissions.requests) <= 1
    for each in server.calls:
        if isinstance(each, bytes):
            each.decode()
