"""Over TLS a connection behaves the same: the same bytes, limits and ends; TLS handshakes that fail cost little and are logged."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from OpenSSL import SSL
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from certificates import Made
from ocpp_tw.websocket import tls_handshakes
from ocpp_tw.websocket.tls import LOG_INTERVAL, MAX_LOGGED
from tls_peer import MADE, TlsPeer, TlsServer
from websocket_peer import TEXT, client_close, close_frame, frame, frames, request

CALL = b'[2,"1","Heartbeat",{}]'
SOON = 5 + 2
"""Seconds after which a handshake has taken too long."""


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """Logged warnings and errors."""
    lines: list[str] = []

    def watch(event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.warn:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(watch)
    yield lines
    globalLogPublisher.removeObserver(watch)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    made = TlsServer(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_charger_connects_and_exchanges_messages(server: TlsServer, version: ssl.TLSVersion) -> None:
    context = MADE.trust
    context.minimum_version = context.maximum_version = version
    peer = server.connect_tls(context).connect_charger()
    assert server.admissions.requests[0].address == "192.0.2.7"
    for _ in range(3):
        assert peer.exchange(frame(CALL)) == b""
        server.admissions.wires[0].send(b"[3]")
        assert frames(peer.receive()) == [(TEXT, b"[3]")]
    assert close_frame(peer.exchange(client_close())) == (1000, "")
    assert server.calls == ["arrived", CALL, CALL, CALL, ("departed", 1000, "")]


@pytest.mark.parametrize("seed", range(30))
def test_messages_arrive_whole_however_they_are_cut(server: TlsServer, seed: int) -> None:
    """Records in one segment, across segments, and with empty ones between: each message once, in order, and none kept back."""
    chance, said = Random(seed), []  # type: Random, list[bytes]
    peer = server.connect_tls()

    def cut(data: bytes) -> list[bytes]:
        ends = sorted({len(data), *(chance.randrange(1, len(data)) for _ in range(chance.choice([0, 0, 1, 5])) if len(data) > 1)})
        return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    peer.cut = cut
    peer.connect_charger()
    for _ in range(20):
        records, burst = [], []
        for _ in range(chance.choice([1, 1, 2, 6])):
            text = b'[2,"%d","X",{"a":"%s"}]' % (len(said) + len(burst), b"x" * chance.choice([0, 300, 20_000]))
            whole, at = frame(text), 0
            burst.append(text)
            at = chance.choice([0, 0, chance.randrange(len(whole))])
            records += [whole[:at], whole[at:]] if at else [whole]
        said += burst
        peer.exchange(*records)
        assert server.calls[1:] == said


def test_our_messages_arrive_whole(server: TlsServer) -> None:
    peer = server.connect_tls().connect_charger()
    texts = [bytes([65 + size % 7]) * size for size in (1, 125, 126, 16_000, 16_384, 70_000)]
    for text in texts:
        server.admissions.wires[0].send(text)
    heard = peer.receive()
    assert len(heard) == sum(map(len, texts)) + 2 + 2 + 4 + 4 + 4 + 10
    assert heard.endswith(texts[-1])


def test_our_closing_leaves_and_ends_the_connection(server: TlsServer) -> None:
    """Also when the charger does not say its own in TLS."""
    peer = server.connect_tls().connect_charger()
    server.factory.stop()
    heard = peer.receive()
    assert heard == b"" and peer.tls.pending() == 0
    assert peer.connection.transport.disconnected and server.calls[-1][0] == "departed"
    server.factory.start()


def test_a_refusal_is_read_before_the_end(server: TlsServer) -> None:
    peer = server.connect_tls().handshake()
    assert peer.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 426 ")
    assert peer.connection.peer.lost


def test_a_charger_that_is_held_is_not_read_from(server: TlsServer) -> None:
    peer = server.connect_tls().connect_charger()
    wire = server.admissions.wires[0]
    wire.hold(True)
    peer.exchange(frame(CALL), frame(CALL))
    assert server.calls == ["arrived"] and not peer.connection.transport.reading
    wire.hold(False)
    peer.receive()
    assert server.calls == ["arrived", CALL, CALL]


def test_a_charger_that_does_not_read_is_not_read_from(server: TlsServer) -> None:
    peer = server.connect_tls().connect_charger()
    line = peer.connection.transport
    line.peer_reads = False
    server.admissions.wires[0].send(b"x" * 200_000)
    peer.tls.write(frame(CALL))
    peer.transfer()
    assert server.calls == ["arrived"] and not line.reading
    line.peer_reads = True
    peer.receive()
    assert server.calls == ["arrived", CALL]


def test_a_silent_charger_is_pinged_and_dropped(server: TlsServer) -> None:
    peer = server.connect_tls().connect_charger()
    server.wait(37)
    assert frames(peer.receive())[0][0] == 9
    server.wait(40)
    assert peer.connection.transport.aborted and server.calls[-1][0] == "departed"


@pytest.mark.parametrize("said", ["nothing", "half a hello", "a hello", "the whole handshake"])
def test_an_unfinished_handshake_is_dropped_in_time(server: TlsServer, warnings: list[str], said: str) -> None:
    peer = server.connect_tls()
    if said == "the whole handshake":
        peer.handshake()
    elif said != "nothing":
        with pytest.raises(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        hello = peer.outgoing.read()
        peer.connection.exchange(hello if said == "a hello" else hello[:100])
    server.wait(SOON - 3)
    assert not peer.connection.transport.disconnected
    server.wait(3)
    assert peer.connection.transport.aborted and not server.factory.connected
    assert warnings == ["handshakes not completed in 5.0 s: 1, the last from 192.0.2.7"]


def test_of_one_address_so_many_handshakes_are_under_way_and_others_wait(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a TLS handshake takes 57 KiB here, and costs whoever leaves it nothing; those that wait take their turn, and lose no time."""
    monkeypatch.setattr(tls_handshakes, "MAX_UNDER_WAY", 3)

    def hello(address: str = "192.0.2.7") -> tuple[TlsPeer, bool]:
        """A peer that has begun its handshake, and whether it is answered."""
        peer = server.connect_tls(address=address)
        with pytest.raises(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        answer = peer.connection.exchange(peer.outgoing.read())
        peer.incoming.write(answer)
        return peer, bool(answer)

    attackers = [hello() for _ in range(3)]
    gone, waiting, behind = hello(), hello(), hello()
    elsewhere = hello("198.51.100.1")
    assert [answered for _, answered in (*attackers, gone, waiting, behind, elsewhere)] == [True] * 3 + [False] * 3 + [True]
    gone[0].connection.disconnect()
    server.wait(SOON)
    assert all(peer.connection.transport.aborted for peer, _ in attackers)
    for peer in waiting[0], behind[0]:
        peer.incoming.write(peer.connection.exchange())
        peer.connect_charger()
    server.wait(SOON)
    assert server.calls.count("arrived") == 2
    assert all(hello()[1] for _ in range(3))


@pytest.mark.parametrize("ends", ["by the peer", "by us", "once the handshake is over"])
def test_openssl_does_not_know_of_a_connection_before_its_handshake_begins(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """17 KiB each: of thousands that say nothing, or that wait for their turn."""
    monkeypatch.setattr(tls_handshakes, "MAX_UNDER_WAY", 1)

    def known() -> int:
        return sum(isinstance(each, SSL.Connection) for each in gc.get_objects())

    before = known()
    peers = [server.connect_tls() for _ in range(4)]
    assert known() == before
    for peer in peers[:3]:
        with pytest.raises(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        peer.incoming.write(peer.connection.exchange(peer.outgoing.read()))
    assert known() == before + 1
    match ends:
        case "by the peer":
            for peer in reversed(peers):
                peer.connection.disconnect()
        case "by us":
            server.factory.stop()
            assert all(peer.connection.transport.aborted for peer in peers)
            for peer in peers:
                peer.connection.exchange()
        case _:
            for peer in peers:
                peer.incoming.write(peer.connection.exchange())
                peer.connect_charger()
            assert server.calls.count("arrived") == 4
            return
    assert known() == before and all(peer.connection.transport.disconnected for peer in peers)


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("ours", [False, True])
def test_nothing_is_kept_of_a_connection_that_has_ended(server: TlsServer, complete: bool, ours: bool) -> None:
    """57 KiB of OpenSSL's for each were, until the garbage collector came round."""
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(each, SSL.Connection) for each in gc.get_objects())
        peer = server.connect_tls()
        if complete:
            peer.connect_charger()
        else:
            with pytest.raises(ssl.SSLWantReadError):
                peer.tls.do_handshake()
            peer.connection.exchange(peer.outgoing.read())
        if ours:
            server.wait(200)
        else:
            peer.connection.disconnect()
        assert peer.connection.transport.disconnected
        assert sum(isinstance(each, SSL.Connection) for each in gc.get_objects()) == before
    finally:
        gc.enable()


def test_plain_http_is_logged_in_one_line(server: TlsServer, warnings: list[str]) -> None:
    connection = server.connect()
    connection.exchange(request())
    assert connection.transport.disconnected
    assert warnings == ["TLS handshake failed with 192.0.2.7: http request (it speaks ws:// or http:// to a port of wss://)"]
    assert not server.calls and not server.factory.connected


def test_a_charger_that_rejects_our_certificate_is_logged(server: TlsServer, warnings: list[str]) -> None:
    """FIELD 19: it cannot show why it stays away."""
    peer = server.connect_tls(Made("somebody else").trust)
    with pytest.raises(ssl.SSLCertVerificationError):
        peer.handshake()
    peer.transfer()
    assert peer.connection.transport.disconnected
    assert warnings == ["TLS handshake failed with 192.0.2.7: tlsv1 alert unknown ca"]


def test_a_peer_that_hangs_up_is_not_worth_a_line(server: TlsServer, warnings: list[str]) -> None:
    """A load balancer's probe."""
    server.connect().disconnect()
    peer = server.connect_tls()
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    peer.connection.exchange(peer.outgoing.read())
    peer.connection.disconnect()
    assert not warnings and not server.factory.connected


def test_a_flood_of_failures_does_not_fill_the_log(server: TlsServer, warnings: list[str]) -> None:
    for _ in range(500):
        server.connect().exchange(b"\x00" * 20)
    assert len(warnings) == MAX_LOGGED
    server.clock.advance(LOG_INTERVAL)
    server.connect().exchange(b"\x00" * 20)
    assert len(warnings) == MAX_LOGGED + 2 and warnings[-2] == f"TLS handshake failures not logged: {500 - MAX_LOGGED}"


@pytest.mark.parametrize(
    "noise", [b"\x17\x03\x03\x00\x05hello", b"\x17\x03\x03\x00\x28" + b"x" * 40, b"\x15\x03\x03\x00\x02\x02\x28", b"nonsense"]
)
def test_records_not_encrypted_by_the_charger_end_the_connection(server: TlsServer, noise: bytes) -> None:
    peer = server.connect_tls().connect_charger()
    peer.connection.exchange(noise)
    peer.connection.exchange(noise)
    assert peer.connection.transport.disconnected and server.calls[1:] and server.calls[-1][0] == "departed"
    assert not server.factory.connected


def test_what_is_done_after_the_end_does_no_harm(server: TlsServer) -> None:
    peer = server.connect_tls().connect_charger()
    ours = peer.connection.protocol
    peer.connection.disconnect()
    ours.write(b"x")
    ours.loseConnection()
    ours.abortConnection()
    assert server.calls[0] == "arrived" and server.calls[1][0] == "departed" and len(server.calls) == 2


def test_a_new_certificate_does_not_affect_existing_connections(server: TlsServer, tmp_path: Path) -> None:
    """F23."""
    peer = server.connect_tls().connect_charger()
    new = Made("new")
    new.write(tmp_path / "tls.pem")
    server.certificate.reload()
    server.connect_tls(new.trust).connect_charger()
    peer.exchange(frame(CALL))
    assert server.calls == ["arrived", "arrived", CALL]


def test_chargers_resume_their_sessions(server: TlsServer) -> None:
    """Which spares both the arithmetic."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = MADE.trust
        context.maximum_version = version
        first = server.connect_tls(context).connect_charger()
        again = server.connect()
        resumed = TlsPeer(again, context)
        resumed.tls = context.wrap_bio(resumed.incoming, resumed.outgoing, server_hostname="127.0.0.1", session=first.tls.session)
        resumed.connect_charger()
        assert resumed.tls.session_reused, version


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384"])
def test_ocpps_suites_are_spoken(server: TlsServer, tmp_path: Path, suite: str) -> None:
    """2.0.1 A00.FR.318, with an RSA certificate; the ECDSA ones are those of every other test."""
    made = Made(kind="2048")
    made.write(tmp_path / "tls.pem")
    server.certificate.reload()
    context = made.trust
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    assert server.connect_tls(context).connect_charger().tls.cipher()[0] == suite


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"])
def test_weak_suites_are_not(server: TlsServer, warnings: list[str], suite: str) -> None:
    context = MADE.trust
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{suite}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        server.connect_tls(context).handshake()
    assert warnings == ["TLS handshake failed with 192.0.2.7: no shared cipher"]


# a port of both


@pytest.fixture
def both(tmp_path: Path) -> Iterator[TlsServer]:
    made = TlsServer(tmp_path, plain_too=True)
    yield made
    made.close()


def test_at_a_port_of_both_the_first_byte_decides(both: TlsServer, warnings: list[str]) -> None:
    """Even if it comes alone; the gate is told which it is."""
    plain, tls = both.connect(), both.connect_tls().connect_charger()
    assert plain.exchange(request()[:1], request()[1:]).startswith(b"HTTP/1.1 101 ")
    assert [each.tls for each in both.admissions.requests] == [True, False]
    for number, wire in enumerate(both.admissions.wires):
        assert (tls.exchange if number == 0 else plain.exchange)(frame(CALL)) == b""
        wire.send(b"[3]")
        assert frames(tls.receive() if number == 0 else plain.exchange()) == [(TEXT, b"[3]")]
    assert both.calls == ["arrived", "arrived", CALL, CALL] and not warnings


def test_nothing_of_tls_stays_with_a_plain_connection(both: TlsServer) -> None:
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(each, SSL.Connection) for each in gc.get_objects())
        connection = both.connect()
        ours = connection.protocol.wrappedProtocol
        connection.exchange(request())
        connection.protocol = None
        connection.pump.server = connection.transport.protocol
        assert connection.transport.protocol is ours and ours.transport is connection.transport
        assert sum(isinstance(each, SSL.Connection) for each in gc.get_objects()) == before
        assert not both.tls_factory.protocols
    finally:
        gc.enable()


@pytest.mark.parametrize("ours", [False, True])
def test_a_plain_connection_ends_as_at_a_plain_port(both: TlsServer, ours: bool) -> None:
    connection = both.connect()
    connection.exchange(request())
    if ours:
        both.wait(200)
        assert connection.transport.aborted
    else:
        assert close_frame(connection.exchange(client_close())) == (1000, "")
        connection.disconnect()
    assert both.calls[-1][0] == "departed" and not both.factory.connected and not both.factory.addresses.connections


def test_a_plain_charger_that_does_not_read_is_not_read_from(both: TlsServer) -> None:
    connection = both.connect()
    connection.exchange(request())
    line = connection.transport
    line.peer_reads = False
    both.admissions.wires[0].send(b"x" * 200_000)
    connection.exchange(frame(CALL))
    assert both.calls == ["arrived"] and not line.reading
    line.peer_reads = True
    connection.exchange()
    assert both.calls == ["arrived", CALL]


def test_a_silent_peer_at_a_port_of_both_is_dropped_in_time(both: TlsServer) -> None:
    nothing, a_byte = both.connect(), both.connect()
    a_byte.exchange(b"G")
    both.wait(SOON)
    assert nothing.transport.aborted and a_byte.transport.aborted and not both.factory.connected
