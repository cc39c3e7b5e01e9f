"""Over TLS the door is the same door: the same bytes, limits and ends, and handshakes that fail cost little and are told."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from certificates import Made
from ocpp_tw.websocket.certificate import Certificate
from ocpp_tw.websocket.tls import LOG_INTERVAL, MAX_LOGGED, TlsFactory
from websocket_peer import TEXT, Peer, Street, Visit, closing, farewell, frame, frames, request

MADE = Made()
CALL = b'[2,"1","Heartbeat",{}]'
SOON = 15 + 2
"""Seconds after which a handshake has taken too long."""


@pytest.fixture
def told() -> Iterator[list[str]]:
    """Warnings, and whatever is worse."""
    lines: list[str] = []

    def watch(event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.warn:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(watch)
    yield lines
    globalLogPublisher.removeObserver(watch)


class Station:
    """A charger's end of TLS, by Python's own ``ssl``."""

    def __init__(self, visit: Visit, context: ssl.SSLContext) -> None:
        self.visit = visit
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname="127.0.0.1")
        self.cut: Callable[[bytes], list[bytes]] = lambda data: [data]

    def _exchange(self) -> None:
        data = self._out.read()
        self._in.write(self.visit.say(*(self.cut(data) if data else ())))

    def handshake(self) -> Station:
        for _ in range(5):
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._exchange()
        self._exchange()
        return self

    def say(self, *pieces: bytes) -> bytes:
        """Each piece is a record of its own; what comes back."""
        for piece in pieces:
            self.tls.write(piece)
        self._exchange()
        return self.hear()

    def hear(self) -> bytes:
        self._in.write(self.visit.say())
        heard = b""
        while True:
            try:
                piece = self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                return heard
            if not piece:
                return heard
            heard += piece

    def enter(self) -> Station:
        """Come in as a charger."""
        assert self.handshake().say(request()).startswith(b"HTTP/1.1 101 ")
        return self


class Lane(Street):
    """A door behind TLS."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.certificate = Certificate(MADE.write(file), "", self.clock)
        self.over = TlsFactory(self.certificate, self.factory, self.clock)

    def connect(self, peer: object = None) -> Visit:
        visit = Visit(self.over, peer or Peer(), self.clock)
        self.visits.append(visit)
        return visit

    def station(self, context: ssl.SSLContext | None = None) -> Station:
        return Station(self.connect(), context or MADE.trust)


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    made = Lane(tmp_path / "tls.pem")
    yield made
    made.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_charger_comes_in_and_talks(lane: Lane, version: ssl.TLSVersion) -> None:
    context = MADE.trust
    context.minimum_version = context.maximum_version = version
    station = lane.station(context).enter()
    assert lane.porter.knocks[0].address == "192.0.2.7"
    for _ in range(3):
        assert station.say(frame(CALL)) == b""
        lane.porter.wires[0].send(b"[3]")
        assert frames(station.hear()) == [(TEXT, b"[3]")]
    assert farewell(station.say(closing())) == (1000, "")
    assert lane.told == ["arrived", CALL, CALL, CALL, ("departed", 1000, "")]


@pytest.mark.parametrize("seed", range(30))
def test_what_is_said_is_heard_whole_however_it_is_cut(lane: Lane, seed: int) -> None:
    """Records in one segment, across segments, and with empty ones between: each message once, in order, and none kept back."""
    chance, said = Random(seed), []  # type: Random, list[bytes]
    station = lane.station()

    def cut(data: bytes) -> list[bytes]:
        ends = sorted({len(data), *(chance.randrange(1, len(data)) for _ in range(chance.choice([0, 0, 1, 5])) if len(data) > 1)})
        return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    station.cut = cut
    station.enter()
    for _ in range(20):
        records, burst = [], []
        for _ in range(chance.choice([1, 1, 2, 6])):
            text = b'[2,"%d","X",{"a":"%s"}]' % (len(said) + len(burst), b"x" * chance.choice([0, 300, 20_000]))
            whole, at = frame(text), 0
            burst.append(text)
            at = chance.choice([0, 0, chance.randrange(len(whole))])
            records += [whole[:at], whole[at:]] if at else [whole]
        said += burst
        station.say(*records)
        assert lane.told[1:] == said


def test_what_we_say_arrives_whole(lane: Lane) -> None:
    station = lane.station().enter()
    texts = [bytes([65 + size % 7]) * size for size in (1, 125, 126, 16_000, 16_384, 70_000)]
    for text in texts:
        lane.porter.wires[0].send(text)
    heard = station.hear()
    assert len(heard) == sum(map(len, texts)) + 2 + 2 + 4 + 4 + 4 + 10
    assert heard.endswith(texts[-1])


def test_a_goodbye_of_ours_leaves_and_ends_the_connection(lane: Lane) -> None:
    """Also when the charger does not say its own in TLS."""
    station = lane.station().enter()
    lane.factory.stop()
    heard = station.hear()
    assert heard == b"" and station.tls.pending() == 0
    assert station.visit.line.disconnected and lane.told[-1][0] == "departed"
    lane.factory.start()


def test_a_refusal_is_read_before_the_end(lane: Lane) -> None:
    station = lane.station().handshake()
    assert station.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 426 ")
    assert station.visit.peer.lost


def test_a_charger_that_is_held_is_not_read_from(lane: Lane) -> None:
    station = lane.station().enter()
    wire = lane.porter.wires[0]
    wire.hold(True)
    station.say(frame(CALL), frame(CALL))
    assert lane.told == ["arrived"] and not station.visit.line.reading
    wire.hold(False)
    station.hear()
    assert lane.told == ["arrived", CALL, CALL]


def test_a_charger_that_does_not_read_is_not_read_from(lane: Lane) -> None:
    station = lane.station().enter()
    line = station.visit.line
    line.peer_reads = False
    lane.porter.wires[0].send(b"x" * 200_000)
    station.tls.write(frame(CALL))
    station._exchange()
    assert lane.told == ["arrived"] and not line.reading
    line.peer_reads = True
    station.hear()
    assert lane.told == ["arrived", CALL]


def test_a_silent_charger_is_pinged_and_dropped(lane: Lane) -> None:
    station = lane.station().enter()
    lane.wait(37)
    assert frames(station.hear())[0][0] == 9
    lane.wait(40)
    assert station.visit.line.aborted and lane.told[-1][0] == "departed"


@pytest.mark.parametrize("said", ["nothing", "half a hello", "a hello", "the whole handshake"])
def test_whoever_does_not_finish_is_dropped_in_time(lane: Lane, told: list[str], said: str) -> None:
    station = lane.station()
    if said == "the whole handshake":
        station.handshake()
    elif said != "nothing":
        with pytest.raises(ssl.SSLWantReadError):
            station.tls.do_handshake()
        hello = station._out.read()
        station.visit.say(hello if said == "a hello" else hello[:100])
    lane.wait(SOON - 3)
    assert not station.visit.line.disconnected
    lane.wait(3)
    assert station.visit.line.aborted and not lane.factory.connected and not told


def test_plain_http_is_told_in_one_line(lane: Lane, told: list[str]) -> None:
    visit = lane.connect()
    visit.say(request())
    assert visit.line.disconnected
    assert told == ["TLS handshake failed with 192.0.2.7: http request (it speaks ws:// or http:// to a port of wss://)"]
    assert not lane.told and not lane.factory.connected


def test_a_charger_that_does_not_believe_us_is_told_of(lane: Lane, told: list[str]) -> None:
    """FIELD 19: it cannot show why it stays away."""
    station = lane.station(Made("somebody else").trust)
    with pytest.raises(ssl.SSLCertVerificationError):
        station.handshake()
    station._exchange()
    assert station.visit.line.disconnected
    assert told == ["TLS handshake failed with 192.0.2.7: tlsv1 alert unknown ca"]


def test_a_peer_that_hangs_up_is_not_worth_a_line(lane: Lane, told: list[str]) -> None:
    """A load balancer's probe."""
    lane.connect().leave()
    station = lane.station()
    with pytest.raises(ssl.SSLWantReadError):
        station.tls.do_handshake()
    station.visit.say(station._out.read())
    station.visit.leave()
    assert not told and not lane.factory.connected


def test_a_flood_of_failures_does_not_fill_the_log(lane: Lane, told: list[str]) -> None:
    for _ in range(500):
        lane.connect().say(b"\x00" * 20)
    assert len(told) == MAX_LOGGED
    lane.clock.advance(LOG_INTERVAL)
    lane.connect().say(b"\x00" * 20)
    assert len(told) == MAX_LOGGED + 2 and told[-2] == f"TLS handshake failures not logged: {500 - MAX_LOGGED}"


@pytest.mark.parametrize(
    "noise", [b"\x17\x03\x03\x00\x05hello", b"\x17\x03\x03\x00\x28" + b"x" * 40, b"\x15\x03\x03\x00\x02\x02\x28", b"nonsense"]
)
def test_what_was_not_enciphered_by_the_charger_ends_the_connection(lane: Lane, noise: bytes) -> None:
    station = lane.station().enter()
    station.visit.say(noise)
    station.visit.say(noise)
    assert station.visit.line.disconnected and lane.told[1:] and lane.told[-1][0] == "departed"
    assert not lane.factory.connected


def test_what_is_done_after_the_end_does_no_harm(lane: Lane) -> None:
    station = lane.station().enter()
    ours = station.visit.ours
    station.visit.leave()
    ours.write(b"x")
    ours.loseConnection()
    ours.abortConnection()
    assert lane.told[0] == "arrived" and lane.told[1][0] == "departed" and len(lane.told) == 2


def test_a_new_certificate_leaves_those_who_are_in_alone(lane: Lane, tmp_path: Path) -> None:
    """F23."""
    station = lane.station().enter()
    new = Made("new")
    new.write(tmp_path / "tls.pem")
    lane.certificate.reload()
    lane.station(new.trust).enter()
    station.say(frame(CALL))
    assert lane.told == ["arrived", "arrived", CALL]


def test_chargers_resume_their_sessions(lane: Lane) -> None:
    """Which spares both the arithmetic."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = MADE.trust
        context.maximum_version = version
        first = lane.station(context).enter()
        again = lane.connect()
        resumed = Station(again, context)
        resumed.tls = context.wrap_bio(resumed._in, resumed._out, server_hostname="127.0.0.1", session=first.tls.session)
        resumed.enter()
        assert resumed.tls.session_reused, version


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384"])
def test_ocpps_suites_are_spoken(lane: Lane, tmp_path: Path, suite: str) -> None:
    """2.0.1 A00.FR.318, with an RSA certificate; the ECDSA ones are those of every other test."""
    made = Made(kind="2048")
    made.write(tmp_path / "tls.pem")
    lane.certificate.reload()
    context = made.trust
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    assert lane.station(context).enter().tls.cipher()[0] == suite


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"])
def test_weak_suites_are_not(lane: Lane, told: list[str], suite: str) -> None:
    context = MADE.trust
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{suite}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        lane.station(context).handshake()
    assert told == ["TLS handshake failed with 192.0.2.7: no shared cipher"]
